/** A datagram socket of this machine. Its errors are told by code; what nobody fetches is dropped, as the kernel does. */
import dgram from 'node:dgram';
import { getSystemErrorName } from 'node:util';
import { errnoOf } from '../../src/base/system-errors.ts';
import type { ByteStream, PolicyView, RemoteStream } from '../../src/patch.ts';
import {
  type Command,
  type Failed,
  type Names,
  type Report,
  SETTINGS,
  type Setting,
  type SocketName,
  type SocketType,
} from './api.ts';
import { type NativeUdp, sendWrap, stateOf } from './binding.ts';

/** Bytes of datagrams on their way to a near side that has not taken them. Those that come then are lost. */
const MAX_UNTAKEN = 4 * 1024 * 1024;

export class FarSocket {
  readonly #socket: dgram.Socket;
  readonly #handle: NativeUdp;
  readonly #over: () => void;
  readonly #policy: PolicyView;
  /** Bound without the right to listen, as every socket that only asks: it hears those whom it may ask. */
  #asksOnly = false;
  #stream: ByteStream | undefined;
  #untaken = 0;
  #connected = false;
  #closed = false;

  constructor(type: SocketType, policy: PolicyView, over: () => void) {
    this.#policy = policy;
    this.#socket = dgram.createSocket(type);
    this.#handle = stateOf(this.#socket)?.handle as NativeUdp;
    this.#over = over;
    this.#handle.onmessage = (length, _handle, bytes, from) => this.#received(length, bytes, from);
  }

  bind(address: string, port: number, flags: number): SocketName | Failed {
    const denied = this.#policy.listen(address, port);
    if (denied !== undefined && port !== 0) return { code: 'EACCES', denied };
    this.#asksOnly = denied !== undefined;
    const failed = failure(this.#handle.bind(address, port, flags));
    return failed ?? this.#name();
  }

  connect(address: string, port: number): Names | Failed {
    const denied = this.#policy.connect(address, port);
    if (denied !== undefined) return { code: 'EACCES', denied };
    const failed = failure(this.#handle.connect(address, port));
    if (failed !== null) return failed;
    this.#connected = true;
    return this.#names();
  }

  disconnect(): Names | Failed {
    const failed = failure(this.#handle.disconnect());
    if (failed !== null) return failed;
    this.#connected = false;
    return this.#names();
  }

  set(setting: Setting, args: readonly unknown[]): Failed | null {
    if (!SETTINGS.includes(setting)) return { code: 'ENOTSUP' };
    // Who joins a group hears everybody.
    if (this.#asksOnly && setting.includes('Membership')) return { code: 'EACCES' };
    const method = this.#handle[setting as keyof NativeUdp] as (...args: unknown[]) => number;
    return failure(method.apply(this.#handle, [...args]));
  }

  bufferSize(size: number, receive: boolean): number | (Failed & { syscall: string }) {
    const context: { code?: string; syscall?: string } = {};
    const answer = this.#handle.bufferSize(size, receive, context);
    return answer ?? { code: context.code ?? 'EINVAL', syscall: context.syscall ?? '' };
  }

  attach(stream: RemoteStream): void {
    this.#stream = stream;
    stream.accept({
      data: () => undefined,
      signal: (command) => this.#obey(command as Command),
      end: () => {
        this.close();
        stream.end();
      },
      closed: () => this.close(),
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handle.recvStop();
    this.#socket.close();
    this.#over();
  }

  #obey(command: Command): void {
    if (this.#closed) return;
    if (command.kind === 'took') this.#untaken -= command.bytes;
    else if (command.kind === 'send') this.#send(command);
    else if (command.on) this.#handle.recvStart();
    else this.#handle.recvStop();
  }

  #send({ number, bytes, address, port }: Command & { kind: 'send' }): void {
    const request = new (sendWrap())();
    const told = (status: number): void => {
      if (number === undefined) return;
      const failed = failure(Math.min(status, 0));
      this.#tell({ kind: 'sent', number, ...(failed === null ? {} : { failed }) });
    };
    request.oncomplete = told;
    const denied = address === undefined ? undefined : this.#policy.connect(address, port ?? 0);
    if (denied !== undefined) return told(EACCES);
    const { send } = this.#handle;
    const status =
      address === undefined
        ? send.call(this.#handle, request, [bytes], 1, true)
        : send.call(this.#handle, request, [bytes], 1, port ?? 0, address, true);
    // 0: later. Above: done, plus one.
    if (status !== 0) told(status);
  }

  #received(length: number, bytes: Buffer | undefined, from: object): void {
    if (length < 0) return this.#tell({ kind: 'failed', code: getSystemErrorName(length) });
    const { address, family, port } = from as SocketName;
    if (this.#asksOnly && this.#policy.connect(address, port) !== undefined) return;
    const message = bytes ?? Buffer.alloc(0);
    if (this.#untaken + message.length > MAX_UNTAKEN) return;
    this.#untaken += message.length;
    this.#tell({ kind: 'message', bytes: message, from: { address, family, port } });
  }

  #tell(report: Report): void {
    this.#stream?.signal(report);
  }

  #name(): SocketName {
    const name: { address?: string; family?: string; port?: number } = {};
    this.#handle.getsockname(name);
    return { address: name.address ?? '', family: name.family ?? '', port: name.port ?? 0 };
  }

  #names(): Names {
    const local = this.#name();
    if (!this.#connected) return { local };
    const remote = {} as SocketName;
    this.#handle.getpeername(remote);
    return { local, remote: { ...remote } };
  }
}

const EACCES = errnoOf('EACCES');

/** Null for success. */
function failure(status: number): Failed | null {
  return status === 0 ? null : { code: getSystemErrorName(status) };
}
