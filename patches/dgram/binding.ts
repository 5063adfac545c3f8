/** Node's own handle of a datagram socket, found on a living one. */
import type dgram from 'node:dgram';
import { ElsewhereError } from '../../src/base/errors.ts';
import { nodeBinding } from '../../src/base/node-binding.ts';

export interface NativeUdp {
  lookup(address: string, done: (error: Error | null, ip?: string) => void): void;
  bind(address: string, port: number, flags: number): number;
  connect(address: string, port: number): number;
  disconnect(): number;
  /** (request, buffers, count, [port, address,] wants an answer): bytes plus one, 0 for later, or what failed. */
  send(
    request: SendRequest,
    buffers: readonly Uint8Array[],
    count: number,
    ...to: unknown[]
  ): number;
  getsockname(out: object): number;
  getpeername(out: object): number;
  /** Undefined when it failed; then `context` says how. */
  bufferSize(size: number, receive: boolean, context: object): number | undefined;
  recvStart(): number;
  recvStop(): number;
  getAsyncId(): number;
  close(): void;
  onmessage?: (length: number, handle: object, bytes: Buffer | undefined, from: object) => void;
}

export interface SendRequest {
  oncomplete?: (status: number, sent?: number) => void;
}

interface State {
  /** Null once it is closed. */
  handle: object | null;
}

/** What Node's own code keeps of a socket. */
export function stateOf(socket: dgram.Socket): State | undefined {
  const key = Object.getOwnPropertySymbols(socket).find(
    ({ description }) => description === 'state symbol',
  );
  return key === undefined ? undefined : (Reflect.get(socket, key) as State);
}

export function sendWrap(): new () => SendRequest {
  const found = nodeBinding<{ SendWrap: new () => SendRequest }>('udp_wrap')?.SendWrap;
  if (found !== undefined) return found;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    'datagrams cannot be sent from here under --permission: this Node hides what is needed',
  );
}
