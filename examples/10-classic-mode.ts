// Classic mode: modules, code and callbacks on several machines at once.
//   node 10-classic-mode.js URL URL
import { connect, deliver, obtain, redirectStdio, track } from 'elsewhere';

const machines = await Promise.all(process.argv.slice(2).map((url) => connect(url)));
for (const conn of machines)
  console.log(await conn.modules.os.hostname(), await conn.global.process.version);

const [conn] = machines;
if (conn === undefined) throw new Error('give at least one URL');
// Names stay between calls.
await conn.execute('namespace.hello = (who) => "hello " + who');
console.log(await conn.namespace['hello']?.('Ada'));
// A function goes there as source; a callback stays here and is called from there.
const report = await conn.teleport((x: number) => show(x * 2), {
  captures: { show: (x: number) => console.log('called back with', x) },
});
await report(21);
declare function show(x: number): unknown;
// Data, made anew over there and fetched back.
const list = await deliver(conn, [1, 2, 3]);
console.log(await obtain(list));
// What a call under way has become so far.
const sleeping = track(conn.run((ms: number) => new Promise((go) => setTimeout(go, ms)), 50));
console.log(sleeping);
await sleeping;
console.log(sleeping);
await redirectStdio(conn, () => conn.execute('console.log("printed there, shown here")'));
await Promise.all(machines.map((each) => each.close()));
