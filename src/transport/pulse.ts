/**
 * Signs of life of a process that computes. While the thread that owns the sockets is busy another one writes to them: the
 * threads of a process share its descriptors. A process that is stopped has no thread that writes. What is written must be
 * whole packets between whole packets, so each socket has a word in shared memory which says who may write; a packet must leave in one write of
 * its owner's (writing.ts).
 * Not for TLS, whose keys are with the thread that is busy.
 */
import type { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { hideActivity } from '../base/activity.ts';
import { log } from '../base/log.ts';

/** Where things are in the shared memory, in words of 32 bits. */
const LAYOUT = {
  /** Counts the turns of a timer of the watched thread. */
  TICKS: 0,
  /** Milliseconds in which it ticks at least once if it is not busy. */
  PERIOD: 1,
  /** Not 0: the watching thread ends. */
  OVER: 2,
  /** From here on a place for each socket. */
  PLACES: 4,
  PLACE: 8,
  /** Words of a place: who writes, the descriptor, bytes of the sign, how many of them are still to be written; the sign. */
  WRITER: 0,
  FD: 1,
  SIZE: 2,
  LEFT: 3,
  SIGN: 4,
  /** Of WRITER. */
  NOBODY: 0,
  ANYBODY: 1,
  OWNER: 2,
  WATCHER: 3,
} as const;
const { TICKS, PERIOD, OVER, PLACES, PLACE, WRITER, FD, SIZE, LEFT, SIGN } = LAYOUT;

/** Sockets beyond these have no signs. */
const MOST = 1024;
/** A sign of life leaves between one and two periods after the last tick: a share of the interval in which it is missed. */
const SHARE = 0.4;
/** Milliseconds: no peer makes us hurry more. */
const SHORTEST = 100;

interface Files {
  writeSync(fd: number, bytes: Uint8Array): number;
}

/** Runs in the other thread, from its text: it can use nothing but its arguments. */
function watch(memory: Int32Array, fs: Files, at: typeof LAYOUT): void {
  let seen = -1;
  const write = (place: number): void => {
    const [fd, size, begun] = [at.FD, at.SIZE, at.LEFT].map((word) => memory[place + word] ?? 0);
    const start = (place + at.SIGN) * 4;
    const sign = Buffer.from(new Uint8Array(memory.buffer).slice(start, start + (size ?? 0)));
    const rest = sign.subarray(-(begun || sign.length));
    try {
      const count = fs.writeSync(fd ?? -1, rest);
      if (count > 0) memory[place + at.LEFT] = rest.length - count;
    } catch {
      // Nobody reads there, or nobody is there: that is for others to notice.
    }
  };
  for (;;) {
    Atomics.wait(memory, at.OVER, 0, memory[at.PERIOD]);
    if (Atomics.load(memory, at.OVER) !== 0) return;
    const ticks = Atomics.load(memory, at.TICKS);
    if (ticks !== seen) {
      seen = ticks;
      continue;
    }
    for (let place: number = at.PLACES; place < memory.length; place += at.PLACE) {
      const word = place + at.WRITER;
      if (Atomics.compareExchange(memory, word, at.ANYBODY, at.WATCHER) !== at.ANYBODY) continue;
      write(place);
      Atomics.store(memory, word, at.ANYBODY);
      Atomics.notify(memory, word);
    }
  }
}

class Watcher {
  readonly memory = new Int32Array(new SharedArrayBuffer(4 * (PLACES + MOST * PLACE)));
  readonly #free = Array.from({ length: MOST }, (_, i) => PLACES + (MOST - 1 - i) * PLACE);
  #timer: NodeJS.Timeout | undefined;

  /** Throws where threads are not allowed. */
  constructor(period: number) {
    const node = 'process.getBuiltinModule';
    const source = `(${watch})(${node}('worker_threads').workerData,${node}('fs'),${JSON.stringify(LAYOUT)})`;
    const worker = new Worker(source, {
      eval: true,
      workerData: this.memory,
      // No preload of ours, nor of the program.
      execArgv: [],
      env: {},
    });
    worker.on('error', ({ message }) => log(`no signs of life while busy: ${message}`));
    worker.unref();
    this.hurry(period);
  }

  /** From now on a period is no longer than that. */
  hurry(period: number): void {
    const known = this.memory[PERIOD] as number;
    if (known !== 0 && known <= period) return;
    this.memory[PERIOD] = period;
    Atomics.notify(this.memory, OVER);
    clearInterval(this.#timer);
    this.#timer = setInterval(() => Atomics.add(this.memory, TICKS, 1), period / 2).unref();
  }

  take(): number | undefined {
    return this.#free.pop();
  }

  /** True when that was the last one, and the thread ends. */
  giveBack(place: number): boolean {
    this.#free.push(place);
    if (this.#free.length < MOST) return false;
    clearInterval(this.#timer);
    Atomics.store(this.memory, OVER, 1);
    Atomics.notify(this.memory, OVER);
    return true;
  }
}

let watcher: Watcher | undefined;
const watched = new WeakSet<Socket>();

/** Inner parts of Node's sockets and streams. */
interface Inside {
  readonly encrypted?: boolean;
  readonly _handle?: { readonly fd?: number } | null;
  _write(chunk: unknown, encoding: string, done: Done): void;
  _writev(chunks: unknown, done: Done): void;
  _final(done: Done): void;
  _destroy(error: Error | null, done: Done): void;
}
type Done = (error?: Error | null) => void;

/**
 * From now on `sign`, a packet of at most 16 bytes, leaves by the socket at least once in `interval` milliseconds while this
 * thread is busy. Without effect for TLS, and for what has no descriptor.
 */
export function signsOfLife(socket: Socket, sign: Uint8Array, interval: number): void {
  const { encrypted, _handle: handle } = socket as unknown as Inside;
  const fd = handle?.fd ?? -1;
  if (encrypted === true || fd < 0 || socket.destroyed || interval <= 0) return;
  const period = Math.max(SHORTEST, interval * SHARE);
  try {
    watcher ??= new Watcher(period);
  } catch (error) {
    return log(`no signs of life while busy: ${(error as Error).message}`);
  }
  watcher.hurry(period);
  if (watched.has(socket)) return;
  const place = watcher.take();
  if (place === undefined) return;
  watched.add(socket);
  guard(
    socket as unknown as Inside,
    new Place(watcher, place, fd, sign, socket.writableLength > 0),
  );
}

/** Every write of the owner's, and its end, is told to the place. */
function guard(socket: Inside, place: Place): void {
  const { _write: write, _writev: writev, _final: final, _destroy: destroy } = socket;
  /** `go` is the write itself, and is told when the kernel has all of it. */
  const guarded = (go: (done: Done) => void, done: Done): void => {
    const rest = place.enter();
    const end: Done = (error) => {
      place.leave();
      done(error);
    };
    if (rest === undefined) go(end);
    else write.call(socket, rest, 'buffer', (error) => (error ? end(error) : go(end)));
  };
  socket._write = (chunk, encoding, done) =>
    guarded((end) => write.call(socket, chunk, encoding, end), done);
  socket._writev = (chunks, done) => guarded((end) => writev.call(socket, chunks, end), done);
  socket._final = (done) => {
    place.end();
    final.call(socket, done);
  };
  // Before the descriptor is closed, and may be somebody else's.
  socket._destroy = (error, done) => {
    place.end();
    destroy.call(socket, error, done);
  };
  hideActivity(socket);
}

/** One socket's words. */
class Place {
  readonly #watcher: Watcher;
  readonly #memory: Int32Array;
  readonly #at: number;
  #over = false;

  /** `underWay`: a write of the owner's is, so that a sign must wait for the end of the next. */
  constructor(owner: Watcher, at: number, fd: number, sign: Uint8Array, underWay: boolean) {
    const { memory } = owner;
    this.#watcher = owner;
    this.#memory = memory;
    this.#at = at;
    memory[at + FD] = fd;
    memory[at + SIZE] = sign.length;
    memory[at + LEFT] = 0;
    new Uint8Array(memory.buffer).set(sign, (at + SIGN) * 4);
    Atomics.store(memory, at + WRITER, underWay ? LAYOUT.OWNER : LAYOUT.ANYBODY);
  }

  /** From now on the owner alone may write. Returns what it must write first: the rest of a sign. */
  enter(): Uint8Array | undefined {
    const [memory, word] = [this.#memory, this.#at + WRITER];
    const { ANYBODY, OWNER, WATCHER } = LAYOUT;
    // It takes a system call that does not block.
    while (Atomics.compareExchange(memory, word, ANYBODY, OWNER) === WATCHER)
      Atomics.wait(memory, word, WATCHER);
    const left = memory[this.#at + LEFT] as number;
    if (left === 0 || this.#over) return undefined;
    memory[this.#at + LEFT] = 0;
    const end = (this.#at + SIGN) * 4 + (memory[this.#at + SIZE] as number);
    return new Uint8Array(memory.buffer).slice(end - left, end);
  }

  leave(): void {
    if (!this.#over) Atomics.store(this.#memory, this.#at + WRITER, LAYOUT.ANYBODY);
  }

  end(): void {
    if (this.#over) return;
    this.enter();
    this.#over = true;
    Atomics.store(this.#memory, this.#at + WRITER, LAYOUT.NOBODY);
    if (this.#watcher.giveBack(this.#at) && watcher === this.#watcher) watcher = undefined;
  }
}
