/** The handle of a datagram socket whose other end is on the far side, as Node's own `dgram.Socket` drives it. */
import { AsyncResource } from 'node:async_hooks';
import { ElsewhereError } from '../../src/base/errors.ts';
import { enqueue } from '../../src/base/event-queue.ts';
import { REMOTE_HANDLE } from '../../src/base/remote-handle.ts';
import { errnoOf, knownError } from '../../src/base/system-errors.ts';
import type { ByteStream, Target } from '../../src/patch.ts';
import {
  type Bound,
  type DgramCalls,
  type DgramStreams,
  type Failed,
  type Names,
  type Report,
  SETTINGS,
  type Setting,
  type SocketName,
  type SocketType,
} from './api.ts';
import type { NativeUdp, SendRequest } from './binding.ts';

export type DgramTarget = Target<DgramCalls, DgramStreams>;
type Lookup = NativeUdp['lookup'];
type OnMessage = (length: number, handle: object, bytes: Buffer | undefined, from: object) => void;

/** What fits into an IP packet. */
const MAX_DATAGRAM = 65_507;
/** The far side hears of what was taken at every so many bytes. */
const TELL_AFTER = 256 * 1024;

/** There is no far side any more, and nothing else to say. */
const OUT_OF_REACH: ReadonlySet<string> = new Set([
  'ERR_ELSEWHERE_CLOSED',
  'ERR_ELSEWHERE_CONNECTION_LOST',
  'ERR_ELSEWHERE_BAD_REPLY',
]);

/** libuv's flag. */
const REUSE_ADDRESS = 4;

interface Sending {
  readonly request: SendRequest;
  readonly bytes: number;
}

class RemoteUdp {
  readonly [REMOTE_HANDLE] = true;
  onmessage: OnMessage | undefined;
  readonly #target: DgramTarget;
  readonly #type: SocketType;
  /** The local handle that Node made: never opened, it looks names up and is closed with this one. */
  readonly #idle: NativeUdp;
  readonly #resource = new AsyncResource('ELSEWHEREUDP', { requireManualDestroy: true });
  readonly #sending = new Map<number, Sending>();
  #id: number | undefined;
  /** Sizes of what was sent in this turn of the loop and nobody waits for. */
  #leaving: number[] = [];
  #stream: ByteStream | undefined;
  #names: Names | undefined;
  #last = 0;
  #taken = 0;
  #receiving = false;
  #referenced = true;
  #closed = false;
  #holding = false;

  constructor(target: DgramTarget, type: SocketType, idle: NativeUdp) {
    this.#target = target;
    this.#type = type;
    this.#idle = idle;
  }

  /** Names belong to the far side, also when the socket is used outside of its scope. */
  readonly lookup: Lookup = (address, done) => {
    const refused = clusterRefusal();
    if (refused !== undefined) return void process.nextTick(done, refused);
    const { scope } = this.#target;
    if (scope.isDefault) this.#idle.lookup(address, done);
    else scope.run(() => this.#idle.lookup(address, done));
  };

  bind(address: string, given: unknown, flags = 0): number {
    if (this.#id !== undefined) return errnoOf('EINVAL');
    // As the native one takes it: a callback in this place is 0.
    const port = Number(given) >>> 0;
    const answer = this.#ask<Bound | Failed>(() =>
      this.#target.callSync('bind', this.#type, address, port, flags),
    );
    if ('code' in answer) return errnoOf(answer.code);
    this.#id = answer.id;
    this.#names = { local: answer.name };
    this.#stream = this.#target.open('datagrams', [answer.id], {
      data: () => undefined,
      end: () => undefined,
      signal: (report) => this.#heard(report as Report),
      closed: (error) => {
        if (error !== undefined) enqueue(() => this.#lost(error));
      },
    });
    return 0;
  }

  #bindAnywhere(): number {
    return this.bind(this.#type === 'udp4' ? '0.0.0.0' : '::', 0, REUSE_ADDRESS);
  }

  bind6(address: string, port: unknown, flags?: number): number {
    return this.bind(address, port, flags);
  }

  #isForbidden(host: string, port: number): boolean {
    const { scope, connection } = this.#target;
    return scope.forbids({ protocol: 'udp', host, port }, connection) !== undefined;
  }

  connect(address: string, port: number): number {
    if (this.#isForbidden(address, port)) return errnoOf('EACCES');
    return this.#rename((id) => this.#target.callSync('connect', id, address, port));
  }

  connect6(address: string, port: number): number {
    return this.connect(address, port);
  }

  disconnect(): number {
    return this.#rename((id) => this.#target.callSync('disconnect', id));
  }

  #rename(ask: (id: number) => Names | Failed): number {
    const id = this.#id;
    if (id === undefined) return errnoOf('EBADF');
    const answer = this.#ask(() => ask(id));
    if ('code' in answer) return errnoOf(answer.code);
    this.#names = answer;
    return 0;
  }

  getsockname(out: object): number {
    return tell(out, this.#names?.local, 'EBADF');
  }

  getpeername(out: object): number {
    return tell(out, this.#names?.remote, 'ENOTCONN');
  }

  set(setting: Setting, args: readonly unknown[]): number {
    // Joining a group binds, as in libuv.
    if (this.#id === undefined && setting.endsWith('Membership')) this.#bindAnywhere();
    const id = this.#id;
    if (id === undefined) return errnoOf('EBADF');
    const failed = this.#ask<Failed | null>(() => this.#target.callSync('set', id, setting, args));
    return failed === null ? 0 : errnoOf(failed.code);
  }

  bufferSize(size: number, receive: boolean, context: object): number | undefined {
    const id = this.#id;
    const syscall = `uv_${receive ? 'recv' : 'send'}_buffer_size`;
    const answer: number | (Failed & { syscall: string }) =
      id === undefined
        ? { code: 'EBADF', syscall }
        : this.#ask(() => this.#target.callSync('bufferSize', id, size, receive), syscall);
    if (typeof answer === 'number') return answer;
    const { code } = answer;
    const message = knownError(code)?.text ?? 'unknown error';
    Object.assign(context, { errno: errnoOf(code), code, message, syscall: answer.syscall });
    return undefined;
  }

  open(): never {
    throw unsupported('use a descriptor of this process');
  }

  /** (request, buffers, count, [port, address,] wants an answer). */
  send(
    request: SendRequest,
    buffers: readonly Uint8Array[],
    _count: number,
    ...to: unknown[]
  ): number {
    const answered = to.pop() === true;
    const [port, address] = to as [number?, string?];
    // A copy: the program may use its buffer again.
    const bytes = Buffer.concat(buffers.map(viewOf));
    if (bytes.length > MAX_DATAGRAM) return errnoOf('EMSGSIZE');
    if (this.#stream === undefined) return errnoOf('EBADF');
    if (address !== undefined && this.#isForbidden(address, port ?? 0)) return errnoOf('EACCES');
    const number = answered ? ++this.#last : undefined;
    this.#stream.signal({
      kind: 'send',
      bytes,
      ...(number === undefined ? {} : { number }),
      ...(address === undefined ? {} : { address, port }),
    });
    if (number === undefined) {
      this.#leaving.push(bytes.length);
      if (this.#leaving.length === 1) setImmediate(() => (this.#leaving = []));
      return bytes.length + 1;
    }
    this.#sending.set(number, { request, bytes: bytes.length });
    this.#settleHold();
    return 0;
  }

  recvStart(): number {
    return this.#receive(true);
  }

  recvStop(): number {
    return this.#receive(false);
  }

  #receive(on: boolean): number {
    if (this.#stream === undefined) return errnoOf('EBADF');
    this.#receiving = on;
    this.#stream.signal({ kind: 'receive', on });
    this.#settleHold();
    return 0;
  }

  getSendQueueSize(): number {
    let total = this.#leaving.reduce((sum, size) => sum + size, 0);
    for (const { bytes } of this.#sending.values()) total += bytes;
    return total;
  }

  getSendQueueCount(): number {
    return this.#sending.size + this.#leaving.length;
  }

  close(done?: () => void): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#receiving = false;
    this.#stream?.end();
    (this.#idle as { close(done?: () => void): void }).close(() => {
      this.#resource.emitDestroy();
      done?.call(this);
    });
    this.#settleHold();
  }

  ref(): void {
    this.#referenced = true;
    this.#settleHold();
  }

  unref(): void {
    this.#referenced = false;
    this.#settleHold();
  }

  hasRef(): boolean {
    return this.#referenced && !this.#closed;
  }

  getAsyncId(): number {
    return this.#idle.getAsyncId();
  }

  #heard(report: Report): void {
    if (report.kind === 'sent') enqueue(() => this.#sent(report));
    else if (report.kind === 'message') enqueue(() => this.#message(report));
    else enqueue(() => this.#tell(errnoOf(report.code), undefined, {}));
  }

  #sent({ number, failed }: Report & { kind: 'sent' }): void {
    const sending = this.#sending.get(number);
    if (sending === undefined) return;
    this.#sending.delete(number);
    this.#settleHold();
    const status = failed === undefined ? 0 : errnoOf(failed.code);
    const { request, bytes } = sending;
    if (request.oncomplete !== undefined)
      this.#resource.runInAsyncScope(request.oncomplete, request, status, bytes);
  }

  #message({ bytes, from }: Report & { kind: 'message' }): void {
    this.#taken += bytes.length;
    if (this.#taken > TELL_AFTER) {
      this.#stream?.signal({ kind: 'took', bytes: this.#taken });
      this.#taken = 0;
    }
    if (!this.#receiving) return;
    const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#tell(message.length, message, { ...from });
  }

  #tell(length: number, bytes: Buffer | undefined, from: object): void {
    const { onmessage } = this;
    if (onmessage === undefined || this.#closed) return;
    this.#resource.runInAsyncScope(onmessage, this, length, this, bytes, from);
  }

  /** Nobody will answer what is on its way, and no datagram will come. */
  #lost(error: Error): void {
    const waiting = [...this.#sending.keys()];
    const code = 'ECONNRESET';
    for (const number of waiting) this.#sent({ kind: 'sent', number, failed: { code } });
    const onPurpose = (error as { code?: unknown }).code === 'ERR_ELSEWHERE_CLOSED';
    if (!onPurpose && this.#receiving) this.#tell(errnoOf(code), undefined, {});
    this.#receiving = false;
    this.#settleHold();
  }

  #settleHold(): void {
    const wanted = (this.#receiving && this.#referenced) || this.#sending.size > 0;
    if (wanted === this.#holding) return;
    this.#holding = wanted;
    if (wanted) this.#target.hold();
    else this.#target.release();
  }

  /** A far side that is out of reach fails as an interface that is down. */
  #ask<T>(call: () => T, syscall = ''): T | (Failed & { syscall: string }) {
    try {
      return call();
    } catch (error) {
      const { code } = error as { code?: string };
      // Node asks in a tick of its own, where nobody could catch it.
      if (code === undefined || !OUT_OF_REACH.has(code)) throw error;
      return { code: 'ENETDOWN', syscall };
    }
  }
}

for (const setting of SETTINGS) {
  const value = function (this: RemoteUdp, ...args: unknown[]): number {
    return this.set(setting, args);
  };
  Object.defineProperty(RemoteUdp.prototype, setting, {
    value,
    configurable: true,
    writable: true,
  });
}

/** The bytes of any typed array. */
function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function tell(out: object, name: SocketName | undefined, otherwise: string): number {
  if (name === undefined) return errnoOf(otherwise);
  const { address, family, port } = name;
  Object.assign(out, { address, family, port });
  return 0;
}

function clusterRefusal(): ElsewhereError | undefined {
  const cluster = process.getBuiltinModule('node:cluster') as unknown as { isWorker: boolean };
  return cluster.isWorker ? unsupported('be shared between the workers of a cluster') : undefined;
}

function unsupported(what: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `a datagram socket of the far side cannot ${what}: make it inside withLocal(), or keep UDP here with { except: ['dgram'] }`,
  );
}

/** `idle` is the handle that Node made. */
export function remoteUdp(target: DgramTarget, type: SocketType, idle: NativeUdp): object {
  return new RemoteUdp(target, type, idle);
}
