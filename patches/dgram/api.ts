/** What the two halves of the dgram patch say to each other: calls for what Node wants answered at once, a stream for the datagrams. */
import type { RemoteStream } from '../../src/patch.ts';

export type SocketType = 'udp4' | 'udp6';

export interface SocketName {
  readonly address: string;
  readonly family: string;
  readonly port: number;
}

/** What failed, by a system's code; `denied` is the far side's rule that forbids it. */
export interface Failed {
  readonly code: string;
  readonly denied?: string;
}

export interface Bound {
  readonly id: number;
  readonly name: SocketName;
}

/** The names of a socket, after something may have changed them. */
export interface Names {
  readonly local: SocketName;
  readonly remote?: SocketName;
}

/** Settings of a bound socket: the methods of Node's own handle, with its arguments. */
export type Setting = (typeof SETTINGS)[number];

export const SETTINGS = [
  'setBroadcast',
  'setTTL',
  'setMulticastTTL',
  'setMulticastLoopback',
  'setMulticastInterface',
  'addMembership',
  'dropMembership',
  'addSourceSpecificMembership',
  'dropSourceSpecificMembership',
] as const;

export interface DgramCalls {
  /** `flags` are libuv's, the same on all systems. */
  bind(type: SocketType, address: string, port: number, flags: number): Bound | Failed;
  connect(id: number, address: string, port: number): Names | Failed;
  disconnect(id: number): Names | Failed;
  set(id: number, setting: Setting, args: readonly unknown[]): Failed | null;
  /** The size in bytes, or what failed and in which system call. */
  bufferSize(id: number, size: number, receive: boolean): number | (Failed & { syscall: string });
}

export interface DgramStreams {
  /** The datagrams of a bound socket, as signals; the stream's end closes it. */
  datagrams(stream: RemoteStream, id: number): void;
}

/** Near to far. */
export type Command =
  | {
      readonly kind: 'send';
      /** Absent when nobody asks how it went. */
      readonly number?: number;
      readonly bytes: Uint8Array;
      /** Absent on a connected socket. */
      readonly address?: string;
      readonly port?: number;
    }
  | { readonly kind: 'receive'; readonly on: boolean }
  /** So many bytes of datagrams were handed on. */
  | { readonly kind: 'took'; readonly bytes: number };

/** Far to near. */
export type Report =
  | { readonly kind: 'message'; readonly bytes: Uint8Array; readonly from: SocketName }
  | { readonly kind: 'sent'; readonly number: number; readonly failed?: Failed }
  | { readonly kind: 'failed'; readonly code: string };
