/**
 * The object under Node's own fs code. `lib/fs.js` looks up every function on it at each call, so a function replaced
 * here is seen by everyone, also by references that were taken before. It knows the calling convention, not the work.
 */
import { ElsewhereError } from '../../src/base/errors.ts';
import { nodeBinding } from '../../src/base/node-binding.ts';

export type BindingFunction = (this: unknown, ...args: unknown[]) => unknown;

/** Node's request object of a callback function. */
export interface Request {
  oncomplete(error: unknown, value?: unknown): void;
  /** Set by `fs.readFile`. */
  context?: unknown;
}

export interface FsBinding {
  readonly kUsePromises: symbol;
  readonly statFsValues: Float64Array;
  [name: string]: unknown;
}

/** Throws where Node refuses its bindings: then nothing here could keep files apart, so nothing is substituted. */
export function fsBinding(): FsBinding {
  const binding = nodeBinding<FsBinding>('fs');
  if (binding !== undefined) return binding;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    'Node refuses access to its fs binding in this process (--permission): run without the permission model, or leave the fs patch out',
  );
}

/**
 * Where the request is among the arguments (the same in Node 20 to 26): undefined there means that the call is
 * synchronous, `kUsePromises` that it wants a promise, else it is a request with a callback.
 */
export const REQUEST_INDEX: Readonly<Record<string, number>> = {
  access: 2,
  open: 3,
  openFileHandle: 3,
  close: 1,
  read: 5,
  readBuffers: 3,
  writeBuffer: 5,
  writeBuffers: 3,
  writeString: 4,
  rename: 2,
  ftruncate: 2,
  rmdir: 1,
  fdatasync: 1,
  fsync: 1,
  mkdir: 3,
  readdir: 3,
  readdirRecursive: 3,
  stat: 2,
  lstat: 2,
  fstat: 2,
  statfs: 2,
  readlink: 2,
  symlink: 3,
  link: 2,
  unlink: 1,
  chmod: 2,
  fchmod: 2,
  chown: 3,
  fchown: 3,
  lchown: 3,
  utimes: 3,
  futimes: 3,
  lutimes: 3,
  realpath: 2,
  mkdtemp: 2,
  copyFile: 3,
};
/** Stands in REQUEST_INDEX's place for functions that only exist in the blocking form. */
export const NEVER: number = -1;

/** Functions of the binding that only Node's module loader calls: always local. */
export const LOADER_ONLY: readonly string[] = [
  'getFormatOfExtensionlessFile',
  'internalModuleReadJSON',
  'legacyMainResolve',
];
