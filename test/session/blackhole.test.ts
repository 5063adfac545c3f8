/**
 * A network that swallows everything and tells nobody: packets of the agent's port are dropped by the kernel, in a network
 * namespace of its own. Only a heartbeat notices, on either side.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { startAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/blackhole', { limit: 30_000 });
const space = `ewhole${process.pid}`;
const inside = ['ip', 'netns', 'exec', space] as const;

const run = (...[program = '', ...args]: readonly string[]): void =>
  void execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });

test.before(({ skip }) => {
  if (process.getuid?.() !== 0) skip('network namespaces need root');
  try {
    run('ip', 'netns', 'add', space);
    run('ip', '-n', space, 'link', 'set', 'lo', 'up');
    run(...inside, 'nft', 'add table inet hole');
  } catch (error) {
    const { stderr, message } = error as { stderr?: unknown; message: string };
    skip(`network namespaces with nftables are not to be had here: ${String(stderr ?? message)}`);
  }
});

test.after(() => {
  try {
    run('ip', 'netns', 'del', space);
  } catch {
    // It was never made.
  }
});

function swallow(port: string): void {
  run(...inside, 'nft', 'add chain inet hole in { type filter hook input priority 0; }');
  for (const end of ['sport', 'dport'])
    run(...inside, 'nft', `add rule inet hole in tcp ${end} ${port} drop`);
}

const restore = (): void => run(...inside, 'nft', 'flush table inet hole');

const index = new URL('../../src/index.js', import.meta.url).href;

/** A program in the namespace, and the lines that it prints. */
function program(source: string): { child: ChildProcess; line(): Promise<string> } {
  const [command, ...args] = [...inside, process.execPath, '--input-type=module', '-e', source];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return { child, line: async () => String((await lines.next()).value) };
}

const HEARTBEAT = 300;
/** Three intervals, and what a busy machine adds. */
const LIMIT = 3 * HEARTBEAT + 3000;

for (const scheme of ['ws', 'tcp']) {
  test(`a client notices within three intervals, and goes on when the network is back: ${scheme}`, async () => {
    const agent = await startAgent({ listen: `${scheme}://127.0.0.1:0`, prefix: inside });
    const client = program(`
      import { connect } from ${JSON.stringify(index)};
      const conn = await connect(${JSON.stringify(agent.url)}, { heartbeat: ${HEARTBEAT} });
      conn.on('down', (error) => console.log(error.message)).on('up', () => console.log('up'));
      const answer = conn.eval('new Promise((resolve) => setTimeout(resolve, 1500, 42))');
      await conn.ping();
      console.log('connected');
      console.log(await answer);
      await conn.close();`);
    assert.equal(await client.line(), 'connected');
    swallow(new URL(agent.url).port);
    const began = performance.now();
    assert.match(await client.line(), /not even an answer to a heartbeat/);
    const took = performance.now() - began;
    assert.ok(took < LIMIT, `${took} ms`);
    restore();
    assert.equal(await client.line(), 'up');
    assert.equal(await client.line(), '42');
    await once(client.child, 'exit');
    await agent.stop();
  });

  test(`an agent notices within three intervals: ${scheme}`, async () => {
    const agent = program(`
      import { serve } from ${JSON.stringify(index)};
      const server = await serve({ listen: '${scheme}://127.0.0.1:0', heartbeat: ${HEARTBEAT}, grace: 100 });
      server.on('disconnect', () => console.log('gone'));
      console.log(server.url);
      process.stdin.on('end', () => process.exit()).resume();`);
    const url = await agent.line();
    const client = program(`
      import { connect } from ${JSON.stringify(index)};
      await connect(${JSON.stringify(url)}, { heartbeat: 0 });
      console.log('connected');`);
    assert.equal(await client.line(), 'connected');
    swallow(new URL(url).port);
    const began = performance.now();
    assert.equal(await agent.line(), 'gone');
    const took = performance.now() - began;
    assert.ok(took > HEARTBEAT && took < LIMIT, `${took} ms`);
    client.child.kill('SIGKILL');
    agent.child.stdin?.end();
    await once(agent.child, 'exit');
    restore();
  });
}

test.run();
