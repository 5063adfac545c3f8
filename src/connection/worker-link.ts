/**
 * The fallback for blocking calls: a worker thread owns an ordinary transport, this thread sleeps on shared memory.
 * Packets go by message port, which both sides can read without an event loop.
 */
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';
import { ElsewhereError } from '../base/errors.ts';
import type { Endpoint } from '../transport/transport.ts';
import type { BlockingLink, BlockingPacket } from './blocking.ts';

/** What the worker is started with. */
export interface WorkerStart {
  readonly endpoint: Endpoint;
  readonly timeout: number;
  readonly port: MessagePort;
  /** [0] counts what the worker has posted. */
  readonly signal: Int32Array;
}

/** What the worker posts: a packet, or why there will be no more. */
export type FromWorker =
  | { readonly kind: number; readonly body: Uint8Array }
  | { readonly failure: { readonly code: string; readonly message: string } };
export type ToWorker =
  | { readonly kind: number; readonly head: Uint8Array; readonly tail: Uint8Array | undefined }
  | 'close';

/** Milliseconds that a thread may need to start on a busy machine. */
const START = 10_000;

/** To be moved to the other thread. Copying a view there would copy all of the memory that it is a view of. */
export function ownCopy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.prototype.slice.call(bytes) as Uint8Array<ArrayBuffer>;
}

export function openWorkerLink(endpoint: Endpoint, timeout: number): BlockingLink {
  return new WorkerLink(endpoint, timeout);
}

class WorkerLink implements BlockingLink {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #signal = new Int32Array(new SharedArrayBuffer(4));
  readonly #startLimit: number;
  #seen = 0;
  #heard = false;
  #failure: ElsewhereError | undefined;

  constructor(endpoint: Endpoint, timeout: number) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    // The worker gives up dialling by itself, and says so.
    this.#startLimit = timeout + START;
    const start: WorkerStart = { endpoint, timeout, port: port2, signal: this.#signal };
    this.#worker = new Worker(workerFile(), {
      workerData: start,
      transferList: [port2],
      // Not our own preload, which would dial again; nor the program's.
      execArgv: [],
      env: withoutPreload(process.env),
    });
    // Its event would come when this thread is free again: too late to end a wait, see #wait.
    this.#worker.on('error', () => undefined);
    this.#worker.unref();
    port1.unref();
  }

  send(kind: number, head: Uint8Array, tail?: Uint8Array): void {
    const packet = {
      kind,
      head: ownCopy(head),
      tail: tail === undefined ? undefined : ownCopy(tail),
    };
    const moved = [packet.head.buffer, ...(packet.tail === undefined ? [] : [packet.tail.buffer])];
    this.#port.postMessage(packet satisfies ToWorker, moved);
  }

  receive(): BlockingPacket {
    for (;;) {
      const message = this.#read();
      if (message !== undefined) return message;
      this.#wait();
    }
  }

  #read(): BlockingPacket | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    const message = receiveMessageOnPort(this.#port)?.message as FromWorker | undefined;
    if (message === undefined) return undefined;
    this.#heard = true;
    if (!('failure' in message)) return message;
    this.#failure = failure(message.failure);
    throw this.#failure;
  }

  /** The count, not the wake-up, says that something is there: a late notify of an earlier packet may come. */
  #wait(): void {
    const now = Atomics.load(this.#signal, 0);
    if (now !== this.#seen) {
      this.#seen = now;
      return;
    }
    // A worker that cannot even start has no way to tell; one that has told something tells everything.
    const limit = this.#heard ? undefined : this.#startLimit;
    if (Atomics.wait(this.#signal, 0, now, limit) !== 'timed-out') return;
    throw new ElsewhereError(
      'ERR_ELSEWHERE_TIMEOUT',
      `the worker thread for blocking calls was silent for ${this.#startLimit / 1000} s: it could not start here`,
    );
  }

  close(): void {
    this.#port.postMessage('close' satisfies ToWorker);
    this.#port.close();
    void this.#worker.terminate();
  }
}

/** Beside this file as it was compiled, or beside the bundle's entries. */
function workerFile(): URL {
  const bundled = import.meta.url.includes('/chunks/') ? '../sync-worker.js' : './sync-worker.js';
  return new URL(bundled, import.meta.url);
}

function withoutPreload(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, ELSEWHERE_RUN: _run, ...rest } = env;
  return rest;
}

function failure({ code, message }: { code: string; message: string }): ElsewhereError {
  const known = code.startsWith('ERR_ELSEWHERE_') ? code : 'ERR_ELSEWHERE_CONNECTION_LOST';
  return new ElsewhereError(known as 'ERR_ELSEWHERE_CONNECTION_LOST', message);
}
