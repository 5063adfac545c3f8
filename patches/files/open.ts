/** Opening: descriptors, file handles, and reading a whole file in the trip that opens it. */
import { AsyncResource } from 'node:async_hooks';
import { constants } from 'node:fs';
import type { Opened } from './api.ts';
import type { FsBinding, NativeFunction } from './binding.ts';
import { addDescriptor, Descriptor, type FsTarget, noteChange } from './descriptors.ts';
import type { Driver, Request } from './driver.ts';
import { localError } from './errors.ts';
import { fileHandle } from './file-handle.ts';
import type { PathRoute, PathRouter } from './paths.ts';

const ACCESS_MODE = 3;
const CHANGING = constants.O_CREAT | constants.O_TRUNC;

/** open(path, flags, mode, request). */
export function openDispatcher(
  binding: FsBinding,
  router: PathRouter,
  driver: Driver,
): NativeFunction {
  const original = binding['open'] as NativeFunction;
  return function dispatch(this: unknown, ...args: unknown[]): unknown {
    if (router.local) return original.apply(this, args);
    const [path, flags, mode, request] = args;
    let route: PathRoute | undefined;
    try {
      // Only the synchronous form can come from the loader.
      route =
        request === undefined
          ? router.routeUnlessLoader(path, 'open', dispatch)
          : router.route(path, 'open');
    } catch (error) {
      return driver.fail(() => error, request, dispatch);
    }
    if (route === undefined) return original.apply(this, args);
    const whole = readFileContext(request);
    if (whole !== undefined) return readWhole(route, path, Number(flags), whole);
    return driver.run(
      openRequest(route, path, Number(flags), Number(mode), addOpened),
      request,
      dispatch,
    );
  };
}

/** openFileHandle(path, flags, mode, kUsePromises). */
export function openFileHandleDispatcher(
  binding: FsBinding,
  router: PathRouter,
  driver: Driver,
): NativeFunction {
  const original = binding['openFileHandle'] as NativeFunction;
  return function dispatch(this: unknown, ...args: unknown[]): unknown {
    if (router.local) return original.apply(this, args);
    const [path, flags, mode, request] = args;
    let route: PathRoute | undefined;
    try {
      route = router.routeUnlessLoader(path, 'open', dispatch);
    } catch (error) {
      return driver.fail(() => error, request, dispatch);
    }
    if (route === undefined) return original.apply(this, args);
    const made = (opened: Opened, target: FsTarget, flags: number): unknown =>
      fileHandle(addOpened(opened, target, flags), binding);
    return driver.run(
      openRequest(route, path, Number(flags), Number(mode), made),
      request,
      dispatch,
    );
  };
}

function openRequest(
  route: PathRoute,
  path: unknown,
  flags: number,
  mode: number,
  made: (opened: Opened, target: FsTarget, flags: number) => unknown,
): Request {
  const { target } = route;
  if ((flags & CHANGING) !== 0) noteChange(target.connection);
  return {
    target,
    method: 'open',
    args: [route.path, flags, mode],
    result: (opened: Opened) => made(opened, target, flags),
    error: (error, above) => localError(error, { path, above }),
  };
}

function addOpened(opened: Opened, target: FsTarget, flags: number): number {
  return addDescriptor(
    new Descriptor(target, opened, (flags & ACCESS_MODE) === constants.O_RDONLY),
  );
}

/**
 * What fs.readFile(path, callback) leaves in its request (lib/internal/fs/read/context.js). Its class keeps the native
 * `read` and `close` of the moment it was loaded, which may have been before ours were there; and one trip is enough.
 */
interface ReadContext {
  readonly isUserFd: boolean;
  readonly callback: (error: unknown, data?: unknown) => void;
  readonly encoding: BufferEncoding | 'buffer' | null | undefined;
  readonly signal: AbortSignal | undefined;
}

function readFileContext(request: unknown): ReadContext | undefined {
  const context = (request as { context?: Partial<ReadContext> } | undefined)?.context;
  if (typeof context?.callback !== 'function' || context.isUserFd !== false) return undefined;
  // With a signal the long way is taken, which can stop between its steps.
  return context.signal === undefined || context.signal === null
    ? (context as ReadContext)
    : undefined;
}

function readWhole(route: PathRoute, path: unknown, flags: number, context: ReadContext): void {
  const { target } = route;
  const done = wholeFileDone(context);
  target.hold();
  target.send('readFile', [route.path, flags], (error, bytes) => {
    target.release();
    if (error !== null) return done(localError(error, { path }));
    done(null, asWanted(bytes as Uint8Array, context.encoding));
  });
}

function asWanted(bytes: Uint8Array, encoding: ReadContext['encoding']): unknown {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return encoding && encoding !== 'buffer' ? buffer.toString(encoding) : buffer;
}

/** In the caller's async context, and in a turn of its own. */
function wholeFileDone(context: ReadContext): (error: unknown, data?: unknown) => void {
  const bound = AsyncResource.bind((error: unknown, data?: unknown) => {
    if (error !== null) context.callback(error);
    else context.callback(null, data);
  });
  return (error, data) => void setImmediate(bound, error, data);
}
