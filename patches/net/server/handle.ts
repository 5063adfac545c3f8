/** The handle of a server that listens on the far side, as Node's own `net.Server` drives it. */
import { AsyncResource } from 'node:async_hooks';
import { handleActive, handleIdle, hideActivity, ownerOf } from '../../../src/base/activity.ts';
import { enqueue } from '../../../src/base/event-queue.ts';
import { REMOTE_HANDLE } from '../../../src/base/remote-handle.ts';
import { errnoOf } from '../../../src/base/system-errors.ts';
import type { ByteStream, StreamHandler } from '../../../src/patch.ts';
import type { Parts } from '../installation.ts';
import { LINK, type Link, type NetTarget } from '../link.ts';
import type { Accepted, AcceptFailed, Listening, Refused } from './api.ts';
import { type ServerTarget, Slots } from './slots.ts';

type OnConnection = (this: object, status: number, handle?: object) => void;

/** What a server's own port does to the server above it. */
export interface PortEvents {
  /** The session is over, by a fault or on purpose. */
  lost(error: Error): void;
}

/** Where Node looks for a descriptor that a child could inherit. */
export const NO_DESCRIPTOR = -1;

/** State and methods of one handle; `onconnection` and the owner are put on it by Node. */
class ServerHandle {
  readonly [REMOTE_HANDLE] = true;
  onconnection: OnConnection | undefined;
  /** Its absence tells Node that it is a unix socket. */
  declare getsockname?: (out: object) => number;
  readonly fd: number = NO_DESCRIPTOR;
  readonly #parts: Parts;
  readonly #target: ServerTarget;
  readonly #answer: Listening | Refused;
  readonly #kind: 'TCP' | 'Pipe';
  readonly #events: PortEvents;
  readonly #resource: AsyncResource = new AsyncResource('ELSEWHERESERVER', {
    requireManualDestroy: true,
  });
  #holder: ByteStream | undefined;
  #slots: Slots | undefined;
  #referenced = true;
  #closed = false;

  constructor(
    parts: Parts,
    target: ServerTarget,
    kind: 'TCP' | 'Pipe',
    answer: Listening | Refused,
    events: PortEvents,
  ) {
    this.#parts = parts;
    this.#target = target;
    this.#kind = kind;
    this.#answer = answer;
    this.#events = events;
    if (kind === 'TCP') this.getsockname = getsockname(answer);
  }

  /** The far side listens already, or has refused: now Node asks how it went. */
  listen(): number {
    if ('code' in this.#answer) return errnoOf(this.#answer.code);
    if (this.#holder !== undefined) return 0;
    const { id } = this.#answer;
    this.#holder = this.#target.open('hold', [id], this.#holding());
    this.#slots = new Slots(this.#target, id, (accepted) => this.#accept(accepted));
    if (this.#referenced) this.#hold(true);
    return 0;
  }

  close(done?: () => void): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#holder !== undefined && this.#referenced) this.#hold(false);
    this.#slots?.close();
    this.#holder?.end();
    const phantom = new this.#parts.node.TCP(0);
    hideActivity(phantom);
    phantom.close(() => {
      this.#resource.emitDestroy();
      done?.call(this);
    });
  }

  ref(): void {
    this.#refer(true);
  }

  unref(): void {
    this.#refer(false);
  }

  hasRef(): boolean {
    return this.#referenced && !this.#closed;
  }

  getAsyncId(): number {
    return this.#resource.asyncId();
  }

  getProviderType(): number {
    return 0;
  }

  /** Bits of libuv: 1 readable, 2 writable. */
  fchmod(mode: number): number {
    if ('code' in this.#answer) return errnoOf('EBADF');
    const failed = this.#target.callSync(
      'publish',
      this.#answer.id,
      (mode & 1) !== 0,
      (mode & 2) !== 0,
    );
    return failed === null ? 0 : errnoOf(failed);
  }

  setSimultaneousAccepts(): number {
    return 0;
  }

  #refer(on: boolean): void {
    if (on === this.#referenced) return;
    this.#referenced = on;
    if (this.#holder === undefined || this.#closed) return;
    this.#hold(on);
  }

  #hold(on: boolean): void {
    if (on) {
      this.#target.hold();
      handleActive(this, { name: `${this.#kind}ServerWrap`, owner: () => ownerOf(this) });
    } else {
      this.#target.release();
      handleIdle(this);
    }
  }

  #holding(): StreamHandler {
    return {
      data: () => undefined,
      end: () => undefined,
      signal: (value) => enqueue(() => this.#tell(errnoOf((value as AcceptFailed).code))),
      closed: (error) => {
        if (error !== undefined && !this.#closed) enqueue(() => this.#lost(error));
      },
    };
  }

  #lost(error: Error): void {
    if (!this.#closed) this.#resource.runInAsyncScope(() => this.#events.lost(error));
  }

  /** The socket's own async context is that of the server, as it is in Node. */
  #accept(accepted: Accepted): Link {
    const { RemoteTcp, RemotePipe } = this.#parts.handles;
    const Handle = accepted.local === undefined && this.#kind === 'Pipe' ? RemotePipe : RemoteTcp;
    // It opens no streams of its own: the target is that of another patch of the same scope.
    const target = this.#target as unknown as NetTarget;
    const handle = this.#resource.runInAsyncScope(() => new Handle(target));
    const link = handle[LINK];
    enqueue(() => {
      if (this.#closed) link.close();
      else this.#tell(0, handle);
    });
    return link;
  }

  #tell(status: number, handle?: object): void {
    const { onconnection } = this;
    if (this.#closed || onconnection === undefined) return;
    if (handle === undefined) this.#resource.runInAsyncScope(onconnection, this, status);
    else this.#resource.runInAsyncScope(onconnection, this, status, handle);
  }
}

function getsockname(answer: Listening | Refused): (out: object) => number {
  return (out) => {
    if ('code' in answer || answer.address === undefined) return errnoOf('EBADF');
    // In Node's own order.
    const { address, family, port } = answer.address;
    Object.assign(out, { address, family, port });
    return 0;
  };
}

export type MakeServerHandle = (
  target: ServerTarget,
  kind: 'TCP' | 'Pipe',
  answer: Listening | Refused,
  events: PortEvents,
) => object;

/** `listen(handle)` asks whether it is a TCP handle. */
export function serverHandles(parts: Parts): MakeServerHandle {
  const native = parts.node.TCP.prototype as object;
  const make = (base: object | null): typeof ServerHandle => {
    class Handle extends ServerHandle {}
    Object.setPrototypeOf(
      Handle.prototype,
      Object.create(base, Object.getOwnPropertyDescriptors(ServerHandle.prototype)) as object,
    );
    return Handle;
  };
  const classes = { TCP: make(native), Pipe: make(parts.node.Pipe.prototype as object) };
  return (target, kind, answer, events) => new classes[kind](parts, target, kind, answer, events);
}
