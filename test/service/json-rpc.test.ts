/** A service over HTTP POST, by the examples of the standard and what an attacker might send. */
import assert from 'node:assert/strict';
import { connect as dial } from 'node:net';
import {
  connect,
  exposed,
  type Login,
  type Server,
  Service,
  type ServicePeer,
  serve,
} from '../../src/index.ts';
import { suite } from '../kit/suite.ts';

const test = suite('service/json-rpc');
const log: string[] = [];

class Item {
  static exposed = ['name'] as const;
  name = 'x';
  secret = 1;
}
class Calc extends Service {
  static override exposed = [
    'subtract',
    'update',
    'who',
    'fail',
    'item',
    'list',
    'tools',
    'nothing',
  ] as const;
  tools = { upper: (text: string): string => text.toUpperCase() };
  hidden = 1;
  #login: Login | undefined;
  override onConnect(peer: ServicePeer): void {
    this.#login = peer.login;
    log.push('+');
  }
  override onDisconnect(): void {
    log.push('-');
  }
  subtract(a: number | { minuend: number; subtrahend: number }, b = 0): number {
    return typeof a === 'number' ? a - b : a.minuend - a.subtrahend;
  }
  update(): void {
    log.push('update');
  }
  who(): unknown {
    return this.#login?.credentials.name ?? this.#login?.credentials.by;
  }
  async fail(): Promise<never> {
    throw Object.assign(new RangeError('no'), { code: 'E_NO' });
  }
  item(): Item {
    return new Item();
  }
  list(): unknown {
    return [{ at: new Date(0), deep: [new Item()] }];
  }
  nothing(): void {}
  @exposed unlisted(): number {
    return 1;
  }
}

let server: Server;
let url = '';
test.before(async () => {
  server = await serve({
    service: Calc,
    classic: false,
    jsonRpc: true,
    auth: { users: { ada: 'swordfish' }, tokens: { ci: 'a token of the builds' } },
  });
  url = server.url.replace(/^ws:/, 'http:').replace(/#.*/, '');
});
test.after(() => server.close());

interface Asked {
  readonly status: number;
  readonly body: unknown;
}
async function post(body: string, headers: Record<string, string> = {}): Promise<Asked> {
  const response = await fetch(url, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${server.token}`,
      ...headers,
    },
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}
const call = async (method: string, params?: unknown, id: unknown = 1): Promise<unknown> =>
  (await post(JSON.stringify({ jsonrpc: '2.0', method, params, id }))).body;
const failed = (id: unknown, code: number, message: string): unknown => ({
  jsonrpc: '2.0',
  id,
  error: { code, message },
});
const INVALID = failed(null, -32600, 'Invalid Request');

test('calls by position and by name, notifications, nested names', async () => {
  assert.deepEqual(await call('subtract', [42, 23]), { jsonrpc: '2.0', id: 1, result: 19 });
  assert.deepEqual(await call('subtract', { subtrahend: 23, minuend: 42 }, 'a'), {
    jsonrpc: '2.0',
    id: 'a',
    result: 19,
  });
  assert.deepEqual(await call('nothing', undefined, null), {
    jsonrpc: '2.0',
    id: null,
    result: null,
  });
  assert.deepEqual(await call('tools.upper', ['x']), { jsonrpc: '2.0', id: 1, result: 'X' });
  assert.deepEqual(await post('{"jsonrpc":"2.0","method":"update","params":[1,2]}'), {
    status: 204,
    body: undefined,
  });
  assert.deepEqual(await post('{"jsonrpc":"2.0","method":"nowhere"}'), {
    status: 204,
    body: undefined,
  });
  assert.ok(log.includes('update'));
  assert.deepEqual(
    log.filter((entry) => entry === '+').length,
    log.filter((entry) => entry === '-').length,
  );
});

test('errors as the standard says', async () => {
  assert.deepEqual(await call('foobar'), failed(1, -32601, 'Method not found'));
  assert.deepEqual(
    (await post('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]')).body,
    failed(null, -32700, 'Parse error'),
  );
  for (const invalid of [
    '{"jsonrpc":"2.0","method":1,"params":"bar"}',
    '[]',
    '1',
    'null',
    '{"method":"subtract","id":null}',
  ])
    assert.deepEqual((await post(invalid)).body, INVALID, invalid);
  assert.deepEqual((await post('[1,2,3]')).body, [INVALID, INVALID, INVALID]);
  assert.deepEqual(await call('subtract', [1], {}), INVALID, 'an id that is none');
  const { error } = (await call('fail')) as { error: unknown };
  assert.deepEqual(error, {
    code: -32000,
    message: 'no',
    data: { name: 'RangeError', code: 'E_NO' },
  });
});

test('a batch is answered whole, without what asks for no answer', async () => {
  const batch = [
    { jsonrpc: '2.0', method: 'subtract', params: [3, 1], id: '1' },
    { jsonrpc: '2.0', method: 'update', params: [7] },
    { foo: 'boo' },
    { jsonrpc: '2.0', method: 'foo.get', params: { name: 'myself' }, id: '5' },
  ];
  assert.deepEqual((await post(JSON.stringify(batch))).body, [
    { jsonrpc: '2.0', id: '1', result: 2 },
    INVALID,
    failed('5', -32601, 'Method not found'),
  ]);
  const quiet = [
    { jsonrpc: '2.0', method: 'update' },
    { jsonrpc: '2.0', method: 'update' },
  ];
  assert.equal((await post(JSON.stringify(quiet))).status, 204);
});

test('the same names exist as for other clients, and data alone comes back', async () => {
  for (const name of [
    'hidden',
    'constructor',
    '__proto__',
    'onConnect',
    'toString',
    'subtract.constructor',
    'tools.constructor',
    'item.name',
    '',
  ])
    assert.deepEqual(await call(name), failed(1, -32601, 'Method not found'), name);
  for (const name of ['item', 'list']) {
    const { error } = (await call(name)) as { error: { message: string } };
    assert.match(error.message, /no data that JSON can carry/);
  }
  assert.deepEqual(await call('unlisted'), { jsonrpc: '2.0', id: 1, result: 1 });
});

test('who may send: tokens and users, nobody else, and nothing is read of them', async () => {
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
  const who = (authorization: string): Promise<Asked> =>
    post('{"jsonrpc":"2.0","method":"who","id":1}', { authorization });
  for (const [authorization, name] of [
    [`Bearer ${server.token}`, 'token'],
    ['Bearer a token of the builds', undefined],
    [basic('ada:swordfish'), 'ada'],
  ] as const) {
    const { status, body } = await who(authorization);
    // A token with blanks is no header's.
    if (name === undefined) assert.equal(status, 401);
    else assert.equal((body as { result: unknown }).result, name);
  }
  for (const authorization of [
    '',
    'Bearer wrong',
    basic('ada:wrong'),
    basic('eve:swordfish'),
    basic('ada'),
    'Digest x',
  ])
    assert.equal((await who(authorization)).status, 401, authorization);
  assert.equal((await post('{}', { 'content-type': 'text/plain' })).status, 415);
  assert.equal((await post(`"${'x'.repeat(1_100_000)}"`)).status, 413);
  const get = await fetch(url);
  assert.equal(get.status, 426);
  const silent = await serve({ service: Calc });
  const response = await fetch(silent.url.replace(/^ws:/, 'http:').replace(/#.*/, ''), {
    method: 'POST',
    body: '{}',
  });
  assert.equal(response.status, 426, 'not unless it was asked for');
  await silent.close();
});

test('web pages and rebound names are turned away', async () => {
  const { port } = new URL(url);
  for (const header of ['Origin: https://evil.example', 'Host: evil.example']) {
    const socket = dial(Number(port), '127.0.0.1');
    const host = header.startsWith('Host') ? '' : `Host: 127.0.0.1:${port}\r\n`;
    socket.write(
      `POST / HTTP/1.1\r\n${host}${header}\r\nAuthorization: Bearer ${server.token}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
    );
    let text = '';
    for await (const chunk of socket) text += chunk;
    assert.match(text, /^HTTP\/1\.1 403 /, header);
  }
});

test('clients of both kinds share a port and a service', async () => {
  const conn = await connect<Calc>(server.url);
  assert.equal(await conn.root.subtract(5, 3), 2);
  assert.deepEqual(await call('subtract', [5, 3]), { jsonrpc: '2.0', id: 1, result: 2 });
  await conn.close();
  await assert.rejects(serve({ jsonRpc: true }), { code: 'ERR_ELSEWHERE_ARGUMENT' });
  await assert.rejects(serve({ jsonRpc: true, service: Calc, listen: 'tcp://127.0.0.1:0' }), {
    code: 'ERR_ELSEWHERE_ARGUMENT',
  });
});

test.run();
