/**
 * Blocking runs for a client that waits: the same as Node's native spawnSync does (src/spawn_sync.cc), but without
 * stopping this process.
 */
import nodeNet from 'node:net';
import type { SyncLaunch, SyncResult, SyncStep } from './api.ts';
import type { NativePipe } from './binding.ts';
import { type Children, type HeldChild, Refused } from './remote-children.ts';

/** While more live output than this is not fetched, the child waits. */
const HIGH_WATER = 256 * 1024;

export class Runs {
  readonly #children: Children;
  readonly #runs = new Map<number, Run>();

  constructor(children: Children) {
    this.#children = children;
  }

  start(launch: SyncLaunch): SyncStep | Promise<SyncStep> {
    let child: HeldChild;
    try {
      child = this.#children.start(launch, launch.stdio);
    } catch (error) {
      if (error instanceof Refused) return { id: 0, live: [], result: notStarted(error.code) };
      throw error;
    }
    const pipes = launch.stdio.map((_, index) => this.#children.take(child.id, index));
    this.#runs.set(child.id, new Run(child, launch, pipes));
    return this.next(child.id);
  }

  async next(id: number): Promise<SyncStep> {
    const run = this.#runs.get(id);
    if (run === undefined) throw new Error(`there is no run ${id}`);
    const step = await run.next();
    if (step.result !== null) this.#runs.delete(id);
    return step;
  }
}

function notStarted(error: string): SyncResult {
  return { pid: 0, status: null, signal: null, output: null, error };
}

class Run {
  readonly #child: HeldChild;
  readonly #launch: SyncLaunch;
  readonly #sockets: (nodeNet.Socket | undefined)[];
  readonly #output: (Buffer[] | null)[];
  readonly #timer: NodeJS.Timeout | undefined;
  #live: (readonly [number, Uint8Array])[] = [];
  #unfetched = 0;
  #gathered = 0;
  /** Pipes that are not at their end, and the process itself. */
  #open = 1;
  /** Why it was stopped. */
  #error: string | null = null;
  /** The first failure of a pipe, which stops nothing. */
  #pipeError: string | null = null;
  #result: SyncResult | undefined;
  #wake: (() => void) | undefined;

  constructor(child: HeldChild, launch: SyncLaunch, pipes: readonly (NativePipe | undefined)[]) {
    this.#child = child;
    this.#launch = launch;
    this.#output = pipes.map(() => null);
    this.#sockets = pipes.map((pipe, index) =>
      pipe === undefined ? undefined : this.#attach(pipe, index),
    );
    if (launch.timeout > 0) this.#timer = setTimeout(() => this.#stop('ETIMEDOUT'), launch.timeout);
    void child.exited.then(({ code, signal }) => {
      this.#result = {
        pid: child.pid,
        status: signal === '' ? code : null,
        signal: signal === '' ? null : signal,
        output: null,
        error: null,
      };
      this.#closedOne();
    });
  }

  /** Settles with the next live output or the result. */
  async next(): Promise<SyncStep> {
    if (this.#live.length === 0 && this.#open > 0)
      await new Promise<void>((resolve) => (this.#wake = resolve));
    const live = this.#live;
    this.#live = [];
    this.#unfetched = 0;
    for (const socket of this.#sockets) socket?.resume();
    return { id: this.#child.id, live, result: this.#open > 0 ? null : this.#finished() };
  }

  #finished(): SyncResult | null {
    if (this.#result === undefined) return null;
    const output = this.#output.map((parts) => (parts === null ? null : Buffer.concat(parts)));
    return { ...this.#result, output, error: this.#error ?? this.#pipeError };
  }

  #attach(pipe: NativePipe, index: number): nodeNet.Socket {
    const options = { handle: pipe, readable: index > 0, writable: true, allowHalfOpen: true };
    const socket = new nodeNet.Socket(options as nodeNet.SocketConstructorOpts);
    const isLive = this.#launch.live.includes(index);
    if (index > 0) {
      this.#open += 1;
      if (!isLive) this.#output[index] = [];
      socket.on('data', (bytes: Buffer) => this.#received(index, bytes, isLive));
      socket.once('close', () => this.#closedOne());
      socket.on('end', () => socket.destroy());
    }
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#pipeError ??= error.code ?? 'EPIPE';
      socket.destroy();
    });
    const input = this.#launch.input[index];
    if (input) socket.end(input);
    else if (index === 0) socket.end();
    return socket;
  }

  #received(index: number, bytes: Buffer, isLive: boolean): void {
    if (isLive) {
      this.#live.push([index, bytes]);
      this.#unfetched += bytes.length;
      if (this.#unfetched > HIGH_WATER) for (const socket of this.#sockets) socket?.pause();
      return this.#notify();
    }
    this.#output[index]?.push(bytes);
    this.#gathered += bytes.length;
    const { maxBuffer } = this.#launch;
    if (maxBuffer > 0 && this.#gathered > maxBuffer) this.#stop('ENOBUFS');
  }

  /** Ends the child, and does not wait for whoever else holds its pipes. */
  #stop(error: string): void {
    if (this.#error !== null || this.#open === 0) return;
    this.#error = error;
    if (this.#child.kill(this.#launch.killSignal) !== '') this.#child.kill('SIGKILL');
    for (const socket of this.#sockets) socket?.destroy();
  }

  #closedOne(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    clearTimeout(this.#timer);
    for (const socket of this.#sockets) socket?.destroy();
    this.#notify();
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
