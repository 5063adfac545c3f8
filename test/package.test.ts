/**
 * The package as a new user has it: packed, installed in an empty folder, used by its commands and its imports there.
 * Nothing of this repository is in reach but the TypeScript compiler and tsx, as the user's own tools.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { type Ended, repository, runProgram } from './kit/agent.ts';
import { suite } from './kit/suite.ts';

const test = suite('package', { limit: 60_000, fileLimit: 120_000 });
const root = realpathSync(mkdtempSync(join(tmpdir(), 'elsewhere-user-')));
/** The user's project, and the folder in which the agent works. */
const project = join(root, 'project');
const there = join(root, 'there');
const page = createServer((request, response) => response.end(`page ${request.url}`));
const agents = new Set<ChildProcess>();
let address: string;

/** A command as the user types it, on the Node under test. */
function command(program: string, ...args: string[]): Promise<Ended> {
  const PATH = [dirname(process.execPath), process.env['PATH']].join(delimiter);
  return runProgram(program, args, { cwd: project, env: { PATH, PAGE: address } });
}

const file = (name: string, text: string): void => writeFileSync(join(project, name), text);
const modules = (...path: string[]): string => join(project, 'node_modules', ...path);

/** Starts the installed agent in its folder, as `npx elsewhere serve` does. Returns its URL. */
async function serve(...args: string[]): Promise<string> {
  const agent = spawn(process.execPath, [modules('.bin', 'elsewhere'), 'serve', ...args], {
    cwd: there,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  agents.add(agent);
  const [line] = await once(agent.stdout.setEncoding('utf8'), 'data');
  return String(line).trim();
}

async function works(ended: Promise<Ended>): Promise<string> {
  const { code, stdout, stderr } = await ended;
  assert.deepEqual([code, stderr], [0, '']);
  return stdout;
}

test.before(async ({ skip }) => {
  mkdirSync(project);
  mkdirSync(there);
  writeFileSync(join(there, 'data.txt'), 'data from there');
  file('package.json', '{ "private": true, "type": "module" }');
  page.listen(0, '127.0.0.1');
  await once(page, 'listening');
  address = `http://127.0.0.1:${(page.address() as AddressInfo).port}/`;
  const npm = ['--no-audit', '--no-fund', '--silent'];
  const packed = await runProgram(
    'npm',
    ['pack', '--ignore-scripts', ...npm, '--pack-destination', root],
    { cwd: repository },
  );
  assert.equal(packed.code, 0, packed.stderr);
  const tarball = join(root, packed.stdout.trim());
  const installed = await command(
    'npm',
    'install',
    '--prefer-offline',
    '--loglevel=error',
    tarball,
  );
  if (/ENOTFOUND|ENETUNREACH|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT/.test(installed.stderr))
    skip('npm can neither reach its registry nor find ws in its cache');
  assert.equal(installed.code, 0, installed.stderr);
});
test.after(() => {
  page.close();
  for (const agent of agents) agent.kill();
  rmSync(root, { recursive: true });
});

test('the tarball holds what it should, and nothing of the sources', () => {
  const { version } = JSON.parse(readFileSync(modules('elsewhere', 'package.json'), 'utf8'));
  assert.equal(version, JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')).version);
  for (const name of ['README.md', 'LICENSE', 'SECURITY.md', 'CHANGELOG.md', 'dist/agent.cjs'])
    assert.ok(readFileSync(modules('elsewhere', name)).length > 0, name);
  for (const name of ['src', 'patches', 'test', 'build'])
    assert.throws(() => readFileSync(modules('elsewhere', name)), { code: 'ENOENT' });
});

test('an unmodified program over each kind of link: its modules from here, its data from there', async () => {
  file('own.cjs', 'exports.own = "a module from here"');
  file(
    'app.cjs',
    `const { readFileSync } = require('fs');
     const { writeFile, readFile } = require('fs/promises');
     const { own } = require('./own.cjs');
     (async () => {
       console.log(own, process.cwd());
       console.log(readFileSync('data.txt', 'utf8'));
       await writeFile('back.txt', 'written');
       console.log(await readFile('back.txt', 'utf8'));
       console.log(await (await fetch(process.env.PAGE + 'fetch')).text());
       require('http').get(process.env.PAGE + 'get', (r) => r.on('data', (d) => console.log(String(d))));
     })();`,
  );
  const expected = `a module from here ${there}\ndata from there\nwritten\npage /fetch\npage /get\n`;
  const npx = ['npx', 'elsewhere'] as const;
  const direct = ['node', modules('.bin', 'elsewhere')] as const;
  for (const [listen, program, ...words] of [
    ['ws://127.0.0.1:0', ...npx],
    ['tcp://127.0.0.1:0', ...direct],
    [`unix:${join(root, 'socket')}`, ...direct],
  ] as const) {
    const url = await serve('--listen', listen);
    const printed = await works(
      command(program, ...words, 'run', '--on', url, '--', 'node', 'app.cjs'),
    );
    assert.equal(printed, expected, listen);
    assert.equal(readFileSync(join(there, 'back.txt'), 'utf8'), 'written');
    rmSync(join(there, 'back.txt'));
  }
});

test('import, require, and both preloads', async () => {
  file(
    'app.mjs',
    `import { readFileSync } from 'node:fs';
     import { connect, withRemote } from 'elsewhere';
     import { captureStdio } from 'elsewhere/testing';
     const conn = await connect(process.argv[2]);
     const { stdout } = await captureStdio(() =>
       withRemote(conn, { except: ['stdio'] }, () => console.log(readFileSync('data.txt', 'utf8'))));
     console.log(stdout.trim());
     await conn.close();`,
  );
  file(
    'required.cjs',
    `const { connect, withRemote } = require('elsewhere');
     connect(process.argv[2]).then(async (conn) => {
       console.log(await withRemote(conn, () => require('fs/promises').readFile('data.txt', 'utf8')));
       await conn.close();
     });`,
  );
  const url = await serve();
  await Promise.all(
    [
      ['app.mjs'],
      ['required.cjs'],
      ['--import', 'elsewhere/register', 'app.mjs'],
      ['--require', 'elsewhere/register', 'required.cjs'],
    ].map(async (args) => {
      assert.equal(await works(command('node', ...args, url)), 'data from there\n', args.join(' '));
    }),
  );
});

test('its types check in a project of the user, and know what they should', async () => {
  file(
    'check.ts',
    `import { type Connection, captureStdio, connect, ElsewhereError, withRemote } from 'elsewhere';
     import { connectPair } from 'elsewhere/testing';
     const conn: Connection = await connect('ws://127.0.0.1:1/#token');
     export const now: number = withRemote(conn, () => 1);
     export const later: Promise<string> = withRemote(conn, { cwd: '/' }, async () => 'text');
     export const pid: number = conn.peer.pid;
     export const printed: { stdout: string; value: boolean } = await captureStdio(() => true);
     export const far: Connection = (await connectPair()).near;
     export const code: string = new ElsewhereError('ERR_ELSEWHERE_CLOSED', 'x').code;
     // @ts-expect-error it is a number
     export const wrong: string = withRemote(conn, () => 1);
     // @ts-expect-error there is no such option
     withRemote(conn, { patch: ['fs'] }, () => 1);`,
  );
  const options = {
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    types: ['node'],
    typeRoots: [join(repository, 'node_modules', '@types')],
  };
  file('tsconfig.json', JSON.stringify({ compilerOptions: options, files: ['check.ts'] }));
  const tsc = join(repository, 'node_modules', '.bin', 'tsc');
  const { code, stdout } = await command(tsc, '-p', '.');
  assert.deepEqual([stdout, code], ['', 0]);
});

test('its examples run from a copy', async () => {
  cpSync(modules('elsewhere', 'examples'), join(project, 'examples'), { recursive: true });
  const url = await serve();
  const tsx = join(repository, 'node_modules', 'tsx', 'dist', 'cli.mjs');
  const example = (name: string, ...args: string[]): Promise<string> =>
    works(command('node', tsx, join('examples', `${name}.ts`), ...args));
  const [note, through, captured] = await Promise.all([
    example('01-read-a-remote-file', url),
    example('02-through-a-firewall', url, address),
    example('03-redirected-stdio', url),
  ]);
  assert.match(
    note,
    new RegExp(`there: written on .* in ${there}\nhere:  written on .* in ${project}`),
  );
  assert.match(through, /through the far side: page \/\n/);
  assert.match(captured, /captured here and there: .*"hello far side/);
});

test.run();
