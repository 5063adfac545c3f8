/** What a program in TypeScript sees; most of it is checked by the compiler. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
  type Connection,
  connect,
  connectPair,
  deliver,
  obtain,
  Service,
  serve,
  withRemote,
} from '../../src/index.ts';
import { suite } from '../kit/suite.ts';

const test = suite('service/typed', { limit: 15_000 });

class Calc extends Service {
  static override exposed = ['add', 'both'] as const;
  add(a: number, b: number): number {
    return a + b;
  }
  both(value: string): string;
  both(value: number): number;
  both(value: string | number): string | number {
    return value;
  }
  hidden(): number {
    return 1;
  }
}

test('the class as a type: what is listed, with its forms; an instance’s type: all of it', async () => {
  const { near, far } = await connectPair<typeof Calc>({ service: Calc });
  const sum: number = await near.root.add(1, 2);
  const text: string = await near.root.both('a');
  const number: number = await near.root.both(1);
  assert.deepEqual([sum, text, number], [3, 'a', 1]);
  // @ts-expect-error it is not listed
  await assert.rejects(async () => near.root.hidden(), { code: 'ERR_ELSEWHERE_NO_METHOD' });
  // @ts-expect-error a hook is not for clients
  await assert.rejects(async () => near.root.onConnect(), { code: 'ERR_ELSEWHERE_NO_METHOD' });
  // @ts-expect-error no form of it takes that
  await near.root.both(true);
  await near.close();
  await far.close();
  const other = await connectPair<Calc>({ service: Calc });
  await assert.rejects(async () => other.near.root.hidden(), { code: 'ERR_ELSEWHERE_NO_METHOD' });
  await other.near.close();
  await other.far.close();
});

test('helpers take connections of any service', async () => {
  const { near, far } = await connectPair<typeof Calc>({ service: Calc });
  const list = await deliver(near, [1, 2]);
  await list.push(3);
  assert.deepEqual(await obtain(list), [1, 2, 3]);
  await near.close();
  await far.close();
});

test('modules: functions of several forms', async () => {
  const { near, far } = await connectPair();
  const text: string = await near.modules['node:fs/promises'].readFile('/proc/self/stat', 'utf8');
  const bytes: Uint8Array = await near.modules.fs.promises.readFile('/proc/self/stat');
  const names: string[] = await near.modules['fs/promises'].readdir('/');
  const host: string = await near.modules.os.hostname();
  assert.ok(text.length > 0 && bytes.length > 0 && names.length > 0 && host.length > 0);
  await near.close();
  await far.close();
});

test('a blocking call to an agent of the same thread is refused, not waited for', async () => {
  for (const listen of ['ws://127.0.0.1:0', 'tcp://127.0.0.1:0']) {
    const server = await serve({ listen });
    for (const sync of ['socket', 'worker'] as const) {
      const conn: Connection = await connect(server.url, { sync });
      const refused = { code: 'ERR_ELSEWHERE_SYNC_DEADLOCK', message: /same thread/ };
      assert.throws(() => conn.sync.modules.os.hostname(), refused);
      assert.throws(() => withRemote(conn, () => readFileSync('/proc/self/stat')), refused);
      // It goes on all the same.
      assert.equal(await conn.eval('1 + 1'), 2);
      await conn.close();
    }
    await server.close();
  }
});

test.run();
