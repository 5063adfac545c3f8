/** One value of a program replaced by the far side's, for one scope: `node build/examples/17-replace-a-property.js URL`. */
import os from 'node:os';
import { connect, currentScope, deliver, obtain, withRemote } from 'elsewhere';

/** A program's own module, which has taken what it uses. */
const myserver = {
  os,
  greet: () => `I run on ${myserver.os.platform()} as ${myserver.os.userInfo().username}`,
};

const conn = await connect(process.argv[2] as string);
const far = conn.sync.modules.os;

await withRemote(conn, { patches: [] }, async () => {
  currentScope()?.replace(myserver, 'os', far as typeof os);
  console.log(
    'inside, as the far side says it:',
    myserver.greet() === `I run on ${far.platform()} as ${far.userInfo().username}`,
  );
  console.log('inside, it is another module:', myserver.os !== os);
});
console.log('outside again:', myserver.os === os);

// And the other way: a value of ours that lives over there, and comes back as a copy.
const shelf = await deliver(conn, new Map([['books', 3]]));
await conn.run((map) => void map.set('books', 4), shelf);
console.log('delivered, changed there, obtained:', await obtain(shelf));
await conn.close();
