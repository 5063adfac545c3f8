/** Every way in which a file operation fails is the same for far files, in all three forms. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { withRemote } from '../../../src/index.ts';
import { outcomeSync } from '../../kit/outcome.ts';
import { suite } from '../../kit/suite.ts';
import { Twice } from '../../kit/twice.ts';
import { type AnyFunction, inAllForms } from './forms.ts';

const test = suite('patches/fs/errors');
let twice: Twice;
test.before(async () => {
  twice = await Twice.start();
});
test.after(() => twice.stop());

const table = fs as unknown as Record<string, AnyFunction>;

function prepare(): void {
  fs.writeFileSync('f', 'content');
  fs.mkdirSync('d');
  fs.mkdirSync('empty');
  fs.writeFileSync('d/in', '');
  fs.symlinkSync('loop', 'loop');
}

const LONG = 'x'.repeat(300);
const BAD_PATHS = ['none', 'none/deeper', 'f/below', 'loop/x', LONG, ''];
const CALLS: Readonly<Record<string, readonly unknown[]>> = {
  access: [],
  stat: [],
  lstat: [],
  statfs: [],
  readdir: [],
  readlink: [],
  realpath: [],
  open: ['r+'],
  readFile: [],
  truncate: [1],
  unlink: [],
  rmdir: [],
  chmod: [0o600],
  chown: [0, 0],
  lchown: [0, 0],
  utimes: [1, 1],
  lutimes: [1, 1],
  rm: [],
  copyFile: ['copy'],
  rename: ['renamed'],
  link: ['linked'],
  opendir: [],
};

for (const [name, rest] of Object.entries(CALLS)) {
  test(`${name} of what is not there, not a directory, a loop, too long, empty`, () =>
    twice.same(async () => {
      prepare();
      const results = [];
      for (const path of BAD_PATHS) results.push(await inAllForms(name, [path, ...rest]));
      return results;
    }));
}

const MAKING: readonly [name: string, ...args: unknown[]][] = [
  ['mkdir', 'd'],
  ['mkdir', 'f/x'],
  ['mkdir', 'none/x'],
  ['mkdir', 'f', { recursive: true }],
  ['mkdir', 'f/a/b', { recursive: true }],
  ['open', 'f', 'wx'],
  ['open', 'd', 'w'],
  ['writeFile', 'd', 'x'],
  ['writeFile', 'f/x', Buffer.from('x')],
  ['writeFile', 'none/x', 'x'],
  ['writeFile', 'f', 'x', { flag: 'wx' }],
  ['appendFile', 'd', 'x'],
  ['readFile', 'd'],
  ['readFile', 'd', 'utf8'],
  ['readdir', 'f'],
  ['readdir', 'none', { withFileTypes: true }],
  ['readlink', 'f'],
  ['rmdir', 'd'],
  ['rmdir', 'f'],
  ['rm', 'd'],
  ['rm', 'none', { recursive: true }],
  ['rm', 'f/x', { recursive: true }],
  ['unlink', 'd'],
  ['symlink', 'x', 'f'],
  ['symlink', 'x', 'none/x'],
  ['link', 'f', 'd'],
  ['link', 'd', 'hard'],
  ['rename', 'd', 'f'],
  ['rename', 'f', 'd'],
  ['rename', 'empty', 'd'],
  ['rename', 'f', '/dev/shm/elsewhere-other-device'],
  ['copyFile', 'f', 'd/in', fs.constants.COPYFILE_EXCL],
  ['copyFile', 'f', 'd'],
  ['copyFile', 'd', 'x'],
  ['cp', 'none', 'x'],
  ['cp', 'd', 'x'],
  ['cp', 'f', 'd/in', { errorOnExist: true, force: false }],
  ['cp', 'd', 'd/below', { recursive: true }],
  ['access', 'f', 1],
  ['statfs', 'none', { bigint: true }],
  ['truncate', 'd', 0],
];

for (const [name, ...args] of MAKING) {
  test(`${name}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`, () =>
    twice.same(() => {
      prepare();
      return inAllForms(name, args);
    }));
}

test('arguments that Node refuses', () =>
  twice.same(async () => {
    prepare();
    const results = [];
    const refused: readonly [string, ...unknown[]][] = [
      ['stat', 7],
      ['stat', 'a\0b'],
      ['stat', new URL('http://x/y')],
      ['open', 'f', 'zz'],
      ['open', 'f', 'r', 'mode'],
      ['access', 'f', 99],
      ['copyFile', 'f', 'g', 99],
      ['readFile', 'f', 'no-such-encoding'],
      ['readdir', 'd', { encoding: 'no-such-encoding' }],
      ['writeFile', 'f', 7],
      ['mkdir', 'x', { recursive: 'yes' }],
      ['chmod', 'f', 'xyz'],
      ['chown', 'f', -7, 0],
      ['truncate', 'f', 'long'],
      ['rm', 'd', { recursive: 7 }],
      ['utimes', 'f', 'x', {}],
    ];
    for (const [name, ...args] of refused) results.push([name, await inAllForms(name, args)]);
    return results;
  }));

const ON_CLOSED: Readonly<Record<string, readonly unknown[]>> = {
  fstat: [],
  read: [Buffer.alloc(4), 0, 4, 0],
  readv: [[Buffer.alloc(4)], 0],
  write: ['x'],
  writev: [[Buffer.from('x')], 0],
  ftruncate: [1],
  fsync: [],
  fdatasync: [],
  fchmod: [0o600],
  fchown: [0, 0],
  futimes: [1, 1],
  close: [],
  readFile: [],
  writeFile: ['x'],
  appendFile: ['x'],
};

test('descriptors that were closed, or are open the other way', () =>
  twice.same(async () => {
    prepare();
    const results = [];
    for (const [name, args] of Object.entries(ON_CLOSED)) {
      const descriptor = fs.openSync('f', 'r');
      fs.closeSync(descriptor);
      const blocking = table[`${name}Sync`] as AnyFunction;
      results.push([name, outcomeSync(() => blocking(descriptor, ...args))]);
    }
    const forReading = fs.openSync('f', 'r');
    const forWriting = fs.openSync('f', 'a');
    for (const name of ['write', 'ftruncate'])
      results.push(await inAllForms(name, [forReading, ...(ON_CLOSED[name] ?? [])]));
    results.push(await inAllForms('read', [forWriting, Buffer.alloc(4), 0, 4, 0]));
    fs.closeSync(forReading);
    fs.closeSync(forWriting);
    return results;
  }));

test('the frames of an error are Node’s and the caller’s, none is ours', () => {
  const error = withRemote(twice.connection, () => outcomeSync(() => fs.statSync('none'))) as Error;
  const frames = String(error.stack).split('\n').slice(1);
  assert.match(String(frames[0]), /statSync \(node:fs/);
  assert.match(String(frames[1]), /errors\.test/);
});

test.run();
