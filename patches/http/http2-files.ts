/**
 * Files that an HTTP/2 server sends by `respondWithFile` and `respondWithFD`. Node's native half reads a descriptor of
 * this process by itself; far files are read here, and written to the stream. All checks stay Node's own.
 */
import fs from 'node:fs';
import type http2 from 'node:http2';
import net from 'node:net';
import { type FarDescriptor, farDescriptor } from '../../src/base/far-handles.ts';
import type { LocalContext } from '../../src/patch.ts';

type Stream = http2.ServerHttp2Stream;
type Headers = http2.OutgoingHttpHeaders;
/** The event and its arguments. */
type Emit = (this: net.Server, ...args: unknown[]) => boolean;
type Options = {
  statCheck?: (
    this: Stream,
    stats: fs.Stats,
    headers: Headers,
    range: Range | undefined,
  ) => unknown;
  onError?: (error: NodeJS.ErrnoException) => void;
  waitForTrailers?: boolean;
  offset?: number;
  length?: number;
};
type Respond = (this: Stream, file: unknown, headers?: Headers, options?: Options) => void;
interface FileMethods {
  respondWithFD: Respond;
  respondWithFile: Respond;
}

/** Bytes; a negative offset is the file's own position, a negative length all the rest. */
interface Range {
  offset: number;
  length: number;
}

const NO_PAYLOAD: ReadonlySet<number> = new Set([204, 205, 304]);
const INTERNAL_ERROR = 2;

/** The class of such streams is not exported: it is met with the first one. */
export function installHttp2Files(context: LocalContext<never>): void {
  const original = net.Server.prototype.emit as Emit;
  let met = false;
  const value: Emit = function emit(this: net.Server, ...args) {
    if (args[0] === 'stream' && !met) {
      const methods = methodsOf(args[1]);
      met = methods !== undefined;
      if (methods !== undefined) installOn(context, methods);
    }
    return Reflect.apply(original, this, args);
  };
  context.redefine(net.Server.prototype, 'emit', {
    value,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}

function methodsOf(stream: unknown): FileMethods | undefined {
  if (typeof stream !== 'object' || stream === null) return undefined;
  const prototype = Object.getPrototypeOf(stream) as Partial<FileMethods> | null;
  return prototype !== null && Object.hasOwn(prototype, 'respondWithFD')
    ? (prototype as FileMethods)
    : undefined;
}

function installOn(context: LocalContext<never>, methods: FileMethods): void {
  const { respondWithFD, respondWithFile } = methods;

  context.replace(methods, 'respondWithFD', function (this: Stream, file, headers, options) {
    const far = farDescriptor(numberOf(file));
    if (far === undefined || !mayRespond(this, headers, options))
      return Reflect.apply(respondWithFD, this, [file, headers, options]);
    if (options?.statCheck === undefined) {
      const { offset = 0, length = -1 } = options ?? {};
      return send(this, far, { ...headers }, options, { offset, length });
    }
    const checked = { ...options, statCheck: checkThenSend(options, () => far) };
    return Reflect.apply(respondWithFD, this, [file, headers, checked]);
  });

  context.replace(methods, 'respondWithFile', function (this: Stream, path, headers, options) {
    if (typeof (options ?? {}) !== 'object' || !isCheck(options?.statCheck))
      return Reflect.apply(respondWithFile, this, [path, headers, options]);
    const checked = { ...options, statCheck: checkThenSend(options ?? {}, openedBy) };
    return Reflect.apply(respondWithFile, this, [path, headers, checked]);
  });
}

function numberOf(file: unknown): number {
  const fd = typeof file === 'object' && file !== null ? (file as { fd?: unknown }).fd : file;
  return typeof fd === 'number' ? fd : -1;
}

const isCheck = (check: unknown): boolean => check === undefined || typeof check === 'function';

/** False for what Node refuses, which it then does itself. */
function mayRespond(stream: Stream, headers: Headers | undefined, options?: Options): boolean {
  if (stream.destroyed || stream.closed || stream.headersSent) return false;
  if ((stream as { headRequest?: boolean }).headRequest === true) return false;
  if (NO_PAYLOAD.has(Number(headers?.[':status'] ?? 200))) return false;
  if (options === undefined || options === null) return true;
  const isNumber = (value: unknown): boolean => value === undefined || typeof value === 'number';
  const { offset, length, statCheck } = options;
  return isNumber(offset) && isNumber(length) && isCheck(statCheck);
}

/** The descriptor that Node has opened for `respondWithFile`. */
function openedBy(stream: Stream): FarDescriptor | undefined {
  const state = Object.getOwnPropertySymbols(stream)
    .filter(({ description }) => description === 'state')
    .map((symbol) => Reflect.get(stream, symbol) as { fd?: unknown } | undefined)
    .find((found) => typeof found?.fd === 'number');
  return farDescriptor(numberOf(state));
}

/**
 * Node asks `statCheck` when all else is right, and sends nothing when the answer is `false`: then it closes the file that
 * it has opened, so ours is another descriptor of the same.
 */
function checkThenSend(
  options: Options,
  fileOf: (stream: Stream) => FarDescriptor | undefined,
): NonNullable<Options['statCheck']> {
  return function statCheck(this: Stream, stats, headers, range) {
    const { statCheck: own } = options;
    const args = range === undefined ? [stats, headers] : [stats, headers, range];
    if (own !== undefined && Reflect.apply(own, this, args) === false) return false;
    const far = fileOf(this);
    if (far === undefined) return true;
    if (this.headersSent) return false;
    send(this, far, headers, options, range ?? rangeOf(stats, headers, options));
    return false;
  };
}

/** As `respondWithFile` has it, which also tells the length. */
function rangeOf(stats: fs.Stats, headers: Headers, options: Options): Range {
  if (!stats.isFile()) return { offset: -1, length: -1 };
  const { offset = 0, length = -1 } = options;
  const rest = stats.size - offset;
  const sent = length < 0 ? rest : Math.min(rest, length);
  headers['content-length'] = sent;
  return { offset, length: sent };
}

function send(
  stream: Stream,
  far: FarDescriptor,
  headers: Headers,
  options: Options | undefined,
  range: Range,
): void {
  stream.respond(headers, { waitForTrailers: options?.waitForTrailers === true });
  if (range.length === 0) return void stream.end();
  // What was read ahead counts for the position.
  if (range.offset < 0) far.settle();
  const file = fs.createReadStream('', { fd: far.duplicate(), ...bounds(range) });
  const { write, end } = sealed(stream);
  file.on('data', (bytes) => {
    if (!write(bytes)) file.pause();
  });
  stream.on('drain', () => file.resume());
  file.on('end', end);
  file.on('error', () => stream.close(INTERNAL_ERROR));
  stream.on('close', () => file.destroy());
}

function bounds({ offset, length }: Range): { start?: number; end?: number } {
  const start = Math.max(0, offset);
  return {
    ...(offset < 0 ? {} : { start }),
    ...(length < 0 ? {} : { end: start + length - 1 }),
  };
}

/** To the program the stream is at its end, as in Node; the file is written behind its back. */
function sealed(stream: Stream): { write(bytes: unknown): boolean; end(): void } {
  const { write, end } = stream;
  const own = {
    write(): boolean {
      const error = Object.assign(new Error('write after end'), {
        code: 'ERR_STREAM_WRITE_AFTER_END',
      });
      stream.destroy(error);
      return false;
    },
    end(): Stream {
      return stream;
    },
  };
  for (const [key, value] of Object.entries(own))
    Object.defineProperty(stream, key, { value, writable: true, configurable: true });
  return {
    write: (bytes) => Reflect.apply(write, stream, [bytes]) as boolean,
    end: () => {
      for (const key of Object.keys(own)) Reflect.deleteProperty(stream, key);
      Reflect.apply(end, stream, []);
    },
  };
}
