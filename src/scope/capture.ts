/** Captures what a piece of local code prints. Concurrent captures never mix: each is a scope of its own. */
import { Writable } from 'node:stream';
import { runWithStdio } from './with-stdio.ts';

export interface Captured<R> {
  readonly stdout: string;
  readonly stderr: string;
  /** What the function returned, awaited. */
  readonly value: R;
}

/**
 * Runs `fn` and resolves with all that it wrote to process.stdout, process.stderr and console. If it throws, the error
 * is passed on, with the output so far as its `stdout` and `stderr`.
 */
export async function captureStdio<R>(fn: () => R | Promise<R>): Promise<Captured<R>> {
  const stdout = new Collector();
  const stderr = new Collector();
  try {
    const value = await runWithStdio({ stdout, stderr }, fn);
    return { stdout: stdout.text, stderr: stderr.text, value };
  } catch (error) {
    if (error instanceof Error) Object.assign(error, { stdout: stdout.text, stderr: stderr.text });
    throw error;
  }
}

class Collector extends Writable {
  readonly #chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(Buffer.from(chunk));
    done();
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}
