/**
 * The canary: every public function of `fs`, in a scope, asks the far side. One that does not, or one that a new Node
 * brings, must be put into a table here on purpose.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { fsBinding } from '../../../patches/fs/binding.ts';
import { FS_TABLE, PROMISES_TABLE } from '../../../patches/fs/coverage.ts';
import { unknownFunctions } from '../../../patches/fs/unknown.ts';
import { outcome, outcomeSync } from '../../kit/outcome.ts';
import { suite } from '../../kit/suite.ts';
import { REFUSAL, type Recording, record } from './recording-target.ts';

const test = suite('patches/fs/canary');

const PATH = '/elsewhere-canary';
const DESCRIPTOR = Symbol('a far descriptor');
const BYTES = Buffer.alloc(1);

/** Arguments of the functions that exist in several forms, by the name of the callback form. */
const ARGUMENTS: Readonly<Record<string, readonly unknown[]>> = {
  access: [PATH],
  appendFile: [PATH, 'x'],
  chmod: [PATH, 0o600],
  chown: [PATH, 0, 0],
  close: [DESCRIPTOR],
  copyFile: [PATH, `${PATH}-2`],
  cp: [PATH, `${PATH}-2`],
  exists: [PATH],
  fchmod: [DESCRIPTOR, 0o600],
  fchown: [DESCRIPTOR, 0, 0],
  fdatasync: [DESCRIPTOR],
  fstat: [DESCRIPTOR],
  fsync: [DESCRIPTOR],
  ftruncate: [DESCRIPTOR, 0],
  futimes: [DESCRIPTOR, 0, 0],
  glob: [`${PATH}/*`],
  lchown: [PATH, 0, 0],
  link: [PATH, `${PATH}-2`],
  lstat: [PATH],
  lutimes: [PATH, 0, 0],
  mkdir: [PATH],
  mkdtemp: [PATH],
  mkdtempDisposable: [PATH],
  open: [PATH],
  openAsBlob: [PATH],
  opendir: [PATH],
  read: [DESCRIPTOR, BYTES, 0, 1, 0],
  readFile: [PATH],
  readdir: [PATH],
  readlink: [PATH],
  readv: [DESCRIPTOR, [BYTES]],
  realpath: [PATH],
  rename: [PATH, `${PATH}-2`],
  rm: [PATH],
  rmdir: [PATH],
  stat: [PATH],
  statfs: [PATH],
  symlink: [PATH, `${PATH}-2`],
  truncate: [PATH],
  unlink: [PATH],
  utimes: [PATH, 0, 0],
  write: [DESCRIPTOR, 'x'],
  writeFile: [PATH, 'x'],
  writev: [DESCRIPTOR, [BYTES]],
};

type Options = readonly [name: string, ...args: unknown[]];
/** Options that take another way through Node's code. */
const OTHER_WAYS: readonly Options[] = [
  ['readFile', PATH, 'utf8'],
  ['readFile', DESCRIPTOR],
  ['readFile', Buffer.from(PATH)],
  ['writeFile', PATH, BYTES],
  ['writeFile', DESCRIPTOR, 'x'],
  ['appendFile', PATH, BYTES],
  ['readdir', PATH, { withFileTypes: true }],
  ['readdir', PATH, { recursive: true }],
  ['opendir', PATH, { recursive: true }],
  ['rm', PATH, { recursive: true }],
  ['rm', PATH, { recursive: true, force: true }],
  ['cp', PATH, `${PATH}-2`, { recursive: true }],
  ['mkdir', PATH, { recursive: true }],
  ['stat', PATH, { bigint: true }],
  ['write', DESCRIPTOR, BYTES],
];

/** How the others are called. */
const SPECIAL: Readonly<Record<string, (fn: never) => unknown>> = {
  ReadStream: (fn: new (path: string) => fs.ReadStream) => failing(new fn(PATH)),
  WriteStream: (fn: new (path: string) => fs.WriteStream) => failing(new fn(PATH)),
  FileReadStream: (fn: new (path: string) => fs.ReadStream) => failing(new fn(PATH)),
  FileWriteStream: (fn: new (path: string) => fs.WriteStream) => failing(new fn(PATH)),
  Utf8Stream: (fn: new (options: object) => NodeJS.EventEmitter) =>
    failing(new fn({ dest: PATH, sync: false })),
  createReadStream: (fn: typeof fs.createReadStream) => failing(fn(PATH)),
  createWriteStream: (fn: typeof fs.createWriteStream) => failing(fn(PATH)),
  watch: (fn: typeof fs.watch) => outcomeSync(() => fn(PATH)),
  watchFile: (fn: typeof fs.watchFile) => void fn(PATH, () => undefined),
  'promises.watch': (fn: typeof fs.promises.watch) =>
    outcome(() => fn(PATH)[Symbol.asyncIterator]().next()),
  'promises.glob': async (fn: (pattern: string) => AsyncIterable<string>) => {
    for await (const _ of fn(`${PATH}/*`));
  },
};

/** What touches no file of its own accord. */
const NO_FILES: Readonly<Record<string, string>> = {
  Dir: 'its handle comes from opendir',
  Dirent: 'a value',
  Stats: 'a value',
  _toUnixTimestamp: 'arithmetic',
  unwatchFile: 'only forgets what watchFile began',
  lchmod: 'Node refuses it on Linux',
  'promises.lchmod': 'Node refuses it on Linux',
};

function failing(stream: NodeJS.EventEmitter): Promise<unknown> {
  return new Promise((resolve) => stream.once('error', resolve));
}

let recording: Recording;
test.before(() => {
  recording = record();
});
test.after(() => recording.uninstall());

/** A far file that was opened for this call. */
function openFar(): number {
  recording.answers.set('open', [1]);
  const descriptor = recording.inScope(() => fs.openSync(PATH, 'r+'));
  recording.answers.delete('open');
  return descriptor;
}

const withDescriptor = (args: readonly unknown[]): unknown[] =>
  args.map((arg) => (arg === DESCRIPTOR ? openFar() : arg));

type AnyFunction = (...args: unknown[]) => unknown;

/** True if the far side was asked for anything. */
async function asks(call: () => unknown): Promise<boolean> {
  recording.asked.length = 0;
  await recording.inScope(() => outcome(call));
  return recording.asked.length > 0;
}

async function callOf(name: string, fn: AnyFunction): Promise<(() => unknown) | undefined> {
  const special = SPECIAL[name];
  if (special !== undefined) return () => special(fn as never);
  const short = name.replace('promises.', '');
  const args = ARGUMENTS[short.replace(/Sync$/, '')];
  if (args === undefined) return undefined;
  return callWith(name, fn, args);
}

function callWith(name: string, fn: AnyFunction, given: readonly unknown[]): () => unknown {
  const args = withDescriptor(given);
  if (name.startsWith('promises.') || /Sync$/.test(name) || name === 'openAsBlob')
    return () => fn(...args);
  return () => new Promise((resolve) => fn(...args, (...results: unknown[]) => resolve(results)));
}

function exported(): [name: string, fn: AnyFunction][] {
  const list = (prefix: string, object: object): [string, AnyFunction][] =>
    Object.entries(object).flatMap(([key, value]) =>
      typeof value === 'function' ? [[prefix + key, value as AnyFunction]] : [],
    );
  return [...list('', fs), ...list('promises.', fs.promises)];
}

test('every public function asks the far side, or is in the table of those that touch no file', async () => {
  const missed: string[] = [];
  for (const [name, fn] of exported()) {
    if (name in NO_FILES) continue;
    const call = await callOf(name, fn);
    if (call === undefined) missed.push(`${name} is in no table`);
    else if (!(await asks(call))) missed.push(`${name} did not ask the far side`);
  }
  assert.deepEqual(missed, []);
});

test('the table of coverage has every export, and says the same', () => {
  const missed = [
    ...Object.keys(fs).filter((name) => !(name in FS_TABLE)),
    ...Object.keys(fs.promises).filter((name) => !(name in PROMISES_TABLE)),
  ];
  assert.deepEqual(missed, []);
  const local = Object.keys(FS_TABLE).filter((name) => FS_TABLE[name]?.startsWith('local'));
  const asking = local.filter((name) => name in ARGUMENTS || name in SPECIAL);
  assert.deepEqual(asking, [], 'what asks the far side is not called local');
});

test('so it does with the options that take another way', async () => {
  const missed: string[] = [];
  for (const [base, ...args] of OTHER_WAYS) {
    for (const [name, fn] of exported()) {
      if (name.replace('promises.', '').replace(/Sync$/, '') !== base) continue;
      if (name.startsWith('promises.') && args[0] === DESCRIPTOR) continue;
      if (!(await asks(callWith(name, fn, args)))) missed.push(`${name} ${JSON.stringify(args)}`);
    }
  }
  assert.deepEqual(missed, []);
});

test('the methods of a FileHandle ask the far side', async () => {
  const methods: readonly Options[] = [
    ['appendFile', 'x'],
    ['chmod', 0o600],
    ['chown', 0, 0],
    ['datasync'],
    ['read', BYTES],
    ['readFile'],
    ['readv', [BYTES]],
    ['stat'],
    ['sync'],
    ['truncate', 0],
    ['utimes', 0, 0],
    ['write', 'x'],
    ['writeFile', 'x'],
    ['writev', [BYTES]],
    ['close'],
  ];
  const missed: string[] = [];
  for (const [name, ...args] of methods) {
    recording.answers.set('open', [1]);
    const handle = await recording.inScope(() => fs.promises.open(PATH, 'r+'));
    recording.answers.delete('open');
    const table = handle as unknown as Record<string, AnyFunction>;
    if (!(await asks(() => table[name]?.(...args)))) missed.push(name);
    if (name === 'close') continue;
    recording.answers.set('close', undefined);
    await handle.close();
    recording.answers.delete('close');
  }
  assert.deepEqual(missed, []);
});

test('errors of the far side come through as they are', () => {
  assert.throws(() => recording.inScope(() => fs.statSync(PATH)), { code: REFUSAL, path: PATH });
});

test('there is no function under fs that has no substitute', () => {
  const binding = fsBinding();
  const original = Object.keys(binding).filter((name) => {
    const value = binding[name];
    return typeof value === 'function' && value.name === name;
  });
  // A substitute has a name of its own, so what still bears its Node name was left alone.
  assert.deepEqual(
    unknownFunctions(binding, new Set(Object.keys(binding).filter((k) => !original.includes(k)))),
    [],
  );
});

test('an unknown function of the binding refuses far paths, and serves local ones', () => {
  recording.uninstall();
  const binding = fsBinding();
  binding['inventedFastPath'] = (path: unknown): unknown => `read ${String(path)}`;
  try {
    recording = record();
    const invented = binding['inventedFastPath'] as AnyFunction;
    assert.equal(invented(PATH), `read ${PATH}`);
    assert.throws(() => recording.inScope(() => invented(PATH)), {
      code: 'ERR_ELSEWHERE_UNSUPPORTED',
    });
  } finally {
    recording.uninstall();
    delete binding['inventedFastPath'];
    recording = record();
  }
});

test('on an unknown release line, a public function that bypasses the binding refuses far paths', () => {
  recording.uninstall();
  const original = fs.statSync;
  // As a Node would that keeps the native function for itself.
  const bypass = ((path: string) => `${path} was looked at here`) as unknown as typeof fs.statSync;
  const table = fs as unknown as Record<string, unknown>;
  table['statSync'] = bypass;
  try {
    recording = record('99.0.0');
    assert.deepEqual(recording.asked, []);
    assert.equal(fs.statSync(PATH), `${PATH} was looked at here`);
    recording.inScope(() => {
      assert.throws(() => fs.statSync(PATH), { code: 'ERR_ELSEWHERE_UNSUPPORTED' });
      assert.throws(() => fs.lstatSync(PATH), { code: REFUSAL });
      assert.throws(() => fs.readFileSync(PATH), { code: REFUSAL });
    });
  } finally {
    recording.uninstall();
    table['statSync'] = original;
    recording = record();
  }
});

test.run();
