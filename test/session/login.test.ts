/** Who may come in: tokens by name, users, what `verify` says; how many; and what of it the service sees. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { userCommand } from '../../src/cli/user.ts';
import {
  connect,
  type Login,
  type Server,
  Service,
  type ServicePeer,
  serve,
} from '../../src/index.ts';
import {
  emptyList,
  parseList,
  userLogin,
  withoutUser,
  withUser,
} from '../../src/security/users.ts';
import { NearSession } from '../../src/session/near-session.ts';
import { parseEndpoint } from '../../src/transport/endpoint.ts';
import { openTransport } from '../../src/transport/open.ts';
import { elsewhere, startAgent } from '../kit/agent.ts';
import {
  authority,
  agent as certificate,
  client as clientCertificate,
} from '../kit/certificates.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/login', { limit: 30_000 });
const REFUSED = { code: 'ERR_ELSEWHERE_AUTH' };

class Who extends Service {
  static override exposed = ['ami'] as const;
  #peer: ServicePeer | undefined;
  override onConnect(peer: ServicePeer): void {
    this.#peer = peer;
  }
  ami(): unknown {
    const { by, name, certificate, granted } = this.#peer?.login?.credentials ?? {};
    return { by, name, subject: certificate?.subject, granted };
  }
}

const named = (url: string, user: string, password: string): string =>
  url.replace('//', `//${user}@`).replace(/#.*/, `#${encodeURIComponent(password)}`);

async function ask(url: string, options?: Parameters<typeof connect>[1]): Promise<unknown> {
  const conn = await connect<Who>(url, options);
  try {
    return await conn.root.ami();
  } finally {
    await conn.close();
  }
}

test('tokens with names, and the agent\u2019s own', async () => {
  const tokens = { laptop: 'a token of the laptop', ci: 'a token of the builds' };
  await using server = await serve({ service: Who, auth: { tokens } });
  const who = { by: 'token', name: undefined, subject: undefined, granted: undefined };
  assert.deepEqual(await ask(server.url), who);
  for (const [name, token] of Object.entries(tokens))
    assert.deepEqual(await ask(server.url, { token }), { ...who, name });
  await assert.rejects(ask(server.url, { token: 'a token of nobody at all' }), REFUSED);
  await assert.rejects(serve({ auth: { tokens: { short: 'x' } } }), {
    code: 'ERR_ELSEWHERE_ARGUMENT',
  });
});

test('users by name and password, over each kind of link, blocking ones too', async () => {
  for (const listen of ['ws://127.0.0.1:0', 'tcp://127.0.0.1:0']) {
    await using server = await serve({
      listen,
      service: Who,
      auth: { users: { ada: 'swordfish', bob: 'password1' } },
    });
    const conn = await connect<Who>(named(server.url, 'ada', 'swordfish'));
    assert.deepEqual(await conn.root.ami(), {
      by: 'user',
      name: 'ada',
      subject: undefined,
      granted: undefined,
    });
    assert.equal(server.connections[0]?.login.credentials.name, 'ada');
    await conn.close();
    for (const [user, password] of [
      ['ada', 'password1'],
      ['ada', ''.padEnd(9, 'x')],
      ['eve', 'swordfish'],
      ['constructor', 'swordfish'],
    ] as const)
      await assert.rejects(ask(server.url, { user, token: password }), {
        ...REFUSED,
        message: /wrong name or password/,
      });
    await assert.rejects(ask(server.url, { token: 'swordfish' }), REFUSED);
  }
});

test('who guesses a password has ten tries in a minute; others are let in', async () => {
  await using server = await serve({
    listen: 'ws://127.0.0.1:0',
    service: Who,
    jsonRpc: true,
    auth: { users: { ada: 'swordfish', bob: 'password1' } },
  });
  const guess = () => ask(server.url, { user: 'ada', token: 'password1' });
  await Promise.all(
    Array.from({ length: 10 }, () => assert.rejects(guess(), /wrong name or password/)),
  );
  const tooMany = { code: 'ERR_ELSEWHERE_LIMIT', message: /too many wrong passwords/ };
  await assert.rejects(guess(), tooMany);
  await assert.rejects(ask(server.url, { user: 'ada', token: 'swordfish' }), tooMany);
  assert.equal(await post(server.url, 'ada:swordfish'), 401);
  assert.equal(await post(server.url, 'bob:password1'), 200);
  await (await connect(named(server.url, 'bob', 'password1'))).close();
});

async function post(url: string, login: string): Promise<number> {
  const { status } = await fetch(new URL('/', url.replace('ws:', 'http:').replace(/#.*/, '')), {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(login).toString('base64')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ami' }),
  });
  return status;
}

test('a list made by the command, read again at each login', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'elsewhere-users-'));
  const file = join(folder, 'users');
  const added = await elsewhere(['user', 'add', file, 'ada'], { input: 'swordfish\n' });
  assert.equal(added.code, 0, added.stderr);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.doesNotMatch(readFileSync(file, 'utf8'), /swordfish/);
  const agent = await startAgent({ args: ['--users', file] });
  const conn = await connect(named(agent.url, 'ada', 'swordfish'));
  // The second link is the same user's.
  assert.equal(conn.sync.global.process.pid, agent.process.pid);
  const list = withUser(parseList(readFileSync(file, 'utf8'), file), 'bob', 'password1');
  writeFileSync(file, JSON.stringify(list));
  await (await connect(named(agent.url, 'bob', 'password1'))).close();
  const context = { patches: [], register: '' };
  assert.equal(await userCommand.run(['remove', file, 'bob'], context), 0);
  await assert.rejects(connect(named(agent.url, 'bob', 'password1')), REFUSED);
  await assert.rejects(userCommand.run(['frob', file, 'x'], context), /cannot "frob"/);
  await conn.close();
  await agent.stop();
  rmSync(folder, { recursive: true });
});

test('names, passwords and lists that cannot be', () => {
  const list = withUser(emptyList(), 'ada', 'swordfish');
  for (const [work, said] of [
    [() => withUser(list, '../x', 'swordfish'), /no name for a user/],
    [() => withUser(list, '__proto__', 'swordfish'), /no name for a user/],
    [() => withUser(list, 'bob', 'short'), /shorter than 8/],
    [() => parseList('{"users":{"ada":1}}', 'FILE'), /FILE is no list of users/],
  ] as const)
    assert.throws(work, { code: 'ERR_ELSEWHERE_ARGUMENT', message: said });
  assert.deepEqual(withoutUser(list, 'ada').users, {});
});

test('a session belongs to who began it', async () => {
  await using server = await serve({ auth: { users: { ada: 'swordfish', bob: 'password1' } } });
  const ada = await connect(named(server.url, 'ada', 'swordfish'));
  const thief = new NearSession({
    key: userLogin('bob', 'password1'),
    dial: (signal, timeout) =>
      openTransport(parseEndpoint(server.url, 'connect') as never, { signal, timeout }),
    dialBlocking: () => {
      throw new Error('not needed');
    },
    timeout: 5000,
    heartbeat: 0,
    grace: 0,
  });
  Object.defineProperty(thief, 'id', { value: ada.id });
  await assert.rejects(thief.connect(), { ...REFUSED, message: /belongs to somebody else/ });
  assert.ok((await ada.ping()) >= 0);
  await ada.close();
});

test('verify has the last word, and what it grants the service sees', async () => {
  const seen: Login[] = [];
  const refused: string[] = [];
  const verify = async (login: Login): Promise<unknown> => {
    seen.push(login);
    if (login.credentials.name === 'bob') throw new Error('bob is on holiday');
    return login.credentials.name === 'eve' ? false : { role: 'admin' };
  };
  const users = { ada: 'swordfish', bob: 'swordfish', eve: 'swordfish' };
  await using server = await serve({ service: Who, auth: { users, verify } });
  server.on('refused', (_remote, error) => refused.push(String((error.cause as Error).message)));
  assert.deepEqual(await ask(named(server.url, 'ada', 'swordfish')), {
    by: 'user',
    name: 'ada',
    subject: undefined,
    granted: { role: 'admin' },
  });
  for (const user of ['bob', 'eve'])
    await assert.rejects(ask(named(server.url, user, 'swordfish')), {
      ...REFUSED,
      message: /the agent does not let this client in/,
    });
  assert.deepEqual(refused, ['bob is on holiday', 'refused']);
  assert.equal(seen[0]?.peer?.pid, process.pid);
  assert.match(seen[0]?.remote ?? '', /^127\.0\.0\.1:\d+$/);
});

test('mTLS: the service sees whose certificate it was', async () => {
  await using server = await serve({
    listen: 'wss://127.0.0.1:0',
    service: Who,
    tls: { ...certificate, ca: authority },
  });
  const found = (await ask(server.url, { tls: { ca: authority, ...clientCertificate } })) as {
    subject: string;
  };
  assert.match(found.subject, /\w/);
});

test('maxConnections: one too many is told so; a place that is free again is taken', async () => {
  await using server = await serve({ service: Who, maxConnections: 2 });
  const [one, two] = [await connect(server.url), await connect(server.url)];
  await assert.rejects(connect(server.url), {
    code: 'ERR_ELSEWHERE_LIMIT',
    message: /2 clients at once/,
  });
  await one.close();
  await waitFor(server, 1);
  const three = await connect(server.url);
  // Blocking links are not counted.
  await Promise.all([two.close(), three.close()]);
});

test('once: others are refused, and the server closes with its client', async () => {
  const server = await serve({ service: Who, once: true });
  const conn = await connect(server.url);
  await assert.rejects(connect(server.url), { code: 'ERR_ELSEWHERE_LIMIT' });
  await conn.close();
  await server.closed;
  await assert.rejects(connect(server.url), { code: 'ERR_ELSEWHERE_CONNECT' });
});

async function waitFor(server: Server, clients: number): Promise<void> {
  while (server.connections.length !== clients)
    await new Promise((resolve) => setTimeout(resolve, 5));
}

test.run();
