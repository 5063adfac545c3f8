/** The methods that stand in for a native pipe's own, on the object that Node made. */
import type { ChildTarget } from './api.ts';
import { type NativePipe, streamState } from './binding.ts';
import { errnoOf } from './errno.ts';
import { type FarEnd, FarPipe, type Request } from './pipe.ts';

const FAR: unique symbol = Symbol('elsewhere.pipe');

interface Handle extends NativePipe {
  readonly [FAR]: FarPipe;
}

/** The far pipe behind a handle of Node's. */
export function farPipeOf(handle: unknown): FarPipe | undefined {
  return typeof handle === 'object' && handle !== null ? (handle as Handle)[FAR] : undefined;
}

/** Without `far`: a pipe whose other end is closed. */
export function makeRemote(target: ChildTarget, handle: NativePipe, far: FarEnd | undefined): void {
  const pipe = new FarPipe(target, handle, far);
  Object.defineProperty(handle, FAR, { value: pipe });
  Object.defineProperties(handle, METHODS);
  // Node assigns it: kept here, so that the native half never sees it.
  Object.defineProperty(handle, 'onread', { value: undefined, writable: true });
}

/** Node 26 brings no request (null): it gets one back when the write completes later, else the status. */
function write(
  handle: Handle,
  request: Request | null,
  bytes: Uint8Array,
  sent: unknown,
): number | Request {
  // A socket or server beside a message (`child.send`): no handle can leave this machine.
  if (sent !== undefined && sent !== null) return errnoOf('ENOTSUP');
  const { streamBaseState, kLastWriteWasAsync, kLastWriteErr } = streamState();
  const made: Request = request ?? { writeStatus: null };
  const status = handle[FAR].write(made, bytes);
  if (request !== null || streamBaseState[kLastWriteWasAsync] === 0) return status;
  if (kLastWriteErr !== undefined) streamBaseState[kLastWriteErr] = 0;
  return made;
}

type Written = number | Request;
type Text = (this: Handle, request: Request | null, text: string, sent?: unknown) => Written;

function textWriter(encoding: BufferEncoding): Text {
  return function writeText(request, text, sent) {
    return write(this, request, Buffer.from(text, encoding), sent);
  };
}

/** `all`: a list of buffers, else of chunks and their encodings in turn. */
function joined(chunks: readonly unknown[], all: boolean): Uint8Array {
  if (all) return Buffer.concat(chunks as Uint8Array[]);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < chunks.length; at += 2) {
    const chunk = chunks[at];
    parts.push(
      typeof chunk === 'string'
        ? Buffer.from(chunk, chunks[at + 1] as BufferEncoding)
        : (chunk as Uint8Array),
    );
  }
  return Buffer.concat(parts);
}

const functions = {
  readStart(this: Handle): number {
    return this[FAR].readStart();
  },
  readStop(this: Handle): number {
    return this[FAR].readStop();
  },
  // A copy: the caller may use its memory again as soon as the write counts as done.
  writeBuffer(this: Handle, request: Request | null, bytes: Uint8Array, sent?: unknown): Written {
    return write(this, request, Buffer.from(bytes), sent);
  },
  writev(this: Handle, request: Request | null, chunks: unknown[], all: boolean): Written {
    return write(this, request, joined(chunks, all), undefined);
  },
  writeUtf8String: textWriter('utf8'),
  writeAsciiString: textWriter('ascii'),
  writeLatin1String: textWriter('latin1'),
  writeUcs2String: textWriter('utf16le'),
  shutdown(this: Handle, request: Request): number {
    return this[FAR].shutdown(request);
  },
  close(this: Handle, done?: () => void): void {
    this[FAR].close(done);
  },
  ref(this: Handle): void {
    this[FAR].referenced = true;
  },
  unref(this: Handle): void {
    this[FAR].referenced = false;
  },
  hasRef(this: Handle): boolean {
    return this[FAR].referenced;
  },
  setBlocking: (): number => 0,
  fchmod: (): number => errnoOf('ENOTSUP'),
};

const facts: Record<string, (pipe: FarPipe) => unknown> = {
  writeQueueSize: (pipe) => pipe.writeQueueSize,
  bytesRead: (pipe) => pipe.bytesRead,
  bytesWritten: (pipe) => pipe.bytesWritten,
  // As that of a pipe which is closed: there is no such number here.
  fd: () => -1,
  // Native readers (TLS) would look behind these methods.
  isStreamBase: () => false,
};

const METHODS: PropertyDescriptorMap = {};
for (const [name, value] of Object.entries(functions))
  METHODS[name] = { value, configurable: true, writable: true, enumerable: false };
for (const [name, fact] of Object.entries(facts))
  METHODS[name] = {
    configurable: true,
    enumerable: false,
    get(this: Handle): unknown {
      return fact(this[FAR]);
    },
  };
