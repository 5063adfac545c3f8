// Rules for the network under `elsewhere run`.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { elsewhere, startAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('cli/run-network', { limit: 60_000, fileLimit: 120_000 });
const app = realpathSync(mkdtempSync(join(tmpdir(), 'elsewhere-network-')));
test.after(() => rmSync(app, { recursive: true }));

const run = (flags: readonly string[], program: readonly string[]) =>
  elsewhere(['run', ...flags, '--', process.execPath, ...program], { cwd: app });

test('--net-local, --net-deny, and ports on which the program or its children listen', async () => {
  // The agent lets nobody connect: what works was reached from here.
  const strict = await startAgent({
    args: ['--connect', '10.0.0.0/8', '--read', '/', '--spawn', '*'],
  });
  const outside = createServer((socket) => socket.on('error', () => undefined).end('x')).listen(
    0,
    '127.0.0.1',
  );
  await once(outside, 'listening');
  const { port } = outside.address() as AddressInfo;
  const child = join(app, 'child.cjs');
  writeFileSync(
    child,
    `const server = require('net').createServer((socket) => socket.end());
    server.listen(0, '127.0.0.1', () => process.send(server.address().port));
    process.on('disconnect', () => process.exit());`,
  );
  const program = `
    const net = require('net');
    const tell = (port) => new Promise((resolve) => net.connect(port, '127.0.0.1')
      .on('connect', () => resolve('reached')).on('error', (error) => resolve(error.code)));
    (async () => {
      const own = net.createServer((socket) => socket.end()).listen(0, '127.0.0.1');
      await new Promise((resolve) => own.on('listening', resolve));
      const child = require('child_process').fork(process.argv[1]);
      const childPort = await new Promise((resolve) => child.on('message', resolve));
      console.log([await tell(own.address().port), await tell(childPort), await tell(${port})].join());
      process.exit();
    })();`;
  const flags = ['--on', strict.url, '--except', 'server'];
  const seen = async (...more: string[]): Promise<string> => {
    const { stdout, stderr } = await run([...flags, ...more], ['-e', program, child]);
    return stdout.trim() || stderr;
  };
  assert.equal(await seen(), 'reached,reached,EACCES');
  assert.equal(await seen('--net-local', `127.0.0.1:${port}`), 'reached,reached,reached');
  assert.equal(await seen('--net-deny', 'localhost'), 'EACCES,EACCES,EACCES');
  const bad = await run([...flags, '--net-deny', 'a b'], ['-e', '0']);
  assert.equal(bad.code, 2);
  assert.match(bad.stderr, /"a b" is no rule for a place/);
  outside.close();
  await strict.stop();
});

test.run();
