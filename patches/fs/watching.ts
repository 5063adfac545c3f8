/**
 * Watching far paths. Node's own watchers stay in use, recursive ones and iterators too: what starts their native
 * handles is replaced, so that the far side watches and tells.
 */
import fs from 'node:fs';
import { posix } from 'node:path';
import { nodeBinding } from '../../src/base/node-binding.ts';
import type { FsContext, PollSignal, WatchSignal, WireStats } from './api.ts';
import type { FsBinding } from './binding.ts';
import { shapeError, systemError } from './errors.ts';
import { FarWatch, takeOver } from './far-watch.ts';
import { givenPath, isPath, type RemotePath, remotePath } from './paths.ts';
import { type PublicFunction, replaceFunction } from './public-forms.ts';
import { decodeName, statsArray } from './values.ts';

/** The native handle under `fs.watch`. */
interface EventHandle {
  /** The `FSWatcher` over it. */
  readonly owner?: { close(): void };
  onchange(status: number, event: string, name: string | Buffer | null): void;
}
/** The native handle under `fs.watchFile`. */
interface PollHandle {
  onchange(status: number, stats: BigInt64Array | Float64Array): void;
  hasRef(): boolean;
}
interface NativeClass<H> {
  readonly prototype: H & {
    start(...args: unknown[]): unknown;
    close(): void;
  };
}

export function replaceWatchers(context: FsContext, binding: FsBinding): void {
  const events = nodeBinding<{ FSEvent?: NativeClass<EventHandle> }>('fs_event_wrap')?.FSEvent;
  if (events !== undefined) replaceEvents(context, events);
  const polls = binding['StatWatcher'] as NativeClass<PollHandle> | undefined;
  if (polls !== undefined) replacePolls(context, polls);
  for (const key of ['watchFile', 'unwatchFile'])
    replaceFunction(context, fs, key, (original) => knownByScope(context, original));
  replaceFunction(context, fs.promises, 'watch', (original) => steppingInScope(context, original));
}

/** `start` returns 0, or the negative number of an error that Node then throws. */
function replaceEvents(context: FsContext, { prototype }: NativeClass<EventHandle>): void {
  const { start } = prototype;
  context.replace(prototype, 'start', function (this: EventHandle, ...args: unknown[]): unknown {
    const given = args[0];
    const path =
      context.target() !== undefined && isPath(given)
        ? remotePath(context, given, 'watch')
        : undefined;
    if (path === undefined) return start.apply(this, args);
    const [, persistent, recursive, encoding] = args;
    try {
      const id = path.target.callSync('watch', path.path, recursive === true);
      tellEvents(this, { path, id, persistent: persistent !== false, encoding });
      return 0;
    } catch (error) {
      return errorNumber(error, given);
    }
  });
}

function errorNumber(error: unknown, path: unknown): number {
  const shaped = shapeError(error, { syscall: 'watch', path }) as NodeJS.ErrnoException;
  if (typeof shaped.errno !== 'number') throw shaped;
  return shaped.errno;
}

const numberOf = (code: string): number =>
  (systemError({ code, syscall: 'watch' }) as NodeJS.ErrnoException).errno ?? -1;

interface Watched {
  readonly path: RemotePath;
  readonly id: number;
  readonly persistent: boolean;
  readonly encoding: unknown;
}

function tellEvents(handle: EventHandle, { path, id, persistent, encoding }: Watched): void {
  const { target } = path;
  const watch = new FarWatch({
    target,
    persistent,
    open: (handler) => target.open('watching', [id], handler),
    signal: (value) => {
      const signal = value as WatchSignal;
      if (typeof signal === 'string') return handle.onchange(numberOf(signal), '', null);
      const [event, name] = signal;
      handle.onchange(0, event, name === undefined ? null : decodeName(name, encoding));
    },
    over: (onPurpose) => {
      // A watcher can be closed; an iterator over events has nobody else to tell.
      if (onPurpose && handle.owner !== undefined) handle.owner.close();
      else handle.onchange(numberOf('EIO'), '', null);
    },
  });
  const close = (): void => {
    watch.close();
    Object.defineProperty(handle, 'initialized', { value: false, configurable: true });
  };
  takeOver(handle, watch, close);
  Object.defineProperty(handle, 'initialized', { value: true, configurable: true });
}

function replacePolls(context: FsContext, { prototype }: NativeClass<PollHandle>): void {
  const { start, close } = prototype;
  context.replace(prototype, 'start', function (this: PollHandle, ...args: unknown[]): unknown {
    const path = pathToPoll(context, args[0]);
    if (path === undefined) return start.apply(this, args);
    tellPolls(this, path, args[1] as number, () => close.call(this));
    return 0;
  });
}

function pathToPoll(context: FsContext, given: unknown): RemotePath | undefined {
  if (starting !== undefined) return starting;
  if (context.target() === undefined || !isPath(given)) return undefined;
  return remotePath(context, given, 'watch');
}

const NO_STATS: WireStats = new BigInt64Array(18);

function tellPolls(
  handle: PollHandle,
  path: RemotePath,
  interval: number,
  closeNative: () => void,
): void {
  const { target } = path;
  const bigint = wantsBigint(handle);
  const tell = (status: number, current: WireStats, previous: WireStats): void => {
    const both = new BigInt64Array(current.length * 2);
    both.set(current);
    both.set(previous, current.length);
    handle.onchange(status, statsArray(both, bigint));
  };
  let last = NO_STATS;
  const watch = new FarWatch({
    target,
    // Node has called `unref` on the handle by now where it is not to keep the process alive.
    persistent: handle.hasRef(),
    open: (handler) => target.open('polling', [path.path, interval], handler),
    signal: (value) => {
      const [code, current, previous] = value as PollSignal;
      last = current;
      tell(code === '' ? 0 : numberOf(code), current, previous);
    },
    // There are no errors here: a file that cannot be reached looks as one that is gone.
    over: (onPurpose) => {
      if (!onPurpose) tell(numberOf('EIO'), NO_STATS, last);
    },
  });
  takeOver(handle, watch, () => {
    watch.close();
    closeNative();
  });
}

/** Node keeps it under a symbol of its own, on the watcher that owns the handle. */
function wantsBigint(handle: object): boolean {
  for (const key of Object.getOwnPropertySymbols(handle)) {
    const owner: unknown = Reflect.get(handle, key);
    if (typeof owner !== 'object' || owner === null) continue;
    const flag = Object.getOwnPropertySymbols(owner).find(
      ({ description }) => description === 'kUseBigint',
    );
    if (flag !== undefined) return Reflect.get(owner, flag) === true;
  }
  return false;
}

/** The far path for which `fs.watchFile` is running. */
let starting: RemotePath | undefined;

const numbers = new WeakMap<object, number>();
let lastNumber = 0;

function connectionNumber(connection: object): number {
  const known = numbers.get(connection);
  if (known !== undefined) return known;
  lastNumber += 1;
  numbers.set(connection, lastNumber);
  return lastNumber;
}

/** Node has one table of polled paths for the whole process, so a far path gets a name there that no local one has. */
function knownByScope(context: FsContext, original: PublicFunction): PublicFunction {
  return function (this: unknown, ...args: unknown[]): unknown {
    const given = context.target() === undefined ? undefined : givenPath(args[0]);
    const path = typeof given === 'string' ? remotePath(context, given, 'watchFile') : undefined;
    if (path === undefined) return original.apply(this, args);
    const side = `/elsewhere:${connectionNumber(path.target.connection)}:`;
    const before = starting;
    starting = path;
    try {
      return original.call(this, side + posix.resolve('/', String(path.path)), ...args.slice(1));
    } finally {
      starting = before;
    }
  };
}

/** The iterator starts to watch at its first step: in the scope that made it, wherever that is taken. */
function steppingInScope(context: FsContext, original: PublicFunction): PublicFunction {
  return function (this: unknown, ...args: unknown[]): unknown {
    const scope = context.target() === undefined ? undefined : context.scope();
    const steps = original.apply(this, args) as AsyncGenerator<unknown>;
    if (scope === undefined) return steps;
    for (const key of ['next', 'return', 'throw'] as const) {
      const step = steps[key].bind(steps) as PublicFunction;
      Object.defineProperty(steps, key, {
        value: (...values: unknown[]) => scope.run(() => step(...values)),
        configurable: true,
        writable: true,
      });
    }
    return steps;
  };
}
