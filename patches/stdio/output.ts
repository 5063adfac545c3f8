/** A writable stream whose bytes go to the far side's standard output or error. */
import { AsyncResource } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import { WriteStream } from 'node:tty';
import type { ByteStream, Target } from '../../src/patch.ts';
import type { OutputFd, StdioCalls, StdioStreams, TerminalInfo } from './api.ts';
import { inContext } from './in-context.ts';
import { onTerminals } from './terminal.ts';

type StdioTarget = Target<StdioCalls, StdioStreams>;

export class RemoteOutput extends Writable {
  readonly fd: OutputFd;
  readonly #target: StdioTarget;
  #key: string = randomUUID();
  #stream: ByteStream | undefined;
  #terminal: TerminalInfo | undefined;
  /** Written here and not yet reported as written there. */
  #unconfirmed: Buffer[] = [];
  #confirmed = 0;
  /** What tells Writable that the chunk under way has left, so that it gives the next. */
  #next: ((error?: Error | null) => void) | undefined;
  /** At exit what is queued is gathered first; from then on every write blocks, since no event comes any more. */
  #mode: 'streaming' | 'gathering' | 'blocking' = 'streaming';
  #held = false;

  constructor(target: StdioTarget, fd: OutputFd) {
    super({ decodeStrings: true });
    this.fd = fd;
    this.#target = target;
    // A standard stream that fails must not end a program that never looks at it.
    this.on('error', () => undefined);
  }

  /** Asked for at first use, blocking; whoever asks wants to know now. */
  #info(): TerminalInfo {
    if (this.#terminal === undefined && this.#target.alive) {
      this.#terminal = this.#target.callSync('info')[this.fd];
      if (this.#terminal?.isTTY === true) this.#watchSize();
    }
    return this.#terminal ?? { isTTY: false, columns: 80, rows: 24 };
  }

  #watchSize(): void {
    const events = inContext({
      data: () => undefined,
      end: () => undefined,
      closed: () => undefined,
      signal: (size) => {
        const [columns, rows] = size as [number, number];
        this.#terminal = { isTTY: true, columns, rows };
        this.emit('resize');
      },
    });
    this.#target.open('sizes', [this.fd], events);
  }

  get isTTY(): true | undefined {
    return this.#info().isTTY || undefined;
  }

  get columns(): number | undefined {
    const { isTTY, columns } = this.#info();
    return isTTY ? columns : undefined;
  }

  get rows(): number | undefined {
    const { isTTY, rows } = this.#info();
    return isTTY ? rows : undefined;
  }

  /** What is under way holds the process until it has arrived, as with a pipe; there is nothing more to hold. */
  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    const bytes = Buffer.from(chunk);
    this.#unconfirmed.push(bytes);
    if (this.#mode === 'gathering') return done();
    if (this.#mode === 'blocking') return this.#writeNow(done);
    this.#hold(true);
    this.#stream ??= this.#open();
    const next = AsyncResource.bind(done);
    this.#next = next;
    this.#stream.write(bytes, (error) => {
      if (this.#next !== next) return;
      this.#next = undefined;
      next(error);
    });
  }

  #open(): ByteStream {
    const key = this.#key;
    const isCurrent = (): boolean => key === this.#key;
    const events = inContext({
      data: () => undefined,
      end: () => undefined,
      signal: (count) => {
        if (isCurrent()) this.#confirm(Number(count));
      },
      closed: (error) => {
        if (!isCurrent()) return;
        this.#hold(false);
        if (error !== undefined) this.destroy(error);
      },
    });
    return this.#target.open('write', [this.fd, key], events);
  }

  /** The far side has written `total` bytes of this stream so far. */
  #confirm(total: number): void {
    let done = total - this.#confirmed;
    this.#confirmed = total;
    let first = this.#unconfirmed[0];
    while (first !== undefined && done > 0) {
      if (first.length > done) this.#unconfirmed[0] = first.subarray(done);
      else this.#unconfirmed.shift();
      done -= first.length;
      first = this.#unconfirmed[0];
    }
    if (this.#unconfirmed.length === 0) this.#hold(false);
  }

  #hold(on: boolean): void {
    if (on === this.#held) return;
    this.#held = on;
    if (on) this.#target.hold();
    else this.#target.release();
  }

  #writeNow(done: (error?: Error | null) => void): void {
    try {
      this.#finish();
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  /** For `process.exit`: blocks until everything is written there, also what waits behind the chunk under way. */
  flushNow(): void {
    this.#gather();
    this.#mode = 'blocking';
    this.#finish();
  }

  /** For `fs.writeSync`: blocks until this is written there, behind all that was written before. */
  writeNow(bytes: Buffer): void {
    const mode = this.#mode;
    this.#gather();
    this.#unconfirmed.push(bytes);
    this.#finish();
    this.#mode = mode;
    // The stream has lost its place: what is still on its way there was written already.
    this.#stream?.end();
    this.#stream = undefined;
    this.#key = randomUUID();
    this.#confirmed = 0;
    this.#hold(false);
  }

  /** What waits behind the chunk under way is waiting with it then. */
  #gather(): void {
    this.#mode = 'gathering';
    const next = this.#next;
    this.#next = undefined;
    next?.();
  }

  #finish(): void {
    if (this.#unconfirmed.length === 0 || !this.#target.alive) return;
    const bytes = Buffer.concat(this.#unconfirmed);
    const key = this.#stream === undefined ? '' : this.#key;
    this.#target.callSync('finish', key, this.fd, this.#confirmed, bytes);
    this.#unconfirmed = [];
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    done(error);
  }
}

onTerminals(RemoteOutput.prototype, WriteStream.prototype, [
  'clearLine',
  'clearScreenDown',
  'cursorTo',
  'moveCursor',
  'getWindowSize',
  'getColorDepth',
  'hasColors',
]);
