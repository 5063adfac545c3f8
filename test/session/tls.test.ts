// Who is believed, and who is not, over tls: and wss:.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { connect, type ServeOptions, type Server, serve } from '../../src/index.ts';
import { connectBlocking } from '../../src/service/connect.ts';
import { repository, startAgent } from '../kit/agent.ts';
import * as certificates from '../kit/certificates.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/tls', { limit: 20_000 });
const { agent, authority, client, stranger } = certificates;
const pinOf = ({ cert }: certificates.Certificate): string =>
  new X509Certificate(cert).fingerprint256;

async function serving(
  options: ServeOptions,
  play: (server: Server, refusals: string[]) => Promise<void>,
): Promise<void> {
  const server = await serve(options);
  const refusals: string[] = [];
  server.on('refused', (_remote, error) => refusals.push(error.message));
  try {
    await play(server, refusals);
  } finally {
    await server.close();
  }
}

for (const scheme of ['tls', 'wss'] as const) {
  const listen = `${scheme}://127.0.0.1:0`;

  test(`${scheme}: with its authority the agent is believed, by address and by name`, () =>
    serving({ listen, tls: agent }, async ({ url }) => {
      for (const address of [url, url.replace('127.0.0.1', 'localhost')]) {
        const conn = await connect(address, { tls: { ca: authority } });
        assert.equal(await conn.eval('1 + 1'), 2);
        await conn.close();
      }
    }));

  test(`${scheme}: without it nothing is believed, and nothing is sent`, () =>
    serving({ listen, tls: agent }, async ({ url, connections }) => {
      await assert.rejects(connect(url), {
        code: 'ERR_ELSEWHERE_CONNECT',
        message: /not signed by an authority that this side trusts; give tls\.ca, or tls\.pin/,
      });
      assert.equal(connections.length, 0);
    }));

  test(`${scheme}: a certificate for another name is refused`, () =>
    serving({ listen, tls: stranger }, async ({ url }) => {
      const tls = { ca: stranger.cert };
      await assert.rejects(connect(url, { tls }), /certificate's altnames/);
      const conn = await connect(url, { tls: { ...tls, servername: 'elsewhere.invalid' } });
      await conn.close();
    }));

  test(`${scheme}: a pin believes this certificate and no other`, () =>
    serving({ listen, tls: stranger }, async ({ url }) => {
      for (const pin of [pinOf(stranger), pinOf(stranger).replaceAll(':', '').toLowerCase()]) {
        const conn = await connect(url, { tls: { pin } });
        assert.equal(await conn.eval('1 + 1'), 2);
        await conn.close();
      }
      await assert.rejects(connect(url, { tls: { pin: pinOf(agent) } }), {
        code: 'ERR_ELSEWHERE_AUTH',
        message: /not the pinned one/,
      });
      // That an authority has signed another one does not help.
      await assert.rejects(connect(url, { tls: { pin: pinOf(agent), ca: stranger.cert } }), {
        code: 'ERR_ELSEWHERE_AUTH',
      });
    }));

  test(`${scheme}: rejectUnauthorized: false believes anybody`, () =>
    serving({ listen, tls: stranger }, async ({ url }) => {
      await (await connect(url, { tls: { rejectUnauthorized: false } })).close();
    }));

  test(`${scheme}: an agent that asks for a certificate takes one of its authority only`, () =>
    serving({ listen, tls: { ...agent, ca: authority } }, async ({ url }, refusals) => {
      const conn = await connect(url, { tls: { ca: authority, ...client } });
      assert.equal(await conn.eval('1 + 1'), 2);
      await conn.close();
      for (const shown of [{}, stranger])
        await assert.rejects(connect(url, { tls: { ca: authority, ...shown } }), {
          code: 'ERR_ELSEWHERE_CONNECT',
        });
      assert.equal(refusals.length, 2);
      for (const refusal of refusals) assert.match(refusal, /certificate/);
    }));

  test(`${scheme}: who speaks no TLS is cut off, and the agent goes on`, () =>
    serving({ listen, tls: agent }, async ({ url }, refusals) => {
      const plain = connectSocket(Number(new URL(url).port), '127.0.0.1');
      plain.on('error', () => undefined).write('GET / HTTP/1.1\r\n\r\n');
      await new Promise((resolve) => plain.on('close', resolve));
      assert.equal(refusals.length, 1);
      await (await connect(url, { tls: { ca: authority } })).close();
    }));

  test(`${scheme}: a blocking first link verifies too`, async () => {
    const far = await startAgent({ listen, args: certificates.tlsArguments() });
    assert.throws(() => connectBlocking(far.url), { code: 'ERR_ELSEWHERE_CONNECT' });
    assert.throws(() => connectBlocking(far.url, { tls: { pin: pinOf(stranger) } }), {
      code: 'ERR_ELSEWHERE_AUTH',
    });
    const conn = connectBlocking(far.url.replace('127.0.0.1', 'localhost'), {
      tls: { ca: authority },
    });
    assert.equal(conn.peer.pid, far.process.pid);
    await conn.close();
    await far.stop();
  });

  test(`${scheme}: a plain agent behind the URL is told`, () =>
    serving({ listen: 'tcp://127.0.0.1:0' }, async ({ url }) => {
      await assert.rejects(connect(url.replace('tcp:', `${scheme}:`)), {
        code: 'ERR_ELSEWHERE_CONNECT',
      });
    }));
}

for (const scheme of ['tls', 'wss'] as const)
  test(`${scheme}: the token in place of certificates`, () =>
    serving(
      { listen: `${scheme}://127.0.0.1:0`, tls: { psk: true } },
      async ({ url }, refusals) => {
        const conn = await connect(url, { tls: { psk: true } });
        assert.equal(await conn.eval('1 + 1'), 2);
        await conn.close();
        await assert.rejects(connect(url, { token: 'some other token', tls: { psk: true } }), {
          code: 'ERR_ELSEWHERE_CONNECT',
          message: /both sides must know the same token/,
        });
        await assert.rejects(connect(url), { code: 'ERR_ELSEWHERE_CONNECT' });
        assert.equal(refusals.length, 2);
      },
    ));

test('tls: an agent of another process by its token, blocking calls too', async () => {
  const program = `
    const { serve } = await import(${JSON.stringify(join(repository, 'dist', 'index.js'))});
    const server = await serve({ listen: 'tls://127.0.0.1:0', tls: { psk: true } });
    console.log(server.url);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const conn = await connect(String(line).trim(), { tls: { psk: true } });
  assert.equal(conn.sync.global.process.pid, child.pid);
  await conn.close();
  child.kill();
});

test('what cannot be meant is refused at once', async () => {
  await assert.rejects(connect('ws://127.0.0.1:1/#token', { tls: { pin: pinOf(agent) } }), {
    code: 'ERR_ELSEWHERE_ARGUMENT',
    message: /tls options are for wss: and tls:/,
  });
  await assert.rejects(connect('wss://127.0.0.1:1/#token', { tls: { pin: 'abc' } }), {
    code: 'ERR_ELSEWHERE_ARGUMENT',
    message: /tls\.pin needs the SHA-256/,
  });
  await assert.rejects(serve({ listen: 'wss://127.0.0.1:0' }), {
    code: 'ERR_ELSEWHERE_ARGUMENT',
    message: /needs a certificate and its key/,
  });
  await assert.rejects(
    serve({ listen: 'tls://127.0.0.1:0', tls: { ...agent, requestCert: true } }),
    { code: 'ERR_ELSEWHERE_ARGUMENT', message: /which authority/ },
  );
});

test('beyond loopback only TLS is served, unless insecure is spelled out', async () => {
  await assert.rejects(serve({ listen: 'ws://0.0.0.0:0' }), { code: 'ERR_ELSEWHERE_DENIED' });
  // A name that begins like an address of loopback may lead anywhere.
  await assert.rejects(serve({ listen: 'ws://127.example:0' }), { code: 'ERR_ELSEWHERE_DENIED' });
  await (await serve({ listen: 'wss://0.0.0.0:0', tls: agent })).close();
  await (await serve({ listen: 'ws://0.0.0.0:0', insecure: true })).close();
});

test.run();
