/** The binding's functions that take a descriptor: far files are known by their number, whatever scope is current. */
import { type FsApi, MAX_PIECE } from './api.ts';
import { NEVER, REQUEST_INDEX } from './binding.ts';
import { closeLater } from './closing.ts';
import {
  type FarFile,
  isDescriptor,
  type OpenFile,
  openFile,
  removeFile,
  type WrittenFile,
} from './descriptors.ts';
import type { Call, Operation } from './dispatch.ts';
import { systemError } from './errors.ts';
import { noteChange } from './open-ahead.ts';
import { readFileContext, readRestIntoContext } from './read-file.ts';
import { moved, readBytes } from './reading.ts';
import { bytesOf, statsArray } from './values.ts';
import { ask, failing, known, type Task, type Work } from './work.ts';

export interface FileOperation {
  readonly name: string;
  readonly syscall: string;
  /** The operation changes no file. */
  readonly reads?: boolean;
  readonly work: (file: FarFile, call: Call) => Work;
  /** For a file that `fs.writeFile` believes open. */
  readonly written?: (file: WrittenFile, call: Call) => Work;
}

export function fileOperation(spec: FileOperation): Operation {
  return {
    request: REQUEST_INDEX[spec.name] ?? NEVER,
    concerns: isDescriptor,
    plan: (call) => fileTask(spec, openFile(call.args[0] as number), call),
  };
}

/** A number of ours that is not open was closed: Node's own function knows no such number, and says the same. */
export function fileTask(
  spec: FileOperation,
  file: OpenFile | undefined,
  call: Call,
): Task | undefined {
  if (file === undefined) return undefined;
  const shown = { syscall: spec.syscall, file: true };
  const { target } = file;
  if (file.kind === 'written')
    return { target, shown, work: spec.written?.(file, call) ?? failing(notOpen(spec)) };
  if (spec.reads !== true) noteChange(target);
  return { target, shown, work: spec.work(file, call) };
}

function notOpen({ syscall }: FileOperation): Error {
  return systemError({ code: 'EBADF', syscall });
}

/** The current position is -1 on the wire. Node says null or undefined, and takes what is no safe integer as such. */
function positionOf(value: unknown): number | bigint {
  return typeof value === 'bigint' || Number.isSafeInteger(value) ? (value as number | bigint) : -1;
}

/** What the binding's `read` and `writeBuffer` are given. */
type BufferArgs = [
  fd: number,
  buffer: ArrayBufferView,
  offset: number,
  length: number,
  position: unknown,
];

function* read(file: FarFile, { args, form }: Call): Work<number> {
  const [, buffer, offset, length, position] = args as BufferArgs;
  const into = bytesOf(buffer).subarray(Number(offset), Number(offset) + length);
  return yield* readBytes(file, into, positionOf(position), form !== 'sync');
}

function* readBuffers(file: FarFile, { args, form }: Call): Work<number> {
  const views = (args[1] as ArrayBufferView[]).map(bytesOf);
  if (views.length === 0) throw systemError({ code: 'EINVAL', syscall: 'read' });
  const all = new Uint8Array(views.reduce((total, view) => total + view.length, 0));
  const length = yield* readBytes(file, all, positionOf(args[2]), form !== 'sync');
  let at = 0;
  for (const view of views) {
    if (at >= length) break;
    view.set(all.subarray(at, Math.min(at + view.length, length)));
    at += view.length;
  }
  return length;
}

export function* writeBytes(
  file: FarFile,
  bytes: Uint8Array,
  position: number | bigint,
): Work<number> {
  let done = 0;
  do {
    const piece = bytes.subarray(done, done + MAX_PIECE);
    const written = yield* ask('write', file.id, piece, moved(position, done));
    done += written;
    if (written < piece.length) break;
  } while (done < bytes.length);
  return done;
}

/** The bytes that one of the three write functions was given, and where they go. */
export function toWrite(
  name: string,
  args: readonly unknown[],
): [bytes: Uint8Array, position: number | bigint] {
  if (name === 'writeString') {
    return [
      Buffer.from(args[1] as string, (args[3] ?? 'utf8') as BufferEncoding),
      positionOf(args[2]),
    ];
  }
  if (name === 'writeBuffers') {
    const views = (args[1] as ArrayBufferView[]).map(bytesOf);
    return [
      views.length === 1 && views[0] !== undefined ? views[0] : Buffer.concat(views),
      positionOf(args[2]),
    ];
  }
  const [, buffer, offset, length, position] = args as BufferArgs;
  const bytes = bytesOf(buffer);
  const start = offset ?? 0;
  return [bytes.subarray(start, start + (length ?? bytes.length - start)), positionOf(position)];
}

function writing(name: string): FileOperation {
  return {
    name,
    syscall: 'write',
    work: (file, { args }) => writeBytes(file, ...toWrite(name, args)),
    written: (file, { args }) =>
      file.failure === undefined ? known(toWrite(name, args)[0].length) : failing(file.failure),
  };
}

function fstat(file: FarFile, call: Call): Work {
  // fs.readFile of a descriptor asks for the stats first.
  if (readFileContext(call.request)?.isUserFd === true)
    return readRestIntoContext(call.request, file);
  return stats(file, call);
}

function* stats(file: FarFile, { args }: Call): Work {
  const ahead = file.reader?.ahead;
  if (ahead?.fresh() === true) return statsArray(ahead.stats, args[1]);
  return statsArray(yield* ask('fstat', file.id), args[1]);
}

const close: FileOperation = {
  name: 'close',
  syscall: 'close',
  reads: true,
  work: (file) => {
    file.numbers--;
    if (file.numbers > 0) return known(undefined);
    if (!file.readOnly) return ask('close', file.id);
    closeLater(file.target, file.id);
    return known(undefined);
  },
  written: () => known(undefined),
};

/** The descriptor is free as soon as `close` is called, as the kernel's are. */
export function closeOperation(): Operation {
  return {
    request: REQUEST_INDEX['close'] as number,
    concerns: isDescriptor,
    plan: (call) => fileTask(close, removeFile(call.args[0] as number), call),
  };
}

/** For a FileHandle, which closes its descriptor itself. */
export function closeTask(file: OpenFile): Task | undefined {
  return fileTask(close, file, {
    args: [],
    form: 'promise',
    request: undefined,
    substitute: () => undefined,
  });
}

type NumbersOnly = 'ftruncate' | 'fsync' | 'fdatasync' | 'fchmod' | 'fchown' | 'futimes';

function numbers(name: NumbersOnly, count: number, syscall: string = name): FileOperation {
  return {
    name,
    syscall,
    work: (file, { args }) =>
      ask(name, ...([file.id, ...args.slice(1, 1 + count)] as Parameters<FsApi[NumbersOnly]>)),
  };
}

export const FILE_OPERATIONS: readonly FileOperation[] = [
  { name: 'read', syscall: 'read', reads: true, work: read },
  { name: 'readBuffers', syscall: 'read', reads: true, work: readBuffers },
  writing('writeBuffer'),
  writing('writeBuffers'),
  writing('writeString'),
  { name: 'fstat', syscall: 'fstat', reads: true, work: fstat },
  numbers('ftruncate', 1),
  numbers('fsync', 0),
  numbers('fdatasync', 0),
  numbers('fchmod', 1),
  numbers('fchown', 2),
  numbers('futimes', 2, 'futime'),
];
