/**
 * The near end of a remote socket: what lies between a handle, which Node's own `net.Socket` drives, and the byte stream
 * to the far side. It holds the state of one connection; the handle only passes calls on.
 */
import { AsyncResource } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import { handleActive, handleIdle } from '../../src/base/activity.ts';
import { enqueue } from '../../src/base/event-queue.ts';
import { errnoOf } from '../../src/base/system-errors.ts';
import type { ByteStream, StreamHandler, Target } from '../../src/patch.ts';
import type { Address, Command, Dial, NetCalls, NetStreams, Report } from './api.ts';
import { systemError } from './errno.ts';
import { errorAtOnce, giveDetails, refusalCode, refusedBy, withCause } from './failures.ts';
import { dialledPlace, type SocketPlace } from './far-path.ts';
import { beginsWithPreface, Http2Frames } from './http2-frames.ts';
import type { Failure } from './inbox.ts';
import type { ConnectRequest, NativeHandle, NativeStream } from './internals.ts';
import { Outbox } from './outbox.ts';
import { lengthOf, OwnWrite, ownCopies } from './own-write.ts';
import { Reader } from './reader.ts';
import { observeRoundTrip } from './round-trip.ts';

export type NetTarget = Target<NetCalls, NetStreams>;

/** Where a remote handle keeps its link. */
export const LINK: unique symbol = Symbol('elsewhere.link');

/** The link of a handle, when it is a remote one. */
export function linkOf(handle: unknown): Link | undefined {
  return typeof handle === 'object' && handle !== null
    ? (handle as { [LINK]?: Link })[LINK]
    : undefined;
}

/** The socket above a handle, as far as the link deals with it. */
export interface Owner extends Pick<EventEmitter, 'prependOnceListener' | 'removeListener'> {
  destroy(error: Error): void;
  readonly autoSelectFamilyAttemptedAddresses?: unknown;
}

export interface LinkSurroundings {
  readonly stream: NativeStream;
  owner(): Owner | undefined;
  /** A native handle that was never opened: its `close` comes back in the phase in which libuv closes handles. */
  phantom(): NativeHandle;
  /** Whether it is TLS that writes natively; else it is HTTP/2. */
  readByTls(): boolean;
}

type State = 'new' | 'connecting' | 'open' | 'failed' | 'closed';

interface Attempt {
  readonly request: ConnectRequest;
  readonly dial: Dial;
  readonly since: number;
}

export class Link implements StreamHandler {
  readonly target: NetTarget;
  readonly reader: Reader;
  local: Address | undefined;
  remote: Address | undefined;
  /** What `bind` was told, for the far side to do. */
  bound: Pick<Dial, 'localAddress' | 'localPort'> = {};
  typeOfService = 0;
  noDelay = false;
  /** Of a unix socket, by the scope's rules. */
  place: SocketPlace | undefined;
  /** Bytes that were written without native code, which counts the others. */
  ownBytesWritten = 0;

  readonly around: LinkSurroundings;
  readonly #resource: AsyncResource = new AsyncResource('ELSEWHERESOCKET', {
    requireManualDestroy: true,
  });
  readonly #outbox: Outbox;
  readonly #early: Command[] = [];
  #ahead: Uint8Array | undefined;
  #sentAhead = 0;
  #stream: ByteStream | undefined;
  #state: State = 'new';
  #attempt: Attempt | undefined;
  #shutdown: object | undefined;
  #ended = false;
  /** Of the far socket. Writes hear of it before reads do, and also behind the end, where nothing is read any more. */
  #failure: Failure | undefined;
  #over = false;
  #referenced = true;
  #holding = false;
  #active = false;

  constructor(around: LinkSurroundings, target: NetTarget) {
    this.around = around;
    this.target = target;
    this.#outbox = new Outbox(
      (request, error) => this.#written(request, error),
      () => this.#settleHold(),
    );
    this.reader = new Reader(around.stream, {
      failed: (failure) => this.#fail(failure),
      pause: (on) => this.#pause(on),
      changed: () => this.#settleHold(),
    });
  }

  // What Node asks of the handle.

  connect(request: ConnectRequest, dial: Dial): number {
    if (this.#state !== 'new')
      return errnoOf(this.#state === 'connecting' ? 'EALREADY' : 'EISCONN');
    this.#state = 'connecting';
    this.#attempt = { request, dial, since: performance.now() };
    const denied = this.target.scope.forbids(dialledPlace(dial), this.target.connection);
    if (denied !== undefined) {
      enqueue(() => this.#connectFailed(refusedBy(denied)));
      return 0;
    }
    this.#stream = this.target.open('connect', [dial], this);
    for (const command of this.#early) this.#stream.signal(command);
    if (this.#ahead !== undefined) this.#sendAhead(this.#stream, this.#ahead);
    this.#settleHold();
    return 0;
  }

  /** Begins as the socket that a server of the far side accepted; `stream` tells it from now on. */
  adopt(
    stream: ByteStream,
    { local, remote }: Pick<Report & { kind: 'connected' }, 'local' | 'remote'>,
  ): void {
    this.#stream = stream;
    this.#state = 'open';
    this.local = local;
    this.remote = remote;
    this.#settleActivity();
  }

  /** The write that Node will make once connected, sent before. Only once, and only to the one address there is. */
  writeEarly(bytes: Uint8Array): void {
    if (this.#ahead !== undefined) return;
    this.#ahead = bytes;
    if (this.#stream !== undefined && this.#state === 'connecting')
      this.#sendAhead(this.#stream, bytes);
  }

  #sendAhead(stream: ByteStream, bytes: Uint8Array): void {
    // Among several attempts, two might receive it.
    if (this.around.owner()?.autoSelectFamilyAttemptedAddresses !== undefined) return;
    stream.write(bytes);
    this.#sentAhead = bytes.length;
  }

  /** Returns what Node's code expects of its handle. */
  write(write: OwnWrite, buffers: readonly Uint8Array[]): unknown {
    const length = lengthOf(buffers);
    this.ownBytesWritten += length;
    const refused = this.#refusal();
    if (refused !== 0 || this.#stream === undefined) return write.over(length, refused);
    const copies = ownCopies(this.#withoutSent(buffers));
    const done = this.#outbox.write(this.#stream, write, copies);
    this.#settleHold();
    return done ? write.over(length, 0) : write.later(length);
  }

  /**
   * Called by native code, with copies. Any code but 0 makes it treat the request as done: HTTP/2 then goes on, TLS would take
   * it for a failure. HTTP/2 must not have to wait: until a write is done it sends nothing more, and of a stream that is
   * destroyed meanwhile it forgets what was to be sent.
   */
  writeNative(request: object, buffers: readonly Uint8Array[]): number {
    const refused = this.#refusal();
    if (refused !== 0 || this.#stream === undefined) return refused;
    const http2 = !this.around.readByTls();
    if (http2) this.reader.frames ??= new Http2Frames(!beginsWithPreface(buffers[0]));
    const done = this.#outbox.write(this.#stream, request, this.#withoutSent(buffers));
    this.#settleHold();
    if (done && !http2) enqueue(() => this.#finishWrite(request, 0));
    return done && http2 ? errnoOf('EAGAIN') : 0;
  }

  /** Node's first write is the one that was sent ahead, whole. */
  #withoutSent(buffers: readonly Uint8Array[]): readonly Uint8Array[] {
    if (this.#sentAhead === 0) return buffers;
    const rest = Buffer.concat(buffers).subarray(this.#sentAhead);
    this.#sentAhead = 0;
    return [rest];
  }

  #refusal(): number {
    if (this.#state === 'closed' || this.#stream === undefined) return errnoOf('EBADF');
    if (this.#ended) return errnoOf('EPIPE');
    return this.#failure === undefined ? 0 : errnoOf(this.#failure.code);
  }

  shutdown(request: object): number {
    if (this.#state !== 'open' || this.#stream === undefined || this.#ended)
      return errnoOf('ENOTCONN');
    this.#ended = true;
    this.#shutdown = request;
    this.#stream.signal({ kind: 'shutdown' } satisfies Command);
    // The far side's answer would not get through behind unread bytes.
    if (this.#over || this.reader.paused || this.#failure !== undefined) this.#shutdownDone();
    this.#settleHold();
    return 0;
  }

  command(command: Command): void {
    if (this.#stream === undefined) this.#early.push(command);
    else this.#stream.signal(command);
  }

  /** Bytes that Node counts as not written yet; it compares them to see progress. */
  get writeQueueSize(): number {
    return this.#outbox.owed === 0 ? 0 : (this.#stream?.buffered ?? 0);
  }

  get referenced(): boolean {
    return this.#referenced && this.#state !== 'closed';
  }

  set referenced(on: boolean) {
    this.#referenced = on;
    this.#settleHold();
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** Like libuv's: requests under way are cancelled in the closing phase, then `done` is called. A second call does nothing. */
  close(done?: () => void): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.reader.close();
    if (this.#outbox.owed > 0) this.#stream?.reset('ECANCELED');
    else this.#stream?.end();
    this.around.phantom().close(() => this.#closing(done));
    this.#settleHold();
  }

  #closing(done: (() => void) | undefined): void {
    const { stream } = this.around;
    const cancelled = errnoOf('ECANCELED');
    this.#answer(cancelled);
    for (const request of this.#outbox.forsake()) this.#finishWrite(request, cancelled);
    if (this.#shutdown !== undefined) stream.finishShutdown(this.#shutdown, cancelled);
    this.#shutdown = undefined;
    if (done !== undefined) this.#resource.runInAsyncScope(done, stream);
  }

  // What the far side tells.

  data(bytes: Uint8Array): void {
    this.reader.arrived(bytes);
  }

  signal(value: unknown): void {
    const report = value as Report;
    if (report.kind === 'connected') enqueue(() => this.#connected(report));
    else if (report.kind === 'failed') enqueue(() => this.#connectFailed(withCause(report)));
    else if (report.kind === 'shutdown') this.#shutdownDone();
    else if (report.kind === 'eof') this.reader.arrived('eof');
    else this.#broken(report);
  }

  /** The far socket is closed; all there was to say about it came before. */
  end(): void {
    this.#over = true;
    this.#shutdownDone();
  }

  /** The stream is over. With an error: the connection to the far side is lost, or it refused the stream. */
  closed(error: Error | undefined): void {
    this.#over = true;
    this.#shutdownDone();
    if (error === undefined || this.#state === 'closed') return;
    enqueue(() => this.#lose(error));
  }

  #lose(error: Error): void {
    if (this.#state === 'connecting')
      return this.#connectFailed({ code: refusalCode(error), syscall: 'connect', cause: error });
    if (this.#state === 'open') this.#fail({ code: 'ECONNRESET', syscall: 'read', cause: error });
  }

  #connected(report: Report & { kind: 'connected' }): void {
    if (this.#attempt === undefined || this.#state !== 'connecting') return;
    observeRoundTrip(this.target.connection, performance.now() - this.#attempt.since - report.took);
    this.#state = 'open';
    this.local = report.local;
    this.remote = report.remote;
    this.#settleHold();
    this.#answer(0);
  }

  #connectFailed(failure: Failure): void {
    if (this.#attempt === undefined || this.#state !== 'connecting') return;
    this.#state = 'failed';
    this.#settleHold();
    const owner = this.around.owner();
    const atOnce = errorAtOnce(owner, this.#attempt.dial, failure);
    if (owner !== undefined && atOnce !== undefined)
      return this.#resource.runInAsyncScope(() => owner.destroy(atOnce));
    const takeBack = giveDetails(owner, this.#attempt.request, failure);
    try {
      this.#answer(errnoOf(failure.code));
    } finally {
      takeBack();
    }
  }

  /** Completes the pending connect, if there is one and Node still wants to know. */
  #answer(status: number): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    const oncomplete = attempt?.request.oncomplete;
    if (attempt === undefined || typeof oncomplete !== 'function') return;
    this.#resource.runInAsyncScope(
      oncomplete,
      attempt.request,
      status,
      this.around.stream,
      attempt.request,
      true,
      true,
    );
  }

  #broken(failure: Failure): void {
    this.#failure = failure;
    for (const request of this.#outbox.forsake())
      enqueue(() => this.#finishWrite(request, errnoOf(failure.code)));
    this.#shutdownDone();
    this.reader.arrived(failure);
  }

  #fail(failure: Failure): void {
    const error = systemError(errnoOf(failure.code), failure.syscall, failure.cause);
    this.#resource.runInAsyncScope(() => this.around.owner()?.destroy(error));
  }

  #written(request: object, error: Error | undefined): void {
    const status = error === undefined ? 0 : errnoOf('EPIPE');
    enqueue(() => this.#finishWrite(request, status));
    this.#settleHold();
  }

  #finishWrite(request: object, status: number): void {
    const { stream } = this.around;
    if (request instanceof OwnWrite) request.complete(status, stream);
    else stream.finishWrite(request, status);
  }

  #shutdownDone(): void {
    const request = this.#shutdown;
    if (request === undefined) return;
    this.#shutdown = undefined;
    enqueue(() => this.around.stream.finishShutdown(request, 0));
    this.#settleHold();
  }

  #pause(on: boolean): void {
    if (on) this.#stream?.pause();
    else this.#stream?.resume();
    if (on) this.#shutdownDone();
  }

  // What keeps the process alive.

  #settleHold(): void {
    this.#settleActivity();
    const wanted =
      this.#state === 'closed' ? !this.#outbox.empty : this.#requested() || this.#listening();
    if (wanted === this.#holding) return;
    this.#holding = wanted;
    if (wanted) this.target.hold();
    else this.target.release();
  }

  /** Node counts a handle from its first use until it is closed, unless it was let go. */
  #settleActivity(): void {
    const active = this.referenced && this.#state !== 'new';
    if (active === this.#active) return;
    this.#active = active;
    const { stream, owner } = this.around;
    const name = `${stream.constructor.name}SocketWrap`;
    if (active) handleActive(stream, { name, owner });
    else handleIdle(stream);
  }

  /** As in libuv, where requests keep the process alive also for a handle that was let go. */
  #requested(): boolean {
    return this.#state === 'connecting' || this.#shutdown !== undefined || this.#outbox.owed > 0;
  }

  #listening(): boolean {
    return this.#referenced && this.#state === 'open' && this.reader.active;
  }
}
