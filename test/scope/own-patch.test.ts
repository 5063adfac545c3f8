/** `definePatch`: a module of the user's own becomes remote, with an agent of `elsewhere serve`. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, definePatch, uninstall, withRemote } from '../../src/index.ts';
import { cliFile, repository } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';
import { thermometer } from './fixtures/thermometer.ts';

const test = suite('scope/own-patch', { limit: 30_000 });

for (const args of [[], ['--isolate']])
  test(`a patch of one's own, brought to the agent by --import ${args}`, async () => {
    const file = new URL('./fixtures/thermometer.js', import.meta.url).href;
    const agent = spawn(process.execPath, ['--import', file, cliFile, 'serve', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        CELSIUS: '-40',
        ELSEWHERE_LIBRARY: join(repository, 'dist', 'index.js'),
      },
    });
    const [line] = (await once(agent.stdout, 'data')) as [Buffer];
    const conn = await connect(line.toString().trim());
    await withRemote(conn, async () => {
      assert.equal(thermometer.read(), -40);
      assert.equal(await thermometer.later(), -40);
      // Beside those of the package.
      assert.equal(readFileSync('/proc/self/stat', 'latin1').split(' ')[0], `${conn.peer.pid}`);
    });
    withRemote(conn, { except: ['thermometer'] }, () => assert.equal(thermometer.read(), 20));
    assert.equal(thermometer.read(), 20);
    await conn.close();
    agent.kill();
    await once(agent, 'exit');
  });

test('too late, taken, or no word', () => {
  for (const [name, message] of [
    ['mine', /before the first scope/],
    ['fs', /one of that name/],
    ['a b', /must be a word/],
  ] as const)
    assert.throws(() => definePatch({ name }), { code: 'ERR_ELSEWHERE_ARGUMENT', message });
  uninstall();
  definePatch({ name: 'mine' });
});

test.run();
