import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';
import { connect, serve } from '../../src/index.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/hostile-agent');

const packet = (kind: number, fields: unknown): Buffer => {
  const body = Buffer.from(JSON.stringify(fields));
  const header = Buffer.alloc(5);
  header.writeUInt32LE(body.length + 1);
  header[4] = kind;
  return Buffer.concat([header, body]);
};
const CHALLENGE = { epoch: 'e', name: 'elsewhere', version: 1, nonce: 'n'.repeat(32) };

/** What `connect` says of a server that answers like this. */
async function meet(answer: readonly Buffer[]): Promise<Error & { code?: string }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    for (const part of answer) socket.write(part);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    await connect(`tcp://127.0.0.1:${port}#some-token-of-16-chars`, { timeout: 2000 });
  } catch (error) {
    return error as Error;
  } finally {
    server.close();
  }
  throw new Error('connected to an impostor');
}

for (const [what, answer, code, said] of [
  [
    'another version',
    [packet(1, { ...CHALLENGE, version: 2 })],
    'VERSION',
    /agent speaks version 2/,
  ],
  ['another protocol', [packet(1, { ...CHALLENGE, name: 'other' })], 'PROTOCOL', /does not speak/],
  [
    'a version that is an object',
    [packet(1, { ...CHALLENGE, version: {} })],
    'VERSION',
    /version unknown/,
  ],
  ['no JSON object', [packet(1, null)], 'PROTOCOL', /does not speak/],
  [
    'a nonce of 1,000 characters',
    [packet(1, { ...CHALLENGE, nonce: 'n'.repeat(1000) })],
    'PROTOCOL',
    /does not speak/,
  ],
  [
    'a challenge over its limit',
    [packet(1, { ...CHALLENGE, pad: 'x'.repeat(5000) })],
    'PROTOCOL',
    /at most 4096/,
  ],
  [
    'a welcome without a proof of the token',
    [packet(1, CHALLENGE), packet(3, { proof: 'x'.repeat(43), peer: {} })],
    'AUTH',
    /impostor/,
  ],
  [
    'a welcome that is no object',
    [packet(1, CHALLENGE), packet(3, [])],
    'PROTOCOL',
    /does not speak/,
  ],
  ['a call instead of a challenge', [packet(16, [])], 'PROTOCOL', /does not speak/],
  [
    'a refusal with an odd code',
    [packet(4, { code: 'constructor', message: 'no' })],
    'PROTOCOL',
    /refused the connection: no/,
  ],
  [
    'a refusal with escapes for the terminal',
    [packet(4, { code: 'ERR_ELSEWHERE_AUTH', message: 'a\u001b]0;x\u0007\nb' })],
    'AUTH',
    /a\?\]0;x\?\?b$/,
  ],
  [
    'a refusal that cannot be made text',
    [packet(4, { code: { toString: 1 }, message: { toString: 1, valueOf: 1 } })],
    'PROTOCOL',
    /refused the connection/,
  ],
] as const) {
  test(`an agent that sends ${what} is refused with one clear line`, async () => {
    const error = await meet(answer);
    assert.equal(error.code, `ERR_ELSEWHERE_${code}`);
    assert.match(error.message, said);
    assert.ok(!error.message.includes('\n'));
  });
}

test('an agent that mirrors what the client sends is no agent', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await assert.rejects(connect(`tcp://127.0.0.1:${port}#some-token-of-16-chars`), {
    code: 'ERR_ELSEWHERE_PROTOCOL',
  });
  server.close();
});

function dialPort(url: string): Socket {
  const socket = dial(Number(new URL(url.replace('tcp:', 'http:')).port), '127.0.0.1');
  socket.on('error', () => undefined);
  return socket;
}

test('a client that says nothing, or half of a hello, is dropped in time with a line that says so', async () => {
  await using server = await serve({ listen: 'tcp://127.0.0.1:0', authTimeout: 100 });
  const refused: string[] = [];
  server.on('refused', (_remote, error) => refused.push(error.message));
  const silent = dialPort(server.url).resume();
  const slow = dialPort(server.url).resume();
  slow.write(packet(2, CHALLENGE).subarray(0, 20));
  await Promise.all([once(silent, 'close'), once(slow, 'close')]);
  assert.equal(refused.length, 2);
  for (const message of refused) assert.match(message, /client .* did not answer within 0\.1 s/);
});

test('more than 64 links that have proven nothing are dropped at once; they cost the others nothing', async () => {
  await using server = await serve({ listen: 'tcp://127.0.0.1:0' });
  const conn = await connect(server.url);
  const sockets = Array.from({ length: 70 }, () => dialPort(server.url));
  const closed = sockets.map((socket) => once(socket.resume(), 'close'));
  await Promise.race(closed.slice(64));
  const challenged = sockets.filter(({ bytesRead }) => bytesRead > 0).length;
  assert.ok(challenged <= 64, `${challenged} were taken`);
  assert.ok((await conn.ping()) > 0);
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
  let next: Awaited<ReturnType<typeof connect>> | undefined;
  while (next === undefined) next = await connect(server.url).catch(() => undefined);
  await next.close();
  await conn.close();
});

test.run();
