/** What the two halves of the net patch say to each other: one byte stream per client socket, and values between its bytes. */
import type { RemoteStream } from '../../src/patch.ts';

/** Nothing is asked of the far side but streams. */
export type NetCalls = Record<never, never>;

export interface NetStreams {
  /** Dials, then relays. The far side answers with `connected` or `failed` before anything else. */
  connect(stream: RemoteStream, dial: Dial): void;
}

/** Where to dial: an address (names are resolved before, by the dns patch) or the path of a unix socket. */
export interface Dial {
  readonly address?: string;
  readonly port?: number;
  readonly path?: string;
  readonly localAddress?: string;
  readonly localPort?: number;
}

export interface Address {
  readonly address: string;
  readonly family: string;
  readonly port: number;
}

/** Near to far, in the order of the bytes. The stream's `end` means: close the socket once everything is written. */
export type Command =
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'noDelay'; readonly on: boolean }
  | {
      readonly kind: 'keepAlive';
      readonly on: boolean;
      readonly delay: number;
      readonly interval?: number;
      readonly count?: number;
    }
  | { readonly kind: 'typeOfService'; readonly value: number };

/** Far to near, in the order of the bytes. The stream's `end` means: the socket is closed. */
export type Report =
  | {
      readonly kind: 'connected';
      readonly local?: Address;
      readonly remote?: Address;
      readonly took: number;
    }
  /** `denied` is the far side's rule that forbids it; `local` where it would have come from, of a failure at once. */
  | {
      readonly kind: 'failed';
      readonly code: string;
      readonly syscall: string;
      readonly denied?: string;
      readonly local?: string;
    }
  | { readonly kind: 'eof' }
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'broken'; readonly code: string; readonly syscall: string };
