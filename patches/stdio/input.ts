/** A readable stream of the far side's standard input; nothing is asked for before somebody reads. */
import { Readable } from 'node:stream';
import type { ByteStream, Target } from '../../src/patch.ts';
import type { StdioCalls, StdioStreams } from './api.ts';

export class RemoteInput extends Readable {
  readonly fd = 0;
  readonly #target: Target<StdioCalls, StdioStreams>;
  #stream: ByteStream | undefined;
  #held = false;

  constructor(target: Target<StdioCalls, StdioStreams>) {
    super();
    this.#target = target;
  }

  override _read(): void {
    this.#hold(true);
    if (this.#stream === undefined) this.#stream = this.#open();
    else this.#stream.resume();
  }

  #open(): ByteStream {
    return this.#target.open('read', [], {
      data: (bytes) => {
        if (!this.push(bytes)) this.#pauseFar();
      },
      end: () => this.push(null),
      closed: (error) => {
        this.#hold(false);
        if (error !== undefined) this.destroy(error);
      },
    });
  }

  #pauseFar(): void {
    this.#stream?.pause();
  }

  override pause(): this {
    this.#hold(false);
    return super.pause();
  }

  override resume(): this {
    if (!this.readableEnded) this.#hold(true);
    return super.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#hold(false);
    this.#stream?.reset('closed');
    done(error);
  }

  #hold(on: boolean): void {
    if (on === this.#held) return;
    this.#held = on;
    if (on) this.#target.hold();
    else this.#target.release();
  }
}
