/** Links over message ports: to a worker thread, or to whoever holds the other end of a MessageChannel. */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { runLocally } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { CreditedTransport } from './credited.ts';
import type { Listener, Transport } from './transport.ts';

/** A Worker, its parentPort, or a MessagePort: each link gets a port of its own, which is sent over this one. */
export interface LinkPort {
  postMessage(message: unknown, moved?: readonly MessagePort[]): void;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  off(event: 'message', listener: (message: unknown) => void): unknown;
  ref(): void;
  unref(): void;
}

/** What asks for a link. */
export interface LinkRequest {
  readonly elsewhere: 'link';
  readonly port: MessagePort;
  /** [0] counts what is posted to the asking side, which sleeps on it. */
  readonly signal: Int32Array | undefined;
}

/** A packet, the bytes that were taken, the end, or why there will be no more. */
export type PortMessage =
  | readonly [kind: number, body: Uint8Array]
  | number
  | 'end'
  | { readonly failure: { readonly code: string; readonly message: string } | undefined };

/** To be moved to the other thread. Copying a view there would copy all of the memory that it is a view of. */
export function ownCopy(head: Uint8Array, tail?: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(head.length + (tail?.length ?? 0));
  copy.set(head);
  if (tail !== undefined) copy.set(tail, head.length);
  return copy;
}

export function isLinkPort(value: unknown): value is LinkPort {
  const port = value as Partial<LinkPort> | null;
  return (
    typeof port === 'object' &&
    typeof port?.postMessage === 'function' &&
    typeof port.on === 'function'
  );
}

/** Asks for a link; it opens when the other side listens. */
export function openPort(base: LinkPort): Transport {
  return portTransport(requestLink(base, undefined), undefined);
}

/** The asking side's end of a new link. */
export function requestLink(base: LinkPort, signal: Int32Array | undefined): MessagePort {
  const { port1, port2 } = new MessageChannel();
  base.postMessage({ elsewhere: 'link', port: port2, signal } satisfies LinkRequest, [port2]);
  return port1;
}

export function listenPort(base: LinkPort, accept: (transport: Transport) => void): Listener {
  const listener = (message: unknown): void => {
    const request = message as Partial<LinkRequest> | null;
    if (request?.elsewhere === 'link' && isLinkPort(request.port))
      runLocally(() => accept(portTransport(request.port as MessagePort, request.signal)));
  };
  base.on('message', listener);
  return {
    url: 'port:',
    close: async () => void base.off('message', listener),
    ref: () => base.ref(),
    unref: () => base.unref(),
  };
}

function portTransport(port: MessagePort, signal: Int32Array | undefined): Transport {
  const post = (message: PortMessage, moved: readonly ArrayBuffer[] = []): void => {
    port.postMessage(message, moved);
    if (signal === undefined) return;
    Atomics.add(signal, 0, 1);
    Atomics.notify(signal, 0);
  };
  const transport = new CreditedTransport(
    {
      packet: (kind, head, tail) => {
        const body = ownCopy(head, tail);
        post([kind, body], [body.buffer]);
      },
      credit: (bytes) => post(bytes),
      end: () => post('end'),
      reset: (error) => post({ failure: error === undefined ? undefined : plain(error) }),
      release: () => port.close(),
      ref: () => port.ref(),
      unref: () => port.unref(),
    },
    'port',
  );
  port.on('message', (message: PortMessage) => {
    if (typeof message === 'number') transport.granted(message);
    else if (message === 'end') transport.peerEnded();
    else if ('failure' in message)
      transport.peerGone(message.failure && failureOf(message.failure));
    else transport.arrived(message[0], message[1]);
  });
  port.on('close', () => transport.peerGone(undefined));
  return transport;
}

function plain(error: Error): { code: string; message: string } {
  return { code: (error as NodeJS.ErrnoException).code ?? '', message: error.message };
}

/** An error that crossed between threads. */
export function failureOf({ code, message }: { code: string; message: string }): ElsewhereError {
  const known = code.startsWith('ERR_ELSEWHERE_') ? code : 'ERR_ELSEWHERE_CONNECTION_LOST';
  return new ElsewhereError(known as 'ERR_ELSEWHERE_CONNECTION_LOST', message);
}
