/** Whole files in one trip: the forms of lib/fs.js that exist for it, and fast paths for those that would take three. */
import nodeFs from 'node:fs';
import { likeOriginal } from '../../src/base/shape.ts';
import type { LocalContext } from '../../src/patch.ts';
import type { FsApi } from './api.ts';
import type { FsBinding, NativeFunction } from './binding.ts';
import { descriptorRequest } from './descriptor-dispatch.ts';
import { findDescriptor, isVirtual, noteChange } from './descriptors.ts';
import type { Driver, Request } from './driver.ts';
import { localError, uvError } from './errors.ts';
import { openFlags } from './flags.ts';
import type { PathRoute, PathRouter } from './paths.ts';

/** The usual ones: others take Node's own way, which validates them. */
const PLAIN_FLAGS = new Set(['w', 'wx', 'a']);
const DEFAULT_MODE = 0o666;

/** readFileUtf8(pathOrFd, flags): readFileSync with an encoding; also how the ES module loader reads. */
export function readFileUtf8Dispatcher(
  binding: FsBinding,
  router: PathRouter,
  driver: Driver,
): NativeFunction {
  const original = binding['readFileUtf8'] as NativeFunction;
  return function dispatch(this: unknown, ...args: unknown[]): unknown {
    const [file, flags] = args;
    if (isVirtual(file)) return wholeDescriptor(file, driver, dispatch);
    if (router.local) return original.apply(this, args);
    const route = router.routeUnlessLoader(file, 'open', dispatch);
    if (route === undefined) return original.apply(this, args);
    const request: Request = {
      target: route.target,
      method: 'readFile',
      args: [route.path, Number(flags)],
      result: asText,
      error: (error, above) =>
        localError(error, { path: readError(error) ? undefined : file, above }),
    };
    return driver.run(request, undefined, dispatch);
  };
}

/** Reading a directory fails at `read`, which has no path (EISDIR). */
function readError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.syscall === 'read';
}

function asText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
}

function wholeDescriptor(fd: number, driver: Driver, dispatch: NativeFunction): unknown {
  const descriptor = findDescriptor(fd);
  if (descriptor === undefined) throw uvError('EBADF', 'read', { above: dispatch });
  const before = descriptor.takeSkip();
  if (before > 0)
    driver.run(descriptorRequest(descriptor, 'read', 'read', [0, -1, before]), undefined, dispatch);
  return driver.run(
    descriptorRequest(descriptor, 'readRest', 'read', [], asText),
    undefined,
    dispatch,
  );
}

/** writeFileUtf8(pathOrFd, text, flags, mode). */
export function writeFileUtf8Dispatcher(
  binding: FsBinding,
  router: PathRouter,
  driver: Driver,
): NativeFunction {
  const original = binding['writeFileUtf8'] as NativeFunction;
  return function dispatch(this: unknown, ...args: unknown[]): unknown {
    const [file, text, flags, mode] = args as [unknown, string, number, number];
    if (isVirtual(file)) return writeDescriptor(file, Buffer.from(text), driver, dispatch);
    if (router.local) return original.apply(this, args);
    const route = router.route(file, 'open');
    if (route === undefined) return original.apply(this, args);
    return driver.run(
      writeRequest(route, file, Buffer.from(text), flags, mode),
      undefined,
      dispatch,
    );
  };
}

function writeDescriptor(
  fd: number,
  bytes: Buffer,
  driver: Driver,
  dispatch: NativeFunction,
): unknown {
  const descriptor = findDescriptor(fd);
  if (descriptor === undefined) throw uvError('EBADF', 'write', { above: dispatch });
  noteChange(descriptor.target.connection);
  return driver.run(
    descriptorRequest(descriptor, 'write', 'write', [bytes, null], () => undefined),
    undefined,
    dispatch,
  );
}

function writeRequest(
  route: PathRoute,
  path: unknown,
  bytes: Uint8Array,
  flags: number,
  mode: number,
): Request {
  noteChange(route.target.connection);
  return {
    target: route.target,
    method: 'writeFile',
    args: [route.path, bytes, flags, mode],
    error: (error, above) =>
      localError(error, {
        path: (error as NodeJS.ErrnoException | null)?.syscall === 'write' ? undefined : path,
        above,
      }),
  };
}

type WriteFile = (...args: never[]) => unknown;

/**
 * fs.writeFile, writeFileSync and promises.writeFile open, write and close. The plain case (a path, data that needs no
 * questions, usual options) goes in one trip; anything else takes Node's own way over the dispatchers below it.
 */
export function substituteWriteFile(
  context: LocalContext<FsApi>,
  router: PathRouter,
  driver: Driver,
  kUsePromises: symbol,
): void {
  const plan = (
    args: readonly unknown[],
  ): ((dispatch: NativeFunction, mode: unknown) => unknown) | undefined => {
    if (router.local) return undefined;
    const plain = plainWrite(args);
    if (plain === undefined) return undefined;
    const route = router.route(plain.path, 'open');
    if (route === undefined) return undefined;
    return (dispatch, mode) =>
      driver.run(
        writeRequest(route, plain.path, plain.bytes, plain.flags, plain.mode),
        mode,
        dispatch,
      );
  };
  const { writeFile, writeFileSync } = nodeFs;
  const promised = nodeFs.promises.writeFile;
  function writeFileSyncInScope(this: unknown, ...args: unknown[]): unknown {
    const run = plan(args);
    return run === undefined
      ? (writeFileSync as WriteFile).apply(this, args as never[])
      : run(writeFileSyncInScope, undefined);
  }
  async function promisedWriteFile(this: unknown, ...args: unknown[]): Promise<unknown> {
    const run = plan(args);
    return run === undefined
      ? (promised as WriteFile).apply(this, args as never[])
      : run(promisedWriteFile, kUsePromises);
  }
  function writeFileInScope(this: unknown, ...args: unknown[]): unknown {
    const callback = args.at(-1);
    const run =
      typeof callback === 'function' && args.length >= 3 ? plan(args.slice(0, -1)) : undefined;
    if (run === undefined) return (writeFile as unknown as WriteFile).apply(this, args as never[]);
    return run(writeFileInScope, { oncomplete: callback });
  }
  context.replace(
    nodeFs,
    'writeFileSync',
    likeOriginal(writeFileSync, writeFileSyncInScope as typeof writeFileSync),
  );
  context.replace(
    nodeFs.promises,
    'writeFile',
    likeOriginal(promised, promisedWriteFile as typeof promised),
  );
  context.replace(
    nodeFs,
    'writeFile',
    likeOriginal(writeFile, writeFileInScope as unknown as typeof writeFile),
  );
}

interface PlainWrite {
  readonly path: string;
  readonly bytes: Buffer;
  readonly flags: number;
  readonly mode: number;
}

function plainWrite([path, data, options]: readonly unknown[]): PlainWrite | undefined {
  if (typeof path !== 'string' || path.includes('\0')) return undefined;
  const settings = plainOptions(options);
  if (settings === undefined || !PLAIN_FLAGS.has(settings.flag ?? 'w')) return undefined;
  const bytes = plainData(data, settings.encoding ?? 'utf8');
  return bytes === undefined
    ? undefined
    : { path, bytes, flags: openFlags(settings.flag ?? 'w'), mode: settings.mode ?? DEFAULT_MODE };
}

interface PlainOptions {
  readonly encoding?: BufferEncoding | null;
  readonly flag?: string;
  readonly mode?: number;
}

const PLAIN_KEYS = new Set(['encoding', 'flag', 'mode']);

function plainOptions(options: unknown): PlainOptions | undefined {
  if (options == null) return {};
  if (typeof options === 'string')
    return Buffer.isEncoding(options) ? { encoding: options } : undefined;
  if (typeof options !== 'object' || Object.keys(options).some((key) => !PLAIN_KEYS.has(key)))
    return undefined;
  const { encoding, flag, mode } = options as Record<string, unknown>;
  if (encoding != null && !(typeof encoding === 'string' && Buffer.isEncoding(encoding)))
    return undefined;
  if (flag !== undefined && typeof flag !== 'string') return undefined;
  if (mode !== undefined && !(Number.isInteger(mode) && (mode as number) >= 0)) return undefined;
  return options as PlainOptions;
}

function plainData(data: unknown, encoding: BufferEncoding): Buffer | undefined {
  if (typeof data === 'string') return Buffer.from(data, encoding);
  if (!ArrayBuffer.isView(data)) return undefined;
  return Buffer.from(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
}
