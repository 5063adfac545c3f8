// Standard streams in a test: what local code prints, and what code on the far side prints for us.
//   node 03-redirected-stdio.js URL
import assert from 'node:assert/strict';
import { captureStdio, connect, redirectStdio } from 'elsewhere';

function greet(name: string): number {
  console.log(`hello ${name}`);
  console.error('(and a word on stderr)');
  return name.length;
}

// Two captures at once never mix.
const [ada, bob] = await Promise.all([
  captureStdio(() => greet('Ada')),
  captureStdio(() => greet('Bob')),
]);
assert.equal(ada.stdout, 'hello Ada\n');
assert.equal(bob.stdout, 'hello Bob\n');
assert.equal(ada.value, 3);

// The far side's output of this caller shows here.
const conn = await connect(process.argv[2] ?? '');
const far = await captureStdio(() => redirectStdio(conn, () => conn.run(greet, 'far side')));
assert.equal(far.stdout, 'hello far side\n');
assert.equal(far.stderr, '(and a word on stderr)\n');
console.log('captured here and there:', JSON.stringify([ada.stdout, bob.stdout, far.stdout]));
await conn.close();
