// Programs that use no scope must not notice that all is substituted.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repository } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('scope/bystander');
const index = pathToFileURL(join(repository, 'dist', 'index.js')).href;

/** Runs a module in which `install()` was called. */
function installed(code: string, before = ''): string {
  const source = `${before}; const { install } = await import(${JSON.stringify(index)}); install(); ${code}`;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--no-warnings', '--input-type=module', '-e', source],
    { encoding: 'utf8' },
  );
  assert.equal(status, 0, stderr);
  return stdout;
}

test('domain, which changes every emitter, is not loaded; nor are the prompt and the inspector', () => {
  const loaded = installed('console.log(process.moduleLoadList.join("\\n"))').split('\n');
  for (const name of ['domain', 'repl', 'inspector'])
    assert.ok(!loaded.includes(`NativeModule ${name}`), name);
});

test('a program may have no SharedArrayBuffer', () => {
  assert.equal(
    installed(
      'console.log((await import("node:fs")).existsSync("/"))',
      'delete globalThis.SharedArrayBuffer',
    ),
    'true\n',
  );
});

test('a program may take away how arrays are iterated', () => {
  const code = `
const [fs, os, { createServer }, { lookup }] = await Promise.all(
  ['fs', 'os', 'net', 'dns/promises'].map((name) => import(name)),
);
const { log } = console;
const uid = process.getuid?.();
delete Array.prototype[Symbol.iterator];
fs.realpathSync('/');
fs.readdirSync('/');
fs.writeFileSync('/dev/null', '');
fs.watch('/').close();
os.hostname();
process.kill(process.pid, 0);
process.cwd();
process.getuid?.();
process.setuid?.(uid);
process.umask();
process.hrtime();
const server = createServer().listen(0);
server.emit('any');
server.close();
log('done');
`;
  assert.equal(installed(code), 'done\n');
});

test('functions of process keep their marks and their text', () => {
  const code = `
import { Worker } from 'node:worker_threads';
const body = 'const { parentPort } = require("node:worker_threads");' +
  'import(' + JSON.stringify(${JSON.stringify(index)}) + ').then(({ install }) => { install();' +
  'parentPort.postMessage([process.chdir.disabled, process.chdir.name, process.cwd.toString().includes("Atomics")]); });';
new Worker(body, { eval: true, execArgv: [] }).once('message', (said) => console.log(JSON.stringify(said)));
`;
  assert.deepEqual(JSON.parse(installed(code)), [true, 'unavailableInWorker', true]);
});

test.run();
