/**
 * Calls that the system refuses. Loaded by a test, which makes them in a scope, and by the agent in question, which
 * makes them itself: so it needs only Node.
 */
import fs from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { describe, outcome, outcomeSync } from '../../kit/outcome.ts';
import { inAllForms } from './forms.ts';

type Calls = readonly (readonly [name: string, ...args: unknown[]])[];

/** What every call on a path says where `place` may not be looked into, changed, or written. */
const everywhere = (place: string): Calls => [
  ['access', place, 2],
  ['appendFile', place, 'x'],
  ['chmod', place, 0o777],
  ['chown', place, 1, 1],
  ['copyFile', place, `${place}-copy`],
  ['copyFile', 'mine', place],
  ['cp', place, `${place}-copy`, { recursive: true }],
  ['cp', 'mine', place],
  ['exists', place],
  ['lchown', place, 1, 1],
  ['link', place, `${place}-link`],
  ['lstat', place],
  ['lutimes', place, 1, 1],
  ['mkdir', place],
  ['mkdir', `${place}/a/b`, { recursive: true }],
  ['mkdtemp', place],
  ['open', place, 'r'],
  ['open', place, 'r+'],
  ['open', place, 'wx'],
  ['openAsBlob', place],
  ['opendir', place],
  ['readdir', place],
  ['readdir', place, { recursive: true }],
  ['readFile', place],
  ['readFile', place, 'utf8'],
  ['readlink', place],
  ['realpath', place],
  ['rename', place, `${place}-renamed`],
  ['rename', 'mine', place],
  ['rm', place],
  ['rm', place, { recursive: true }],
  ['rm', place, { recursive: true, force: true }],
  ['rmdir', place],
  ['stat', place],
  ['statfs', place],
  ['symlink', 'mine', place],
  ['truncate', place, 1],
  ['unlink', place],
  ['utimes', place, 1, 1],
  ['writeFile', place, 'x'],
  ['writeFile', place, Buffer.from('x'), { flag: 'r+' }],
];

const BYTES = Buffer.alloc(2 * 1024 * 1024, 'x');

/** Each scene is set by the test: who the agent is, what is mounted, how many descriptors there may be. */
const SCENES: Readonly<Record<string, () => Promise<unknown>>> = {
  EACCES: () => allOf([...everywhere('secret/file'), ...everywhere('public')]),
  EROFS: () =>
    allOf([
      ...everywhere('ro/file'),
      ...everywhere('ro/folder').filter(([name]) => name !== 'openAsBlob'),
      ...everywhere('ro/none'),
    ]),
  EXDEV: () =>
    allOf([
      ['rename', 'mine', 'other/mine'],
      ['link', 'mine', 'other/mine'],
      ['rename', 'folder', 'other/folder'],
      ['copyFile', 'mine', 'other/copy'],
      ['cp', 'folder', 'other/copied', { recursive: true }],
    ]),
  ENOSPC: full,
  EMFILE: exhausted,
};

export async function refusals(scene: string, root: string): Promise<unknown> {
  return describe(await SCENES[scene]?.(), root);
}

async function allOf(calls: Calls): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const [name, ...args] of calls) {
    if (!(name in fs || `${name}Sync` in fs)) continue;
    const forms = await inAllForms(name, args, failureOf);
    for (const form of isBeside(name, args)) delete forms[form];
    results.push([name, ...args.map(label), forms]);
  }
  return results;
}

/** Forms that are not compared: docs/divergences.md says why. */
function isBeside(name: string, [first, options]: readonly unknown[]): readonly string[] {
  const { recursive = false } = (options ?? {}) as { recursive?: boolean };
  if (name === 'mkdtemp' || (name === 'mkdir' && recursive)) return ['callback', 'promise'];
  if (name === 'rm') return ['sync'];
  // Node 20 throws from the call itself.
  if (name === 'readdir' && recursive) return ['callback'];
  return typeof first === 'number' ? ['promise'] : [];
}

/** Descriptors are other numbers on each side, and data is long. */
const label = (arg: unknown): string =>
  typeof arg === 'string' && arg.length < 40 ? arg : typeof arg;

/** What succeeds must succeed on both sides, and leave nothing open. */
async function failureOf(value: unknown): Promise<unknown> {
  if (value instanceof Error) return value;
  if (typeof value === 'number') outcomeSync(() => fs.closeSync(value));
  const closed = value as { close?: () => Promise<void> } | null | undefined;
  if (typeof closed?.close === 'function') await closed.close();
  return value === undefined || value === null || typeof value === 'boolean' ? value : 'succeeded';
}

/** A folder on a disk of 1 MiB. */
async function full(): Promise<unknown> {
  const results: unknown[] = await allOf([
    ['writeFile', 'full/whole', BYTES],
    ['writeFile', 'full/whole', BYTES.toString('latin1')],
    ['appendFile', 'full/whole', BYTES],
    ['cp', 'large', 'full/copied'],
    ['copyFile', 'large', 'full/copied'],
  ]);
  const descriptor = fs.openSync('full/filled', 'w');
  // A write that finds some room is a short one; the next has none.
  while (!(outcomeSync(() => fs.writeSync(descriptor, BYTES, 0, 65_536)) instanceof Error));
  results.push(
    ...(await allOf([
      ['write', descriptor, BYTES, 0, 65_536],
      ['write', descriptor, BYTES.toString('latin1')],
      ['writev', descriptor, [BYTES, BYTES]],
      ['appendFile', descriptor, BYTES],
      ['writeFile', descriptor, BYTES],
    ])),
  );
  fs.closeSync(descriptor);
  const handle = await fs.promises.open('full/filled', 'r+');
  const end = (await handle.stat()).size;
  for (const call of [
    () => handle.write(BYTES, 0, 65_536, end),
    () => handle.writev([BYTES], end),
    () => handle.appendFile(BYTES),
    () => handle.writeFile(Buffer.concat([BYTES, BYTES])),
  ])
    results.push(await outcome(call).then(failureOf));
  await handle.close();
  const stream = fs.createWriteStream('full/streamed');
  stream.end(BYTES);
  results.push(await failed(stream));
  fs.rmSync('full/filled');
  fs.rmSync('full/whole', { force: true });
  fs.writeFileSync('full/again', 'there is room again');
  return [...results, fs.readFileSync('full/again', 'utf8')];
}

function failed(stream: Readable | Writable): Promise<Error> {
  return new Promise((resolve) => stream.on('error', resolve));
}

async function exhausted(): Promise<unknown[]> {
  const open: number[] = [];
  const last = outcomeSync(() => {
    for (;;) open.push(fs.openSync('mine', 'r+'));
  });
  const results = await allOf([
    ['open', 'mine', 'r+'],
    ['open', 'mine', 'r'],
    ['readFile', 'mine'],
    ['readFile', 'mine', 'utf8'],
    ['writeFile', 'new', 'x'],
    ['appendFile', 'new', 'x'],
    ['copyFile', 'mine', 'copy'],
    ['opendir', 'folder'],
    ['readdir', 'folder'],
    ['readdir', 'folder', { withFileTypes: true, recursive: true }],
    ['truncate', 'mine', 1],
    ['stat', 'mine'],
  ]);
  for (const stream of [fs.createReadStream('mine'), fs.createWriteStream('new')])
    results.push(await failed(stream));
  for (const descriptor of open) fs.closeSync(descriptor);
  return [open.length > 10, last, ...results, fs.readFileSync('mine', 'utf8')];
}
