/** Output that goes to the far side and to this process's own stream, as fast as the slower of them takes it. */
import { once } from 'node:events';
import fs from 'node:fs';
import { Writable } from 'node:stream';
import type { RemoteOutput } from './output.ts';

export class Tee extends Writable {
  readonly fd: number;
  readonly #far: RemoteOutput;
  readonly #here: NodeJS.WriteStream;
  /** What tells Writable to give the next chunk, while the slower one drains. */
  #next: (() => void) | undefined;
  #ending = false;
  /** Inside it `write` of our own stream does not ask the scope, which would lead back to here. */
  readonly #locally: <R>(fn: () => R) => R;

  constructor(far: RemoteOutput, here: NodeJS.WriteStream, locally: <R>(fn: () => R) => R) {
    super({ decodeStrings: true });
    this.fd = far.fd;
    this.#far = far;
    this.#here = here;
    this.#locally = locally;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const more = [this.#far.write(chunk), this.#locally(() => this.#here.write(chunk))];
    const full = [this.#far, this.#here].filter((_stream, at) => more[at] === false);
    if (full.length === 0 || this.#ending) return done();
    this.#next = done;
    const drained = full.map((stream) => once(stream, 'drain').catch(() => undefined));
    void Promise.all(drained).then(() => {
      if (this.#next !== done) return;
      this.#next = undefined;
      done();
    });
  }

  /** For `fs.writeSync`: behind all that was written before. */
  writeNow(bytes: Buffer): void {
    this.flushNow();
    this.#ending = false;
    this.#far.writeNow(bytes);
    this.#locally(() => fs.writeSync(this.fd, bytes));
  }

  /** At exit nothing waits any more. */
  flushNow(): void {
    this.#ending = true;
    const next = this.#next;
    this.#next = undefined;
    next?.();
  }
}
