/** Output of what is called on the far side by its references, and `conn.stdio`. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { type Connection, connect, redirectStdio } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('service/redirect', { limit: 20_000 });
let agent: TestAgent;
let conn: Connection;
test.before(async () => {
  agent = await startAgent();
  conn = await connect(agent.url);
  await conn.execute('namespace.hello = (who) => { console.log("hello " + who); return who; }');
});
test.after(async () => {
  await conn.close();
  await agent.stop();
});

function held(): Writable & { text(): string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done();
    },
  });
  return Object.assign(stream, { text: () => Buffer.concat(chunks).toString() });
}

test('redirectStdio: functions of the namespace, modules, globals and sent functions, blocking ones too', async () => {
  const stdout = held();
  const said = await conn.teleport((text: string) => {
    console.log('sent', text);
    return text;
  });
  const values = await redirectStdio(
    conn,
    async () => [
      await conn.namespace['hello']?.('Ada'),
      await conn.modules['node:console']?.['log']?.('a module'),
      await conn.global.console.log('a global'),
      await said('there'),
      conn.sync.namespace['hello']?.('Bob'),
    ],
    { stdout },
  );
  assert.deepEqual(values, ['Ada', undefined, undefined, 'there', 'Bob']);
  assert.equal(stdout.text(), 'hello Ada\na module\na global\nsent there\nhello Bob\n');
  const from = agent.stdout().length;
  await conn.namespace['hello']?.('again');
  while (agent.stdout().length < from + 12) await new Promise((done) => setTimeout(done, 5));
  assert.equal(agent.stdout().slice(from), 'hello again\n');
  assert.ok(!stdout.text().includes('again'));
});

test('conn.stdio: until further notice, for this connection alone; redirectStdio goes before it', async () => {
  const other = await connect(agent.url);
  const [first, second, inner] = [held(), held(), held()];
  await conn.stdio.attach({ stdout: first });
  await conn.execute('console.log("to the first")');
  await redirectStdio(conn, () => conn.execute('console.log("inner")'), { stdout: inner });
  await other.execute('console.log("other")');
  await conn.stdio.attach({ stdout: second });
  await conn.namespace['hello']?.('second');
  await conn.stdio.detach();
  await conn.stdio.detach();
  const from = agent.stdout().length;
  await conn.execute('console.log("back there")');
  while (agent.stdout().length < from + 11) await new Promise((done) => setTimeout(done, 5));
  assert.deepEqual(
    [first.text(), inner.text(), second.text()],
    ['to the first\n', 'inner\n', 'hello second\n'],
  );
  assert.match(agent.stdout(), /other\n(?:.*\n)*back there\n$/);
  await other.close();
});

test.run();
