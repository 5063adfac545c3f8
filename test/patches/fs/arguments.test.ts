/** Arguments that are wrong, in each place of each function of `fs`: Node refuses them for far files as for its own. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { describe, outcome, outcomeSync } from '../../kit/outcome.ts';
import { suite } from '../../kit/suite.ts';
import { Twice } from '../../kit/twice.ts';
import { inAllForms } from './forms.ts';

const test = suite('patches/fs/arguments');
let twice: Twice;
test.before(async () => {
  twice = await Twice.start();
});
test.after(() => twice.stop());

/** Descriptors are none that can be open. Node itself aborts for a mode of 2 ** 31 and for symbols. */
const BAD: readonly unknown[] = [
  undefined,
  null,
  true,
  '',
  'text',
  'a\0b',
  Buffer.from('a\0b'),
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 32,
  2 ** 53,
  -(2 ** 40),
  -7n,
  2n ** 64n,
  [],
  [7],
  {},
  new URL('http://x/y'),
  new URL('file:///a%00b'),
  new URL('file:///a%2fb'),
  new URL('file://host/x'),
  new Date(Number.NaN),
];

const BUFFER = (): Buffer => Buffer.from('four');
type Made = () => readonly unknown[];
const descriptors: number[] = [];
const opened = (flags = 'r+'): number => {
  const descriptor = fs.openSync('f', flags);
  descriptors.push(descriptor);
  return descriptor;
};

/** Good arguments; one at a time is replaced. */
const CALLS: Readonly<Record<string, Made>> = {
  access: () => ['f', 0],
  appendFile: () => ['f', 'x', { encoding: 'utf8', mode: 0o600, flag: 'a', flush: false }],
  chmod: () => ['f', 0o600],
  chown: () => ['f', 0, 0],
  close: () => [opened()],
  copyFile: () => ['f', 'copy', 0],
  cp: () => ['f', 'copied', { force: true, mode: 0 }],
  exists: () => ['f'],
  fchmod: () => [opened(), 0o600],
  fchown: () => [opened(), 0, 0],
  fdatasync: () => [opened()],
  fstat: () => [opened(), { bigint: false }],
  fsync: () => [opened()],
  ftruncate: () => [opened(), 3],
  futimes: () => [opened(), 1, 1],
  glob: () => ['*', { cwd: '.', exclude: () => false, withFileTypes: false }],
  lchown: () => ['f', 0, 0],
  link: () => ['f', 'linked'],
  lstat: () => ['f', { bigint: false }],
  lutimes: () => ['f', 1, 1],
  mkdir: () => ['made', { recursive: true, mode: 0o700 }],
  mkdtemp: () => ['t-', 'utf8'],
  open: () => ['f', 'r', 0o600],
  openAsBlob: () => ['f', { type: 'a/b' }],
  opendir: () => ['d', { recursive: false, encoding: 'utf8' }],
  read: () => [opened(), BUFFER(), 0, 4, 0],
  readdir: () => ['d', { recursive: false, withFileTypes: false, encoding: 'utf8' }],
  readFile: () => ['f', { encoding: 'utf8', flag: 'r' }],
  readlink: () => ['l', 'utf8'],
  readv: () => [opened(), [BUFFER()], 0],
  realpath: () => ['f', 'utf8'],
  rename: () => ['g', 'renamed'],
  rm: () => ['none', { recursive: true, force: true, maxRetries: 0, retryDelay: 1 }],
  rmdir: () => ['none', {}],
  stat: () => ['f', { bigint: false }],
  statfs: () => ['.', { bigint: false }],
  symlink: () => ['f', 'symlink', 'file'],
  truncate: () => ['f', 3],
  unlink: () => ['g'],
  utimes: () => ['f', 1, 1],
  write: () => [opened(), BUFFER(), 0, 4, 0],
  writeFile: () => ['f', 'x', { encoding: 'utf8', mode: 0o600, flag: 'w', flush: false }],
  writev: () => [opened(), [BUFFER()], 0],
};

/** Where Node itself fails: 20 throws what nothing can catch, and cuts an X off; 24 aborts. */
const isBeyondNode = (good: Made, at: number, bad: unknown): boolean =>
  at === 0 &&
  ((good === CALLS['readFile'] && bad === -1) ||
    (good === CALLS['mkdtemp'] && bad === '') ||
    good === CALLS['statfs']);

/** Each good list with one argument, or one option of it, replaced. */
function* wrong(good: Made): Generator<[label: string, args: Made]> {
  for (const [at, place] of good().entries()) {
    const options = place?.constructor === Object ? Object.keys(place) : [];
    for (const [number, bad] of BAD.entries()) {
      if (isBeyondNode(good, at, bad)) continue;
      yield [`${at}: ${number}`, () => good().with(at, bad)];
      for (const key of options)
        yield [
          `${at}.${key}: ${number}`,
          () => good().with(at, { ...(good()[at] as object), [key]: bad }),
        ];
    }
  }
}

function prepare(): void {
  fs.writeFileSync('f', 'content');
  fs.writeFileSync('g', '');
  fs.mkdirSync('d');
  fs.writeFileSync('d/in', '');
  fs.symlinkSync('f', 'l');
}

/** Errors whole. Of what succeeded the kind: other tests compare values. */
async function seen(value: unknown): Promise<unknown> {
  if (value instanceof Error) return value;
  if (value instanceof fs.Dir) await value.close();
  const kind = (value as object | null | undefined)?.constructor?.name ?? String(value);
  if (kind === 'FileHandle') await (value as fs.promises.FileHandle).close();
  if (kind === 'AsyncGenerator' || kind === 'Object') {
    const first = (value as Partial<AsyncIterator<unknown>>).next?.bind(value);
    if (first !== undefined)
      return ['first', await outcome(first).then((item) => (item instanceof Error ? item : 'one'))];
  }
  if (value?.constructor === undefined) return 'iterator';
  return kind;
}

for (const [name, good] of Object.entries(CALLS)) {
  if (!(name in fs || `${name}Sync` in fs)) continue;
  test(`${name} with wrong arguments`, async () => {
    const { here, there } = await twice.both(async (root) => {
      prepare();
      const results: [string, unknown][] = [];
      for (const [label, args] of wrong(good))
        results.push([label, describe(await inAllForms(name, args, seen), root)]);
      for (const descriptor of descriptors.splice(0)) outcomeSync(() => fs.closeSync(descriptor));
      return new Map(results);
    });
    assert.deepStrictEqual(differing(here as Results, there as Results), []);
  });
}

type Results = ReadonlyMap<string, unknown>;

/** A whole list of all that is different: one that is shown says more than how the lists differ. */
function differing(here: Results, there: Results): unknown[] {
  assert.ok(here.size > BAD.length - 2 && here.size === there.size, `${here.size} calls`);
  return [...here].flatMap(([label, expected]) => {
    const actual = there.get(label);
    return isDeepStrictEqual(actual, expected) ? [] : [{ label, expected, actual }];
  });
}

test.run();
