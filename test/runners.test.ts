/**
 * captureStdio and redirectStdio inside the test runners that people use: they pass there, what they capture stays out of
 * the report, and the report is whole. Runners that are no dependency of ours are looked for in the folder that
 * ELSEWHERE_TEST_RUNNERS names (with a node_modules in it); .ci/run prepares one.
 */
import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repository, runProgram } from './kit/agent.ts';
import { suite, type TestContext } from './kit/suite.ts';

const test = suite('runners', { limit: 60_000, fileLimit: 180_000 });
const root = mkdtempSync(join(tmpdir(), 'elsewhere-runners-'));
const modules = join(root, 'node_modules');
const others = process.env['ELSEWHERE_TEST_RUNNERS'];

const BODY = `
import { strict as assert } from 'node:assert';
import { captureStdio, connectPair, redirectStdio } from 'elsewhere';
const pause = () => new Promise((resolve) => setTimeout(resolve, 5));
async function print(name) {
  console.log('hidden', name);
  await pause();
  process.stdout.write(name + '\\n');
  await pause();
  console.error('hidden %s', 'error');
  process.stderr.write('hidden');
  return name;
}
export const tests = {
  async 'captures do not mix'() {
    const [a, b] = await Promise.all(['a', 'b'].map((name) => captureStdio(() => print(name))));
    const stderr = 'hidden error\\nhidden';
    assert.deepEqual({ ...a }, { stdout: 'hidden a\\na\\n', stderr, value: 'a' });
    assert.deepEqual({ ...b }, { stdout: 'hidden b\\nb\\n', stderr, value: 'b' });
  },
  async 'output of the far side shows here'() {
    const { near } = await connectPair();
    const far = () => near.eval('console.log("hidden far")');
    assert.equal((await captureStdio(() => redirectStdio(near, far))).stdout, 'hidden far\\n');
    await near.close();
    process.stdout.write('visible\\n');
  },
};`;
const each = (name: string): string =>
  `for (const [name, body] of Object.entries(tests)) ${name}(name, body);\n`;

test.before(() => {
  mkdirSync(join(modules, 'elsewhere'), { recursive: true });
  // A copy: a link would lead runners into this repository, where they treat files as sources.
  for (const part of ['package.json', 'dist'])
    cpSync(join(repository, part), join(modules, 'elsewhere', part), { recursive: true });
  for (const name of ['ws', 'uvu'])
    symlinkSync(join(repository, 'node_modules', name), join(modules, name));
  writeFileSync(join(root, 'package.json'), '{ "private": true, "type": "module" }');
  writeFileSync(join(root, 'body.mjs'), BODY);
});
test.after(() => rmSync(root, { recursive: true }));

/** Runs a file with the tests; its whole output, which must be that of a good run. */
async function report(head: string, loop: string, ...command: string[]): Promise<string> {
  writeFileSync(join(root, 'it.test.mjs'), `${head}\nimport { tests } from './body.mjs';\n${loop}`);
  const { code, stdout, stderr } = await runProgram(process.execPath, command, {
    cwd: root,
    env: { NO_COLOR: '1', CI: '1' },
  });
  const output = `${stdout}${stderr}`;
  assert.equal(code, 0, output);
  assert.match(output, /visible/);
  assert.doesNotMatch(output, /hidden/);
  return output;
}

/** The program of a runner that is installed apart. */
function runner(context: TestContext, name: string, ...path: string[]): string {
  const folder = join(others ?? '', 'node_modules');
  if (others === undefined || !existsSync(join(folder, name)))
    context.skip(`${name} is not installed: ELSEWHERE_TEST_RUNNERS names no folder with it`);
  const link = join(modules, name);
  if (!existsSync(link)) symlinkSync(join(folder, name), link);
  return join(folder, name, ...path);
}

test('uvu', async () => {
  const loop = `${each('test')}test.run();`;
  const output = await report(`import { test } from 'uvu';`, loop, 'it.test.mjs');
  assert.match(output, /Passed: {4}2\n/);
});

test('node:test', async () => {
  const head = `import test from 'node:test';`;
  for (const command of [['--test', 'it.test.mjs'], ['it.test.mjs']])
    assert.match(await report(head, each('test'), ...command), /pass 2\n[\s\S]*fail 0\n/);
});

test('mocha', async (context) => {
  const mocha = runner(context, 'mocha', 'bin', 'mocha.js');
  assert.match(await report('', each('it'), mocha, 'it.test.mjs'), /✔ captures[\s\S]*2 passing/);
});

test('jest', async (context) => {
  const jest = runner(context, 'jest', 'bin', 'jest.js');
  const flags = ['--experimental-vm-modules', '--no-warnings'];
  const output = await report('', each('test'), ...flags, jest, '--testMatch', '**/it.test.mjs');
  assert.match(output, /Tests: {7}2 passed, 2 total/);
  assert.doesNotMatch(output, /Deprecat/);
});

test('vitest', async (context) => {
  const vitest = runner(context, 'vitest', 'vitest.mjs');
  const head = `import { test } from 'vitest';`;
  const output = await report(head, each('test'), vitest, 'run', 'it.test.mjs');
  assert.match(output, /Tests {2}2 passed/);
});

test.run();
