import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { elsewhere, startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('cli/run-options', { limit: 60_000, fileLimit: 240_000 });
let agent: TestAgent;
let app: string;

test.before(async () => {
  agent = await startAgent({ prefix: ['env', 'WHO=agent', 'HOME=/home/of/the/agent'] });
  app = realpathSync(mkdtempSync(join(tmpdir(), 'elsewhere-options-')));
});
test.after(async () => {
  rmSync(app, { recursive: true });
  await agent.stop();
});

const run = (flags: readonly string[], program: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  elsewhere(['run', ...flags, '--', process.execPath, ...program], { cwd: app, env });

test('every option is in --help', async () => {
  const { stdout } = await elsewhere(['run', '--help']);
  const names =
    'on patch except local remote deny map net-local net-remote net-deny cwd env stdio token-file dry-run json';
  for (const name of names.split(' ')) assert.match(stdout, new RegExp(`--${name}\\b`), name);
  const other = await elsewhere(['serve', '--help']);
  for (const name of 'listen token-file no-classic grace once json'.split(' '))
    assert.match(other.stdout, new RegExp(`--${name}\\b`), name);
});

test('--dry-run prints what would go where, and starts nothing', async () => {
  const flags = ['--on', agent.url, '--dry-run', '--deny', '/etc/**', '--map', '/a=/b'];
  const text = await run([...flags, '--cwd', '/tmp/../'], ['-e', 'console.log("started")']);
  assert.equal(text.code, 0, text.stderr);
  assert.match(text.stdout, /^directory: {3}\/$/m);
  assert.match(text.stdout, /^deny path: {3}\/etc\/\*\*$/m);
  assert.match(text.stdout, /^mapped path: \/a is \/b there$/m);
  assert.doesNotMatch(text.stdout, new RegExp(`started\n|${agent.url.replace(/.*#/, '')}`));
  const json = JSON.parse((await run([...flags, '--json', '--patch', 'net'], ['x'])).stdout);
  assert.deepEqual(json.remote, ['net', 'server', 'dns', 'dgram', 'http', 'fetch']);
  assert.deepEqual([json.stdio, json.env, json.cwd], ['local', 'local', agent.folder]);
});

test('--env: whose environment it is; children follow all the same', async () => {
  const print =
    'process.stdout.write([process.env.WHO, process.env.HOME, process.env.MINE].join())';
  const home = process.env['HOME'];
  const seen = async (choice: string): Promise<string> =>
    (await run(['--on', agent.url, '--env', choice], ['-e', print], { MINE: 'm' })).stdout;
  assert.equal(await seen('local'), `,${home},m`);
  assert.equal(await seen('remote'), 'agent,/home/of/the/agent,');
  assert.equal(await seen('merged'), `agent,${home},m`);
  assert.equal(await seen('none'), ',,');
  const child = `require('child_process').execFileSync(process.execPath,
    ['-p', 'process.cwd() + process.env.WHO'], { stdio: 'inherit' })`;
  const followed = await run(['--on', agent.url, '--env', 'remote'], ['-e', child]);
  assert.equal(followed.stdout, `${agent.folder}agent\n`, followed.stderr);
});

test('--local and --remote, globs and directories', async () => {
  const read =
    'try { console.log(fs.readFileSync(process.argv[1], "utf8")) } catch (e) { console.log(e.code) }';
  for (const [side, folder] of [
    ['here', app],
    ['there', agent.folder],
  ] as const) {
    mkdirSync(join(folder, 'kept'));
    writeFileSync(join(folder, 'kept', 'a.txt'), side);
    writeFileSync(join(folder, 'kept', 'b.txt'), side);
  }
  // One machine here: what is remote is told by its other name there.
  const map = `${app}/kept=${agent.folder}/kept`;
  const flags = ['--on', agent.url, '--local', `${app}/kept`, '--remote', '**/b.txt', '--map', map];
  const seen = async (name: string) =>
    (await run(flags, ['-e', read, join(app, 'kept', name)])).stdout.trim();
  assert.equal(await seen('a.txt'), 'here');
  assert.equal(await seen('b.txt'), 'there');
});

test('mistakes are one clear line and exit code 2, before anything starts', async () => {
  const mistakes: [string[], RegExp][] = [
    [['--patch', 'fs,nett'], /no patch named "nett"/],
    [['--env', 'theirs'], /--env is one of local, remote, merged, none/],
    [['--stdio', 'x'], /--stdio is one of local, remote, tee/],
    [['--cwd', '/nowhere'], /--cwd: ENOENT: no such file or directory, chdir/],
    [['--map', 'nothing'], /--map needs FROM=TO/],
    [['--env', 'remote', '--patch', 'net'], /env: 'remote' needs the patch process/],
  ];
  for (const [flags, message] of mistakes) {
    const ended = await run(['--on', agent.url, ...flags], ['-e', 'console.log("started")']);
    assert.deepEqual([ended.code, ended.stdout], [2, ''], flags.join(' '));
    assert.match(ended.stderr, message);
    assert.doesNotMatch(ended.stderr, / {4}at /);
  }
});

test('ELSEWHERE_URL instead of --on; the program and its children do not see the token in it', async () => {
  const program = ['-e', 'console.log(process.cwd(), process.env.ELSEWHERE_URL.includes("#"))'];
  const ended = await run([], program, { ELSEWHERE_URL: agent.url });
  assert.equal(ended.stdout, `${agent.folder} false\n`, ended.stderr);
  assert.equal((await run([], program, { ELSEWHERE_URL: '' })).code, 2);
});

test('workers follow', async () => {
  const program = `
    const { Worker } = require('worker_threads');
    new Worker('console.log(process.cwd(), require("os").homedir())', { eval: true });`;
  const ended = await run(['--on', agent.url], ['-e', program]);
  assert.equal(ended.stdout, `${agent.folder} /home/of/the/agent\n`, ended.stderr);
});

test.run();
