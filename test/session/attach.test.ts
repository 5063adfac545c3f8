// What a link claims when it joins its session is checked before anything of the session changes.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFinal } from '../../src/connection/redial.ts';
import { ElsewhereError, type Server, serve } from '../../src/index.ts';
import { tokenKey } from '../../src/security/auth.ts';
import { driveHandshake } from '../../src/session/drive.ts';
import {
  type ClientHandshakeOptions,
  clientHandshake,
  type Resumption,
  refusal,
  type Welcome,
} from '../../src/session/handshake.ts';
import { selfInfo } from '../../src/session/self.ts';
import { parseEndpoint } from '../../src/transport/endpoint.ts';
import { openTransport } from '../../src/transport/open.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { Kind } from '../../src/wire/message.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/attach');
let server: Server;

test.before.each(async () => {
  server = await serve({ listen: 'tcp://127.0.0.1:0', grace: 100 });
});
test.after.each(() => server.close());

interface Joined {
  readonly transport: Transport;
  readonly welcome: Welcome;
}

/** A link whose client says that it has received so many packets. */
async function join(
  session: string,
  received: number,
  resumption?: Resumption,
  at = server,
): Promise<Joined> {
  const endpoint = parseEndpoint(at.url, 'listen');
  const transport = await openTransport(endpoint, { timeout: 2000 });
  const steps = clientHandshake(client(session, received, resumption, at));
  return new Promise((resolve, reject) => {
    driveHandshake(transport, steps, { timeout: 2000, who: 'agent' }, (error, welcome) => {
      if (welcome === undefined) reject(error);
      else resolve({ transport, welcome });
    });
  });
}

function client(
  session: string,
  received: number,
  resumption: Resumption | undefined,
  at = server,
): ClientHandshakeOptions {
  const key = tokenKey(at.token);
  return { key, session, lane: 'main', self: selfInfo(), received, resumption, heartbeat: 0 };
}

const newId = (): string => randomBytes(16).toString('hex');
const impossible = { code: 'ERR_ELSEWHERE_PROTOCOL', message: /never sent/ };

test('a new session whose client has received packets already is refused, and nothing of it stays', async () => {
  await assert.rejects(join(newId(), 5), impossible);
  assert.equal(server.connections.length, 0);
});

test('an impossible count leaves the link that the session has, and its grace', async () => {
  const id = newId();
  const { transport, welcome } = await join(id, 0);
  let closed = false;
  transport.events = {
    packet: () => undefined,
    drain: () => undefined,
    close: () => (closed = true),
  };
  await assert.rejects(join(id, 99, welcome.resumption), impossible);
  await sleep(150);
  assert.equal(closed, false);
  assert.deepEqual(
    server.connections.map((each) => each.id),
    [id],
  );
  const gone = new Promise((resolve) => server.on('disconnect', resolve));
  transport.destroy();
  await gone;
  assert.equal(server.connections.length, 0);
});

test('a session that waits for its client goes on waiting, as long as before', async () => {
  // Long enough for a busy machine to dial in.
  await using patient = await serve({ listen: 'tcp://127.0.0.1:0', grace: 2000 });
  const id = newId();
  const { transport, welcome } = await join(id, 0, undefined, patient);
  const gone = new Promise((resolve) => patient.on('disconnect', resolve));
  transport.destroy();
  await assert.rejects(join(id, 99, welcome.resumption, patient), impossible);
  await gone;
});

test('whoever comes back to a session that is over is told why it ended', async () => {
  const back = async (id: string, { welcome }: Joined, why: RegExp): Promise<void> => {
    const refused = { code: 'ERR_ELSEWHERE_CLOSED', message: why };
    await assert.rejects(join(id, 0, welcome.resumption), refused);
  };
  const ended = async (kind: number | undefined): Promise<readonly [string, Joined]> => {
    const id = newId();
    const joined = await join(id, 0);
    const gone = new Promise((resolve) => server.on('disconnect', resolve));
    if (kind !== undefined) joined.transport.send(kind, Buffer.from('?'));
    joined.transport.close();
    await gone;
    return [id, joined];
  };
  const waited = await ended(undefined);
  await back(...waited, /no longer holds this session: it has waited longer than its grace allows/);
  const broken = await ended(Kind.WELCOME);
  await back(...broken, /its client broke the protocol: it sent a handshake message/);
  const left = await ended(Kind.GOAWAY);
  await back(...left, /it was closed/);
  await back(newId(), waited[1], /it ended long ago, or never was/);
});

test('whichever of the links that were let in with one secret the client has heard of, it comes back', async () => {
  const id = newId();
  const first = await join(id, 0);
  // A dead attempt may reach the agent after the one that its client uses.
  const used = await join(id, 0, first.welcome.resumption);
  const late = await join(id, 0, first.welcome.resumption);
  const next = await join(id, 0, used.welcome.resumption);
  // Overtaken for good: another one has been used since.
  const refused = { code: 'ERR_ELSEWHERE_AUTH' };
  for (const { welcome } of [first, late])
    await assert.rejects(join(id, 0, welcome.resumption), refused);
  for (const { transport } of [first, late, used, next]) transport.destroy();
});

test('the same holds for the first links of a lane', async () => {
  const id = newId();
  const used = await join(id, 0);
  const late = await join(id, 0);
  const next = await join(id, 0, used.welcome.resumption);
  for (const { transport } of [late, used, next]) transport.destroy();
});

test('a client that was too busy for its handshake is refused, but not for good', () => {
  const steps = clientHandshake(client(newId(), 0, undefined));
  steps.next();
  steps.next();
  const late = refusal(new ElsewhereError('ERR_ELSEWHERE_TIMEOUT', 'no answer within 10 s'));
  assert.throws(
    () => steps.next(late),
    (error) => {
      assert.equal((error as ElsewhereError).code, 'ERR_ELSEWHERE_TIMEOUT');
      return !isFinal(error);
    },
  );
});

test.run();
