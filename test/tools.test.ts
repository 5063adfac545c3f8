/**
 * Tools that know nothing of us work under `elsewhere run` on a project that only the far side has: what they print, their
 * exit code and the files they leave are those of the same tool run over there. The tools are looked for in the folder that
 * ELSEWHERE_TEST_RUNNERS names (with a node_modules in it); .ci/run prepares one.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Ended, elsewhere } from './kit/agent.ts';
import { type FarFolder, noFarFolder, startFarFolder } from './kit/far-folder.ts';
import { suite } from './kit/suite.ts';

const test = suite('tools', { limit: 120_000, fileLimit: 300_000 });
const others = process.env['ELSEWHERE_TEST_RUNNERS'];

/** The project, which only the far side has. */
const PROJECT: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({
    name: 'sample',
    version: '1.2.3',
    type: 'module',
    files: ['src'],
    dependencies: { dep: '1.0.0' },
    bundledDependencies: ['dep'],
  }),
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      target: 'es2022',
      module: 'nodenext',
      lib: ['es5'],
      types: [],
      rootDir: 'src',
      outDir: 'out',
      sourceMap: true,
      declaration: true,
    },
    include: ['src'],
  }),
  '.prettierrc': '{ "singleQuote": true, "semi": false }',
  'src/main.ts': `import { dep } from 'dep';
import { add } from './add.js';
export const sum: number = add(1,    2) + dep;
export const wrong: string = sum;
`,
  'src/add.ts': 'export function add(a: number, b: number): number { return a+b }\n',
  'src/plain.js': `import {other} from './other.js'
export const  value = other+1
var unused = 3
if (value == 2) debugger
`,
  'src/other.js': 'export const other=41',
  'node_modules/dep/package.json': JSON.stringify({
    name: 'dep',
    version: '1.0.0',
    type: 'module',
    exports: { types: './index.d.ts', default: './index.js' },
  }),
  'node_modules/dep/index.d.ts': 'export declare const dep: number;\n',
  'node_modules/dep/index.js': 'export const dep = 5;\n',
};

/** What is beside the tools: their settings that are code, and programs that use tools without a command. */
const BESIDE: Readonly<Record<string, string>> = {
  'package.json': '{ "private": true, "type": "module" }',
  'eslint.config.js': `export default [{
  files: ['src/**/*.js'],
  rules: { 'no-unused-vars': 'error', eqeqeq: 'error', 'no-debugger': 'warn', 'no-var': 'error' },
}];`,
  'git.js': `import { simpleGit } from 'simple-git';
const date = '2020-01-02T03:04:05Z';
const times = { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date };
const git = simpleGit({ allowEnvironment: Object.keys(times) });
git.env({ PATH: process.env.PATH, HOME: '/', ...times });
await git.init(['-b', 'main']);
await git.addConfig('user.name', 'A').addConfig('user.email', 'a@b.c');
await git.add(['src', 'package.json']);
console.log(await git.commit('first'));
console.log((await git.status()).files.map((file) => file.path));
console.log((await git.log()).latest, await git.raw(['ls-tree', '-r', 'HEAD']));
await git.checkoutLocalBranch('other');
console.log((await git.branch()).current, await git.show(['HEAD:src/other.js']));
await git.log(['no-such-revision']).catch((error) => console.log(error.message));`,
  'tar.js': `import { create, extract, list } from 'tar';
const names = [];
await create({ file: 'src.tgz', gzip: true, portable: true }, ['src', 'package.json']);
await list({ file: 'src.tgz', onReadEntry: (entry) => names.push([entry.path, entry.size]) });
console.log(names.sort());
(await import('node:fs')).mkdirSync('unpacked');
await extract({ file: 'src.tgz', cwd: 'unpacked', strip: 1 });
create({ sync: true, file: 'again.tar', portable: true }, ['unpacked']);`,
  'watch.js': `import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { watch } from 'chokidar';
const watcher = watch('.', { ignored: /node_modules/ });
const seen = [];
watcher.on('all', (event, path) => seen.push(event + ' ' + path));
await once(watcher, 'ready');
console.log(seen.splice(0).sort());
const step = async (event, act) => {
  const happened = once(watcher, event);
  // It holds back what follows too soon.
  await new Promise((resolve) => setTimeout(resolve, 200));
  act();
  console.log(event, (await happened)[0]);
};
await step('add', () => writeFileSync('src/new.js', 'new'));
await step('change', () => writeFileSync('src/new.js', 'newer'));
await step('addDir', () => mkdirSync('src/deep'));
await step('add', () => writeFileSync('src/deep/file', 'x'));
await step('unlink', () => rmSync('src/new.js'));
await watcher.close();
console.log(watcher.getWatched());`,
};

interface Tool {
  readonly name: string;
  /** File below node_modules, or a program beside it. */
  readonly program: string;
  readonly args?: readonly string[];
  /** Of `elsewhere run`. */
  readonly flags?: readonly string[];
  readonly code?: number;
  /** What must be in the output, so that two failures are not taken for success. */
  readonly prints: RegExp;
}

const TOOLS: readonly Tool[] = [
  {
    name: 'tsc -p',
    program: 'typescript/bin/tsc',
    args: ['-p', '.', '--pretty', 'false'],
    code: 2,
    prints: /^src\/main\.ts\(4,14\): error TS2322: .*\n$/,
  },
  {
    name: 'prettier --write',
    program: 'prettier/bin/prettier.cjs',
    args: ['--write', '.'],
    prints: /src\/plain\.js/,
  },
  {
    name: 'rollup',
    program: 'rollup/dist/bin/rollup',
    args: ['src/plain.js', '--file', 'out/bundle.cjs', '--format', 'cjs', '--sourcemap'],
    prints: /created out\/bundle\.cjs/,
  },
  {
    name: 'eslint, with settings that are here',
    program: 'eslint/bin/eslint.js',
    args: ['--config', '<here>/eslint.config.js', '.'],
    flags: ['--local', '<here>/eslint.config.js'],
    code: 1,
    prints: /4:17 +warning[\s\S]*4 problems/,
  },
  {
    name: 'npm pack',
    program: 'npm',
    args: ['pack', '--offline', '--ignore-scripts', '--logs-max=0', '--cache=../cache'],
    prints: /sample-1\.2\.3\.tgz[\s\S]*Bundled Dependencies\nnpm notice dep\n/,
  },
  { name: 'git by simple-git', program: 'git.js', prints: /commit: '[0-9a-f]+'/ },
  { name: 'tar', program: 'tar.js', prints: /src\/plain\.js/ },
  { name: 'chokidar', program: 'watch.js', prints: /unlink src\/new\.js/ },
];

let far: FarFolder;
let here: string;

test.before((context) => {
  if (others === undefined || !existsSync(join(others, 'node_modules', 'prettier')))
    context.skip('no tools are installed: ELSEWHERE_TEST_RUNNERS names no folder with them');
  const reason = noFarFolder();
  if (reason !== undefined) context.skip(reason);
  here = realpathSync(mkdtempSync(join(tmpdir(), 'elsewhere-tools-')));
  writeAll(here, BESIDE);
  symlinkSync(join(others ?? '', 'node_modules'), join(here, 'node_modules'));
  return startFarFolder().then((started) => {
    far = started;
  });
});
test.after(async () => {
  if (here !== undefined) rmSync(here, { recursive: true });
  await far?.stop();
});

function writeAll(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    utimesSync(path, 1e9, 1e9);
  }
}

/** A fresh project, and what a run has made of it. */
async function onProject(run: () => Promise<Ended>): Promise<unknown> {
  for (const name of readdirSync(far.seen)) rmSync(join(far.seen, name), { recursive: true });
  writeAll(far.seen, PROJECT);
  const ended = await run();
  return {
    ...ended,
    stdout: timeless(ended.stdout),
    stderr: timeless(ended.stderr),
    files: files(),
  };
}

/** Tools tell how long they took. */
const timeless = (text: string): string => text.replace(/\b\d+(?:\.\d+)? ?m?s\b/g, 'a while');

/** Every file but git's index, which has times and numbers of files in it, and its log of times. */
function files(): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(far.seen, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(far.seen, name);
    const { mode } = lstatSync(path);
    const link = (mode & 0o170000) === 0o120000;
    const text = link ? readlinkSync(path) : mode & 0o100000 ? readFileSync(path, 'latin1') : '';
    if (name !== '.git/index') found[name] = `${mode.toString(8)} ${text}`;
  }
  return found;
}

const ENV = { NO_COLOR: '1', FORCE_COLOR: undefined, NODE_OPTIONS: '' };

/** npm comes with Node. */
function fileOf(program: string): string {
  if (program === 'npm')
    return execFileSync('sh', ['-c', 'readlink -f "$(command -v npm)"'], {
      encoding: 'utf8',
    }).trim();
  const beside = join(here, program);
  return existsSync(beside) ? beside : realpathSync(join(here, 'node_modules', program));
}

for (const { name, program, args = [], flags = [], code = 0, prints } of TOOLS)
  test(name, async () => {
    const placed = (text: string): string => text.replace('<here>', here);
    const command = [fileOf(program), ...args.map(placed)];
    const there = await onProject(() => far.run(process.execPath, command, ENV));
    const remote = await onProject(() =>
      elsewhere(
        ['run', '--on', far.agent.url, ...flags.map(placed), '--', process.execPath, ...command],
        { env: ENV },
      ),
    );
    assert.deepEqual(remote, there);
    const { stdout, stderr, ...rest } = remote as Ended;
    assert.equal(rest.code, code, stderr);
    assert.match(stdout + stderr, prints);
  });

test.run();
