/** Keys that are typed before there is a prompt: neither shown nor lost. */
import type { ReadStream } from 'node:tty';

/** Reads them, unseen, until they are handed over: then the next reader gets them first. Ctrl-C ends the program. */
export class EarlyKeys {
  readonly #terminal: ReadStream | undefined;
  readonly #held: Buffer[] = [];
  readonly #keep = (chunk: Buffer): void => {
    if (!chunk.includes(CTRL_C)) return void this.#held.push(chunk);
    this.end();
    process.kill(process.pid, 'SIGINT');
  };

  constructor(input: NodeJS.ReadStream) {
    if (input.isTTY !== true) return;
    this.#terminal = input;
    // The terminal would show what nobody has asked for, and the prompt would show it again.
    input.setRawMode(true);
    input.on('data', this.#keep);
  }

  handOver(): void {
    this.#terminal?.off('data', this.#keep).pause();
    if (this.#held.length > 0) this.#terminal?.unshift(Buffer.concat(this.#held.splice(0)));
  }

  /** Nobody will read them. */
  end(): void {
    this.#terminal?.off('data', this.#keep).pause();
    this.#terminal?.setRawMode(false);
  }
}

const CTRL_C = 3;
