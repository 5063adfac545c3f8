/**
 * Links through another thread: the fallback for blocking calls, and the way to an agent that has one pair of pipes for
 * everything. The thread owns the real transports (relay-worker.ts); the links to it are message ports, which both sides
 * can read without an event loop: this thread sleeps on shared memory meanwhile.
 */
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';
import { entryFile } from '../base/entry-file.ts';
import { ElsewhereError } from '../base/errors.ts';
import { PACKET_COST, WINDOW } from '../transport/credited.ts';
import {
  failureOf,
  type LinkPort,
  ownCopy,
  type PortMessage,
  requestLink,
} from '../transport/port.ts';
import type { Endpoint } from '../transport/transport.ts';
import type { BlockingLink, BlockingPacket, Watch } from './blocking.ts';
import type { RelayStart } from './relay-worker.ts';

/** Milliseconds that a thread may need to start on a busy machine. */
export const START = 10_000;

/** A thread that dials, and the port over which links are asked for. */
export interface Relay {
  readonly port: LinkPort;
  close(): void;
}

export function startRelay(endpoint: Endpoint, timeout: number): Relay {
  const { port1, port2 } = new MessageChannel();
  const start: RelayStart = {
    endpoint,
    timeout,
    port: port2,
    agentFile: entryFile('agent.cjs').href,
  };
  const worker = new Worker(entryFile('connection/relay-worker.js'), {
    workerData: start,
    transferList: [port2],
    // Not our own preload, which would dial again; nor the program's.
    execArgv: [],
    env: withoutPreload(process.env),
  });
  // Its event would come when this thread is free again: too late to end a wait, see PortLink.
  worker.on('error', () => undefined);
  worker.unref();
  port1.unref();
  return { port: port1, close: () => port1.close() };
}

/** What becomes of a link over a port. */
export interface PortEvents {
  /** Its first word has come. */
  heard(): void;
  /** It did not come in time. */
  silent(): void;
}

/** A blocking link over a port: whoever serves it must be another thread. `patience`: milliseconds until its first word. */
export function openPortLink(base: LinkPort, patience: number, events?: PortEvents): BlockingLink {
  return new PortLink(base, patience, events);
}

class PortLink implements BlockingLink {
  readonly dearWatch = false;
  readonly #port: MessagePort;
  readonly #signal = new Int32Array(new SharedArrayBuffer(4));
  readonly #patience: number;
  readonly #events: PortEvents | undefined;
  readonly #inbox: BlockingPacket[] = [];
  #seen = 0;
  #heard = false;
  #underWay = 0;
  #taken = 0;
  #failure: ElsewhereError | undefined;
  #watch: Watch | undefined;
  /** Looks in a row that have seen nothing. */
  #looks = 0;

  constructor(base: LinkPort, patience: number, events: PortEvents | undefined) {
    this.#patience = patience;
    this.#events = events;
    this.#port = requestLink(base, this.#signal);
    this.#port.unref();
  }

  send(kind: number, head: Uint8Array, tail?: Uint8Array): void {
    while (this.#underWay >= WINDOW) this.#next();
    const body = ownCopy(head, tail);
    this.#underWay += body.length + PACKET_COST;
    this.#port.postMessage([kind, body] satisfies PortMessage, [body.buffer]);
  }

  receive(): BlockingPacket {
    let packet = this.#inbox.shift();
    while (packet === undefined) {
      this.#next();
      packet = this.#inbox.shift();
    }
    this.#taken += packet.body.length + PACKET_COST;
    if (this.#taken >= WINDOW / 4) {
      this.#port.postMessage(this.#taken satisfies PortMessage);
      this.#taken = 0;
    }
    return packet;
  }

  /** Blocks until a message has come, and sees to it. */
  #next(): void {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const message = receiveMessageOnPort(this.#port)?.message as PortMessage | undefined;
      if (message !== undefined) return this.#message(message);
      this.#wait();
    }
  }

  #message(message: PortMessage): void {
    if (!this.#heard) this.#events?.heard();
    this.#heard = true;
    if (typeof message !== 'number') this.#looks = 0;
    if (typeof message === 'number') this.#underWay -= message;
    else if (message === 'end') this.#failure = ended();
    else if ('failure' in message)
      this.#failure = message.failure === undefined ? ended() : failureOf(message.failure);
    else this.#inbox.push({ kind: message[0], body: message[1] });
  }

  /** The count, not the wake-up, says that something is there: a late notify of an earlier packet may come. */
  #wait(): void {
    const now = Atomics.load(this.#signal, 0);
    if (now !== this.#seen) {
      this.#seen = now;
      return;
    }
    // A thread that cannot even start has no way to tell; one that has told something tells everything.
    const limit = this.#heard ? this.#watch?.period : this.#patience;
    if (Atomics.wait(this.#signal, 0, now, limit) !== 'timed-out') return;
    if (this.#heard && this.#watch !== undefined) return this.#look(this.#watch);
    this.#events?.silent();
    throw new ElsewhereError(
      'ERR_ELSEWHERE_TIMEOUT',
      `the thread at the other end of the blocking link was silent for ${this.#patience / 1000} s: it could not start, does not listen, or is this one`,
    );
  }

  #look(watch: Watch): void {
    if (++this.#looks >= watch.looks) throw watch.error();
    watch.ask();
  }

  watch(watch: Watch | undefined): void {
    this.#watch = watch;
    this.#looks = 0;
  }

  close(): void {
    if (this.#failure === undefined) this.#port.postMessage('end' satisfies PortMessage);
    this.#port.close();
  }
}

function ended(): ElsewhereError {
  return new ElsewhereError('ERR_ELSEWHERE_CONNECTION_LOST', 'the agent closed the blocking link');
}

function withoutPreload(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, ELSEWHERE_RUN: _run, ...rest } = env;
  return rest;
}
