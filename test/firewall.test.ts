/**
 * A firewall that is real: three network namespaces in a row, A – B – C, where A has no way to C. The agent is on B.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository, runProgram, startAgent, type TestAgent } from './kit/agent.ts';
import { Namespaces } from './kit/namespaces.ts';
import { suite } from './kit/suite.ts';

const test = suite('firewall', { limit: 30_000 });
const id = process.pid;
const spaces = new Namespaces('f');
const { A, B, C } = spaces;
let agent: TestAgent;

test.before(async ({ skip }) => {
  const refused = spaces.build();
  if (refused !== undefined) skip(refused);
  const servers = `
    require('node:http').createServer((q, r) => r.end('the page of C')).listen(8080, '10.77.2.3');
    require('node:net').createServer((s) => s.end('the line of C\\n')).listen(8081, '10.77.2.3', () => console.log('ready'));`;
  const onC = spawn('ip', ['netns', 'exec', C, process.execPath, '-e', servers], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  spaces.undo(() => onC.kill('SIGKILL'));
  await once(onC.stdout, 'data');
  // The agent listens on loopback only; a unix socket is reached from any network namespace of the machine.
  agent = await startAgent({
    listen: `unix:/tmp/elsewhere-firewall-${id}.sock`,
    prefix: ['ip', 'netns', 'exec', B],
  });
});

test.after(async () => {
  await agent?.stop();
  spaces.remove();
});

/** Runs a module on A. */
async function onA(source: string): Promise<string> {
  const file = join(repository, 'build', `firewall-${id}.mjs`);
  writeFileSync(file, source);
  const { stdout, stderr, code } = await runProgram('ip', [
    'netns',
    'exec',
    A,
    process.execPath,
    file,
    agent.url,
  ]);
  assert.equal(code, 0, stderr);
  return stdout;
}

test('inside the scope C answers; outside, in the same tick, it stays out of reach', async () => {
  const out = await onA(`
    import net from 'node:net';
    import { once } from 'node:events';
    import { connect, withRemote } from 'elsewhere';
    const page = async () => (await fetch('http://10.77.2.3:8080/')).text();
    const line = async () => String((await once(net.connect(8081, '10.77.2.3').setEncoding('utf8'), 'data'))[0]).trim();
    const tell = (p) => p.then((v) => v, (e) => (e.cause ?? e).code);
    const conn = await connect(process.argv[2]);
    const results = await Promise.all([tell(withRemote(conn, page)), tell(page()), tell(withRemote(conn, line)), tell(line())]);
    const again = [await tell(page()), await tell(withRemote(conn, page))];
    process.stdout.write(JSON.stringify([...results, ...again]));
    await conn.close();`);
  assert.deepEqual(JSON.parse(out), [
    'the page of C',
    'ENETUNREACH',
    'the line of C',
    'ENETUNREACH',
    'ENETUNREACH',
    'the page of C',
  ]);
});

test('the example shows it', async () => {
  const file = join(repository, 'build', 'examples', '02-through-a-firewall.js');
  const { stdout, code } = await runProgram('ip', [
    'netns',
    'exec',
    A,
    process.execPath,
    file,
    agent.url,
    'http://10.77.2.3:8080/',
    '8081',
  ]);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    'through the far side: the page of C\ndirectly:             failed (ENETUNREACH)\na line over a socket: the line of C\n',
  );
});

test.run();
