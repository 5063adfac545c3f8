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
  | { readonly limit: number }
  | 'close';

export function openWorkerLink(endpoint: Endpoint, timeout: number): BlockingLink {
  return new WorkerLink(endpoint, timeout);
}

class WorkerLink implements BlockingLink {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #signal = new Int32Array(new SharedArrayBuffer(4));
  #seen = 0;

  constructor(endpoint: Endpoint, timeout: number) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const start: WorkerStart = { endpoint, timeout, port: port2, signal: this.#signal };
    this.#worker = new Worker(workerFile(), {
      workerData: start,
      transferList: [port2],
      // Not our own preload, which would dial again; nor the program's.
      execArgv: [],
      env: withoutPreload(process.env),
    });
    // A worker that fails to start can tell nobody by message: waiting for it must end all the same.
    this.#worker.on('error', () => undefined);
    this.#worker.unref();
    port1.unref();
  }

  send(kind: number, head: Uint8Array, tail?: Uint8Array): void {
    this.#post({ kind, head, tail });
  }

  #post(message: ToWorker): void {
    this.#port.postMessage(message);
  }

  receive(): BlockingPacket {
    for (;;) {
      const message = receiveMessageOnPort(this.#port)?.message as FromWorker | undefined;
      if (message === undefined) this.#wait();
      else if ('failure' in message) throw failure(message.failure);
      else return message;
    }
  }

  /** The count, not the wake-up, says that something is there: a late notify of an earlier packet may come. */
  #wait(): void {
    const now = Atomics.load(this.#signal, 0);
    if (now === this.#seen) Atomics.wait(this.#signal, 0, now);
    else this.#seen = now;
  }

  setLimit(bytes: number): void {
    this.#post({ limit: bytes });
  }

  close(): void {
    this.#post('close');
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
