// Whole programs, run here and through `elsewhere run`: sockets keep a process alive exactly as long as they do here.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ended, elsewhere, runProgram, startAgent, type TestAgent } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/net programs', { limit: 60_000 });
/** Long enough that a program which nothing keeps alive is gone before. */
const LATER = 1000;

const folder = mkdtempSync(join(tmpdir(), 'elsewhere-programs-'));
const file = join(folder, 'program.cjs');
let agent: TestAgent;
let server: net.Server;
let web: http.Server;

test.before(async () => {
  agent = await startAgent({ listen: `unix:${folder}/agent.sock` });
  // Answers late.
  server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const timer = setTimeout(() => socket.end('late'), LATER);
    socket.on('error', () => undefined).on('close', () => clearTimeout(timer));
    socket.resume().on('end', () => setTimeout(() => socket.end(), 50));
  });
  web = http.createServer({ keepAliveTimeout: 60_000 }, (_request, response) =>
    response.end('page'),
  );
  for (const each of [server, web]) await once(each.listen(0, '127.0.0.1'), 'listening');
});
test.after(async () => {
  server.close();
  web.close();
  web.closeAllConnections();
  await agent.stop();
  rmSync(folder, { recursive: true });
});

const port = (of: net.Server): number => (of.address() as AddressInfo).port;

async function bothWays(source: string): Promise<{ local: Ended; remote: Ended }> {
  writeFileSync(
    file,
    `const net = require('net'), http = require('http'), dns = require('dns');
     const [late, page] = process.argv.slice(2).map(Number);
     const log = (...words) => process._rawDebug(...words);
     setTimeout(() => { log('hangs'); process.exit(9); }, ${LATER * 5}).unref();
     process.on('exit', (code) => log('exit', code));
     const dial = (then) => net.connect(late, '127.0.0.1', then).on('data', (d) => { log('data', String(d)); process.exit(7); })
       .on('end', () => log('end')).on('close', () => log('close'));
     ${source}`,
  );
  const args = [file, `${port(server)}`, `${port(web)}`];
  const [local, remote] = await Promise.all([
    runProgram(process.execPath, args),
    elsewhere(['run', '--on', agent.url, '--', process.execPath, ...args]),
  ]);
  return { local, remote };
}

/** Without the frames of stacks: they show which code is at work. */
const told = ({ stderr }: Ended): string => stderr.replace(/^ {4}at .*\n/gm, '');

const programs: Record<string, string> = {
  'a socket that reads': `dial(() => log('connect'));`,
  'a socket that was let go before': `dial(() => log('connect')).unref();`,
  'a socket that was let go with a write under way': `const s = dial(() => { s.unref(); s.write('x'.repeat(4e6), () => log('written')); });`,
  'a socket that was let go and taken back': `const s = dial(() => { s.unref(); s.ref(); });`,
  'a socket that does not read': `net.connect(late, '127.0.0.1', () => log('connect'));`,
  'a socket that is paused': `const s = dial(() => { log('connect'); s.pause(); });`,
  'a socket that has ended its half': `const s = dial(() => s.end('bye', () => log('sent')));`,
  'a socket with a time limit, let go': `const s = dial(() => s.unref()); s.setTimeout(${LATER / 2}, () => log('timeout'));`,
  'a server that was let go': `const s = net.createServer().listen(0, '127.0.0.1', () => { log('listening'); s.unref(); });`,
  'a server that was let go, with a socket': `const s = net.createServer((peer) => peer.on('data', () => peer.end('bye'))).unref().listen(0, '127.0.0.1', () =>
     net.connect(s.address().port, '127.0.0.1', function () { this.write('x'); }).on('data', (d) => log(String(d))).on('close', () => log('close')));`,
  'an exit in the middle of a write': `const s = dial(() => { s.write('x'.repeat(1e6)); process.exit(3); });`,
  'an http agent that keeps its sockets': `const agent = new http.Agent({ keepAlive: true });
     http.get({ port: page, host: '127.0.0.1', agent }, (r) => r.resume().on('end', () => log('end')));`,
  fetch: `fetch('http://127.0.0.1:' + page).then((r) => r.text()).then((text) => log(text));`,
  'a look-up': `dns.lookup('localhost', (error, address) => log(error ?? 'found'));`,
  'an error that nobody handles': `net.connect(1, '127.0.0.1');`,
};
for (const [name, source] of Object.entries(programs)) {
  test(`ends when it does here: ${name}`, async () => {
    const { local, remote } = await bothWays(source);
    assert.ok(local.stderr.includes('exit'), local.stderr);
    assert.deepEqual([told(remote), remote.code], [told(local), local.code]);
  });
}

test('a program that puts its own connect over ours, or over Node’s, sees its own connections only', async () => {
  const { local, remote } = await bothWays(
    `const { connect } = net.Socket.prototype;
     net.Socket.prototype.connect = function (...args) { log('dials'); return connect.apply(this, args); };
     const s = net.connect(late, '127.0.0.1', () => s.destroy());`,
  );
  assert.equal(local.stderr, 'dials\nexit 0\n');
  assert.equal(remote.stderr, local.stderr);
});

test('a program under --no-deprecation runs, and its flag stays', async () => {
  const args = ['--no-deprecation', '-p', 'process.noDeprecation'];
  const ended = await elsewhere(['run', '--on', agent.url, '--', process.execPath, ...args]);
  assert.deepEqual([ended.stdout, ended.code], ['true\n', 0], ended.stderr);
});

test.run();
