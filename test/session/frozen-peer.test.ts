// A process that is stopped keeps its sockets whole: only a heartbeat notices. Both sides have one.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, serve, withRemote } from '../../src/index.ts';
import { startAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('session/frozen-peer', { limit: 30_000, fileLimit: 120_000 });

for (const listen of ['ws://127.0.0.1:0', 'tcp://127.0.0.1:0', `unix:/tmp/frozen-${process.pid}`]) {
  test(`an agent that is frozen is noticed within three intervals, and goes on when it thaws: ${listen.split(':')[0]}`, async () => {
    const agent = await startAgent({ listen });
    const conn = await connect(agent.url, { heartbeat: 300 });
    const down = new Promise<Error>((resolve) => conn.on('down', resolve));
    const answer = conn.eval('new Promise((resolve) => setTimeout(resolve, 1500, 42))');
    await conn.ping();
    const frozen = performance.now();
    agent.process.kill('SIGSTOP');
    const error = await down;
    const took = performance.now() - frozen;
    assert.ok(took > 500 && took < 900 + 3000, `${took} ms`);
    assert.match(error.message, /not even an answer to a heartbeat/);
    const up = new Promise((resolve) => conn.on('up', resolve));
    agent.process.kill('SIGCONT');
    await up;
    assert.equal(await answer, 42);
    await conn.close();
    await agent.stop();
  });
}

test('an agent of this machine whose thread is busy for many intervals is not taken for a frozen one', async ({
  skip,
}) => {
  if (process.platform !== 'linux') skip('only Linux tells what a process does');
  const agent = await startAgent({ listen: 'tcp://127.0.0.1:0' });
  const conn = await connect(agent.url, { heartbeat: 600, grace: 1 });
  conn.on('down', (error) => assert.fail(error));
  const busy = 'for (const until = performance.now() + 4000; performance.now() < until;); 42';
  assert.equal(await conn.eval(`eval(${JSON.stringify(busy)})`), 42);
  assert.equal(conn.state, 'up');
  await conn.close();
  await agent.stop();
});

/** A client in a process of its own, which tells when it is connected. */
async function startClient(url: string, body: string): Promise<ReturnType<typeof spawn>> {
  const index = new URL('../../src/index.js', import.meta.url).href;
  const source = `
    import fs from 'node:fs';
    import { connect, withRemote } from ${JSON.stringify(index)};
    const conn = await connect(${JSON.stringify(url)}, { heartbeat: 0 });
    console.log('connected');
    ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

test('a client that is frozen is noticed by the agent, and what it held is given back after its grace', async () => {
  await using server = await serve({ listen: 'tcp://127.0.0.1:0', heartbeat: 200, grace: 200 });
  const client = await startClient(server.url, '');
  assert.equal(server.connections.length, 1);
  const gone = new Promise((resolve) => server.on('disconnect', resolve));
  // As long as it is alive, it answers.
  await sleep(1000);
  assert.equal(server.connections.length, 1);
  const frozen = performance.now();
  client.kill('SIGSTOP');
  await gone;
  const took = performance.now() - frozen;
  assert.ok(took > 500 && took < 800 + 3000, `${took} ms`);
  client.kill('SIGKILL');
});

test('a client whose thread is busy for many intervals keeps its links, and nothing happens', async () => {
  await using server = await serve({ listen: 'tcp://127.0.0.1:0', heartbeat: 50, grace: 60_000 });
  const client = await startClient(
    server.url,
    `conn.on('down', () => console.log('down'));
     for (const until = performance.now() + 1500; performance.now() < until;);
     console.log(await conn.eval('6 * 7'), conn.state);
     await conn.close();`,
  );
  let said = '';
  client.stdout?.on('data', (chunk) => (said += chunk));
  await once(client, 'close');
  assert.equal(said, '42 up\n');
});

test('a client that speaks again within its grace has lost nothing; its grace begins anew with the next silence', async () => {
  await using server = await serve({ listen: 'tcp://127.0.0.1:0', heartbeat: 50, grace: 1200 });
  const busy = 'for (const until = performance.now() + 900; performance.now() < until;);';
  const client = await startClient(
    server.url,
    `for (let i = 0; i < 3; i++) { ${busy} await conn.ping(); }
     console.log(conn.state);
     await conn.close();`,
  );
  let said = '';
  client.stdout?.on('data', (chunk) => (said += chunk));
  await once(client, 'close');
  assert.equal(said, 'up\n');
});

test('a client of this machine that was killed is not waited for', async () => {
  await using server = await serve({ listen: 'tcp://127.0.0.1:0', grace: 60_000 });
  const client = await startClient(server.url, '');
  assert.equal(server.connections.length, 1);
  const gone = new Promise((resolve) => server.on('disconnect', resolve));
  const killed = performance.now();
  client.kill('SIGKILL');
  await gone;
  assert.ok(performance.now() - killed < 5000);
});

test('a client that is blocked in a call is alive, however long the call takes', async () => {
  await using server = await serve({ listen: 'tcp://127.0.0.1:0', heartbeat: 100, grace: 0 });
  const client = await startClient(
    server.url,
    `conn.channel.requestSync('classic.eval', [[null, 'new Promise((resolve) => setTimeout(resolve, 1500))']]);
     console.log(conn.state);
     await conn.close();`,
  );
  let said = '';
  client.stdout?.on('data', (chunk) => (said += chunk));
  await once(client, 'close');
  assert.equal(said, 'up\n');
});

test('an event loop of ours that is busy is no silence of the agent', async () => {
  const agent = await startAgent({ listen: 'tcp://127.0.0.1:0' });
  const conn = await connect(agent.url, { heartbeat: 100 });
  conn.on('down', (error) => assert.fail(error));
  for (let i = 0; i < 3; i++) {
    const until = performance.now() + 800;
    while (performance.now() < until);
    await sleep(1);
  }
  fs.writeFileSync(join(agent.folder, 'file'), 'text');
  for (const until = performance.now() + 800; performance.now() < until; )
    withRemote(conn, { except: ['stdio'] }, () => fs.readFileSync('file', 'utf8'));
  await conn.ping();
  await sleep(200);
  assert.equal(conn.state, 'up');
  await conn.close();
  await agent.stop();
});

test.run();
