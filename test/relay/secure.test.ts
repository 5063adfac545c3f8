// relays: URLs: agent and client dial a relay by TLS, and believe only its own certificate.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect, type Relay, serve, serveRelay, withRemote } from '../../src/index.ts';
import { cliFile, elsewhere, startAgent } from '../kit/agent.ts';
import { agent, authority, certificateFiles, client, tlsArguments } from '../kit/certificates.ts';
import { suite } from '../kit/suite.ts';
import { startEcho } from '../proxy/stage.ts';

const test = suite('relay/secure', { limit: 30_000 });
const tls = { ca: authority };
let relay: Relay;

test.before(async () => {
  relay = await serveRelay({ listen: 'relays://127.0.0.1:0', tls: agent });
});
test.after(() => relay.close());

test('files and sockets of an agent behind it', async () => {
  assert.match(relay.url, /^relays:\/\/127\.0\.0\.1:\d+\/#[\w-]+$/);
  const far = await serve({ relay: { url: relay.url, name: 'behind', tls } });
  assert.match(far.url, /^relays:\/\/127\.0\.0\.1:\d+\/behind#[\w-]+&[\w-]+$/);
  const echo = await startEcho();
  const conn = await connect(far.url, { tls });
  await withRemote(conn, { stdio: 'local' }, async () => {
    assert.ok((await fs.promises.readdir('/')).length > 0);
    const socket = net.connect({ port: echo.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.end('x'.repeat(500_000));
    assert.equal((await text(socket)).length, 500_000);
  });
  await conn.close();
  await far.close();
  echo.server.close();
});

test('neither side believes a certificate that nobody it trusts has signed', async () => {
  const far = await serve({ relay: { url: relay.url, name: 'trusting', tls } });
  await assert.rejects(connect(far.url), { code: 'ERR_ELSEWHERE_CONNECT', message: /certificate/ });
  await assert.rejects(serve({ relay: { url: relay.url, name: 'distrustful' } }), {
    code: 'ERR_ELSEWHERE_CONNECT',
    message: /certificate/,
  });
  assert.deepEqual(relay.names, ['trusting']);
  await far.close();
});

test('relay: where it is relays:, and the other way round, is told, on both sides', async () => {
  const plain = await serveRelay({ listen: 'relay://127.0.0.1:0' });
  const asPlain = relay.url.replace('relays:', 'relay:');
  const asSecure = plain.url.replace('relay:', 'relays:');
  const agentUrl = (url: string): string => url.replace('/#', '/x#token-of-an-agent&');
  const saysNothing = { code: 'ERR_ELSEWHERE_CONNECT', message: /begins with relays:, not relay:/ };
  const noTls = { code: 'ERR_ELSEWHERE_CONNECT', message: /does not speak TLS/ };
  await Promise.all([
    assert.rejects(serve({ relay: { url: asPlain, name: 'x' } }), saysNothing),
    assert.rejects(connect(agentUrl(asPlain)), saysNothing),
    assert.rejects(serve({ relay: { url: asSecure, name: 'x', tls } }), noTls),
    assert.rejects(connect(agentUrl(asSecure), { tls }), noTls),
  ]);
  await plain.close();
});

test('a relay without a certificate does not start', async () => {
  await assert.rejects(serveRelay({ listen: 'relays://127.0.0.1:0' }), /certificate/);
});

test('a relay may ask both for certificates of their own', async () => {
  const strict = await serveRelay({
    listen: 'relays://127.0.0.1:0',
    tls: { ...agent, ca: authority },
  });
  const known = { ...tls, ...client };
  await assert.rejects(serve({ relay: { url: strict.url, name: 'nobody', tls } }), {
    code: 'ERR_ELSEWHERE_CONNECT',
    message: /certificate required/,
  });
  const far = await serve({ relay: { url: strict.url, name: 'known', tls: known } });
  await assert.rejects(connect(far.url, { tls }), /certificate required/);
  const conn = await connect(far.url, { tls: known });
  assert.equal(conn.peer.pid, process.pid);
  await conn.close();
  await far.close();
  await strict.close();
});

test('blocking calls, and all by the command line, with an authority of one’s own in NODE_EXTRA_CA_CERTS', async () => {
  const { ca } = certificateFiles();
  const listen = ['relay', '--listen', 'relays://127.0.0.1:0', ...tlsArguments()];
  const command = spawn(process.execPath, [cliFile, ...listen], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(command.stdout.setEncoding('utf8'), 'data')) as [string];
  const far = await startAgent({
    prefix: ['env', `NODE_EXTRA_CA_CERTS=${ca}`],
    args: ['--relay', line.trim(), '--name', 'behind'],
  });
  fs.writeFileSync(join(far.folder, 'there.txt'), 'over there');
  const program = `console.log(require('fs').readFileSync('there.txt', 'utf8'))`;
  const run = ['run', '--on', far.url, '--', process.execPath, '-e', program];
  const trusting = await elsewhere(run, { env: { NODE_EXTRA_CA_CERTS: ca } });
  assert.deepEqual([trusting.stdout, trusting.code], ['over there\n', 0], trusting.stderr);
  const other = await elsewhere(['ping', far.url, '--count', '1']);
  assert.equal(other.code, 69, other.stderr);
  await far.stop();
  command.kill();
  await once(command, 'exit');
});

test.run();
