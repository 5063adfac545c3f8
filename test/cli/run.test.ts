import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { elsewhere, repository, startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('cli/run', { limit: 60_000, fileLimit: 240_000 });
let agent: TestAgent;
let app: string;

test.before(async () => {
  agent = await startAgent({ listen: 'ws://127.0.0.1:0' });
  app = realpathSync(mkdtempSync(join(tmpdir(), 'elsewhere app ')));
  mkdirSync(join(app, 'lib'));
  writeFileSync(join(app, 'package.json'), '{"name": "app"}');
  writeFileSync(
    join(app, 'lib', 'own.cjs'),
    'exports.own = require("node:path").basename(__dirname)',
  );
  writeFileSync(join(agent.folder, 'data.txt'), 'data of the far side');
});
test.after(async () => {
  rmSync(app, { recursive: true });
  await agent.stop();
});

/** Writes the program and runs it under `elsewhere run`. */
function program(
  name: string,
  source: string,
  options: { input?: string; args?: string[]; flags?: string[]; env?: NodeJS.ProcessEnv } = {},
) {
  writeFileSync(join(app, name), source);
  const { args = [], flags = [], ...rest } = options;
  return elsewhere(['run', '--on', agent.url, ...flags, '--', process.execPath, name, ...args], {
    cwd: app,
    ...rest,
  });
}

test('CommonJS: own modules from here, data from there; exit code and stdin pass through', async () => {
  const ended = await program(
    'main.cjs',
    `const fs = require('fs');
     const { own } = require('./lib/own.cjs');
     console.log(own, fs.readFileSync('data.txt', 'utf8'), process.argv.slice(2).join());
     process.stdin.on('data', (d) => console.log('stdin', String(d).trim())).on('end', () => {
       setTimeout(() => { require('./lib/own.cjs'); console.error('to stderr'); process.exit(23); }, 5);
     });`,
    { input: 'hello\n', args: ['--on', 'x y'] },
  );
  assert.deepEqual(ended, {
    code: 23,
    signal: null,
    stdout: 'lib data of the far side --on,x y\nstdin hello\n',
    stderr: 'to stderr\n',
  });
});

test('ES modules, fs/promises, fetch, http.get', async () => {
  const server = createServer((request, response) => response.end(request.url)).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ended = await program(
    'main.mjs',
    `import { readFileSync } from 'node:fs';
     import { readFile, writeFile } from 'node:fs/promises';
     import http from 'node:http';
     import own from './lib/own.cjs';
     await writeFile('written.txt', 'by the program');
     console.log(own.own, readFileSync('data.txt', 'utf8'), await readFile('written.txt', 'utf8'));
     console.log(await (await fetch('http://127.0.0.1:${port}/fetched')).text());
     http.get('http://127.0.0.1:${port}/got', (r) => r.setEncoding('utf8').on('data', (t) => console.log(t)));`,
  );
  server.close();
  assert.deepEqual(ended, {
    code: 0,
    signal: null,
    stdout: 'lib data of the far side by the program\n/fetched\n/got\n',
    stderr: '',
  });
});

test('node_modules that it is loaded from are here, those of a far project there', async () => {
  const near = join(app, 'node_modules', 'near');
  const project = join(agent.folder, 'node_modules', 'far');
  for (const [folder, text] of [
    [near, 'near'],
    [project, 'far'],
  ] as const) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'data.txt'), text);
  }
  writeFileSync(
    join(near, 'index.js'),
    'exports.text = require("fs").readFileSync(__dirname + "/data.txt", "utf8")',
  );
  const ended = await program(
    'modules.cjs',
    `console.log(require('near').text, require('fs').readFileSync('node_modules/far/data.txt', 'utf8'))`,
  );
  assert.equal(ended.stdout, 'near far\n', ended.stderr);
});

test('TypeScript through tsx', async () => {
  writeFileSync(
    join(app, 'main.ts'),
    `import { readFileSync } from 'node:fs';\nconst text: string = readFileSync('data.txt', 'utf8');\nconsole.log(text);\n`,
  );
  const tsx = join(repository, 'node_modules', 'tsx', 'dist', 'cli.mjs');
  const ended = await elsewhere(
    ['run', '--on', agent.url, '--', process.execPath, tsx, join(app, 'main.ts')],
    { cwd: app },
  );
  assert.deepEqual([ended.stdout, ended.code], ['data of the far side\n', 0], ended.stderr);
});

test('children that are node programs follow', async () => {
  const ended = await program(
    'parent.cjs',
    `const { execFileSync, fork } = require('child_process');
     const script = 'console.log(require("fs").readFileSync("data.txt", "utf8"))';
     process.stdout.write(execFileSync(process.execPath, ['-e', script]));
     if (process.argv[2] === undefined) fork(__filename, ['again']);`,
  );
  assert.equal(ended.stdout, 'data of the far side\n'.repeat(2), ended.stderr);
});

test('a program that comes by standard input', async () => {
  const source = 'console.log(require("fs").readFileSync("data.txt", "utf8"), process.argv.length)';
  for (const args of [[], ['-'], ['-', 'given']]) {
    const ended = await elsewhere(['run', '--on', agent.url, '--', process.execPath, ...args], {
      cwd: app,
      input: source,
    });
    const expected = `data of the far side ${args.length + 1}\n`;
    assert.deepEqual([ended.stdout, ended.code], [expected, 0], ended.stderr);
  }
});

test('an uncaught error and a signal end it as they end any program', async () => {
  const thrown = await program('throws.cjs', 'throw new Error("mine")');
  assert.equal(thrown.code, 1);
  assert.match(thrown.stderr, /Error: mine/);
  const missing = await program('missing.cjs', 'require("fs").readFileSync("nowhere.txt")');
  assert.match(missing.stderr, /ENOENT: no such file or directory, open 'nowhere.txt'/);
  writeFileSync(join(app, 'waits.cjs'), 'console.log("ready"); setInterval(() => {}, 1000)');
  const killed = await elsewhere(['run', '--on', agent.url, '--', process.execPath, 'waits.cjs'], {
    cwd: app,
    onStart: (child) => child.stdout?.once('data', () => child.kill('SIGTERM')),
  });
  assert.deepEqual([killed.code, killed.signal], [null, 'SIGTERM']);
  writeFileSync(
    join(app, 'handles.cjs'),
    'process.on("SIGTERM", () => process.exit(5)); console.log("ready"); setInterval(() => {}, 1000)',
  );
  const handled = await elsewhere(
    ['run', '--on', agent.url, '--', process.execPath, 'handles.cjs'],
    {
      cwd: app,
      onStart: (child) => child.stdout?.once('data', () => child.kill('SIGTERM')),
    },
  );
  assert.equal(handled.code, 5);
});

test('options: except, deny, map, local, cwd', async () => {
  const source =
    'try { console.log(require("fs").readFileSync(process.argv[2], "utf8")) } catch (e) { console.log(e.code) }';
  const read = async (path: string, flags: string[]): Promise<string> =>
    (await program('read.cjs', source, { args: [path], flags })).stdout.trim();
  mkdirSync(join(agent.folder, 'sub'), { recursive: true });
  writeFileSync(join(agent.folder, 'sub', 'inner.txt'), 'inner');
  assert.equal(await read('inner.txt', ['--cwd', join(agent.folder, 'sub')]), 'inner');
  assert.equal(await read('data.txt', ['--deny', '**/data.txt']), 'EACCES');
  assert.equal(
    await read('/there/data.txt', ['--map', `/there=${agent.folder}`]),
    'data of the far side',
  );
  assert.equal(await read('data.txt', ['--except', 'fs']), 'ENOENT');
});

test('usage, an agent that is not there, a wrong token, no such program', async () => {
  const unknown = await elsewhere(['run', '--on', agent.url, '--no-such-option', '--', 'node']);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /no-such-option/);
  assert.equal((await elsewhere(['run', '--on', agent.url])).code, 2);
  const nobody = await elsewhere(['run', '--on', 'tcp://127.0.0.1:1#x', '--', 'node', '-p', '1']);
  assert.equal(nobody.code, 69);
  assert.match(
    nobody.stderr,
    /^elsewhere: no elsewhere agent at tcp:\/\/127\.0\.0\.1:1\/: connection refused/,
  );
  assert.equal(
    (await elsewhere(['run', '--on', agent.url.replace(/#.*/, '#wrong'), '--', 'node', '-p', '1']))
      .code,
    77,
  );
  assert.equal((await elsewhere(['run', '--on', agent.url, '--', 'no-such-program'])).code, 127);
});

test('what is printed last reaches the far side: before process.exit, and in exit handlers', async () => {
  const before = agent.stdout().length;
  const ended = await program(
    'last.cjs',
    `const fs = require('fs');
     process.on('exit', () => {
       console.log('last words');
       fs.writeFileSync('at-exit.txt', fs.readFileSync('data.txt'));
     });
     for (let i = 0; i < 2000; i++) console.log('line ' + i);
     process.exit(3);`,
    { flags: ['--stdio', 'remote'] },
  );
  assert.deepEqual([ended.code, ended.stderr], [3, '']);
  const lines = Array.from({ length: 2000 }, (_, i) => `line ${i}\n`).join('');
  const expected = `${lines}last words\n`;
  while (agent.stdout().length - before < expected.length)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(agent.stdout().slice(before), expected);
  assert.equal(readFileSync(join(agent.folder, 'at-exit.txt'), 'utf8'), 'data of the far side');
});

test.run();
