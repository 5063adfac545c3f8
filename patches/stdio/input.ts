/** A readable stream of the far side's standard input; nothing is asked for before somebody reads. */
import { Readable } from 'node:stream';
import type { ByteStream, Target } from '../../src/patch.ts';
import type { StdioCalls, StdioStreams } from './api.ts';
import { inContext } from './in-context.ts';
import { onTerminals } from './terminal.ts';

export class RemoteInput extends Readable {
  readonly fd = 0;
  readonly #target: Target<StdioCalls, StdioStreams>;
  #stream: ByteStream | undefined;
  #isTTY: boolean | undefined;
  #raw = false;
  /** Somebody reads. */
  #reading = false;
  /** Reading keeps the process alive: until `unref`. */
  #referenced = true;
  #held = false;

  constructor(target: Target<StdioCalls, StdioStreams>) {
    super();
    this.#target = target;
  }

  /** Asked for at first use, blocking. */
  get isTTY(): true | undefined {
    if (this.#isTTY === undefined && this.#target.alive)
      this.#isTTY = this.#target.callSync('info')[0]?.isTTY;
    return this.#isTTY || undefined;
  }

  /** Of terminals only. */
  get isRaw(): boolean | undefined {
    return this.isTTY && this.#raw;
  }

  switchRaw(on: boolean): this {
    this.#target.callSync('raw', on);
    this.#raw = on;
    return this;
  }

  /** For `fs.readSync(0)`: what this stream holds, else what comes next. Blocks. */
  takeNow(length: number): Uint8Array {
    const held = this.#takeHeld(length);
    if (held !== undefined) return held;
    return this.#target.callSync('take', length);
  }

  /** The same without blocking. */
  takeSoon(length: number, done: (error: unknown, bytes?: Uint8Array) => void): void {
    const held = this.#takeHeld(length);
    if (held !== undefined) process.nextTick(done, null, held);
    else this.#target.send('take', [length], done);
  }

  /** Undefined if the far side has to be asked. Throws EAGAIN while this stream reads by itself, as a read of Node's would. */
  #takeHeld(length: number): Uint8Array | undefined {
    if (this.readableLength > 0) return this.read(Math.min(length, this.readableLength));
    if (this.readableEnded) return new Uint8Array(0);
    if (this.#stream !== undefined) throw tryAgain();
    return undefined;
  }

  ref(): this {
    this.#referenced = true;
    this.#hold();
    return this;
  }

  unref(): this {
    this.#referenced = false;
    this.#hold();
    return this;
  }

  override _read(): void {
    this.#read(true);
    if (this.#stream === undefined) this.#stream = this.#open();
    else this.#stream.resume();
  }

  #open(): ByteStream {
    const events = inContext({
      data: (bytes) => {
        if (!this.push(bytes)) this.#stream?.pause();
      },
      end: () => this.push(null),
      closed: (error) => {
        const reading = this.#reading;
        this.#read(false);
        // Who does not read has nothing to be told.
        if (error !== undefined) this.destroy(reading ? error : undefined);
      },
    });
    return this.#target.open('read', [], events);
  }

  override pause(): this {
    this.#read(false);
    return super.pause();
  }

  override resume(): this {
    if (!this.readableEnded) this.#read(true);
    return super.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#read(false);
    this.#stream?.reset('closed');
    done(error);
  }

  #read(on: boolean): void {
    this.#reading = on;
    this.#hold();
  }

  #hold(): void {
    const hold = this.#reading && this.#referenced;
    if (hold === this.#held) return;
    this.#held = hold;
    if (hold) this.#target.hold();
    else this.#target.release();
  }
}

export function tryAgain(): Error {
  return Object.assign(new Error('resource temporarily unavailable'), {
    code: 'EAGAIN',
    syscall: 'read',
  });
}

onTerminals(
  RemoteInput.prototype,
  {
    setRawMode(this: RemoteInput, on: boolean): RemoteInput {
      return this.switchRaw(Boolean(on));
    },
  },
  ['setRawMode'],
);
