/** A pair of streams that leads from a client to an agent: many links over its input and output. */
import { Duplex, type Readable, type Writable } from 'node:stream';
import { ElsewhereError } from '../base/errors.ts';
import { Mux } from './mux.ts';
import type { Listener, Transport } from './transport.ts';

export interface PipePair {
  readonly input: Readable;
  readonly output: Writable;
}

/** The pair that a value is; a Duplex is both of its own. */
export function pipePair(value: unknown): PipePair | undefined {
  if (value instanceof Duplex) return { input: value, output: value };
  const isPair =
    typeof value === 'object' && value !== null && 'input' in value && 'output' in value;
  return isPair ? (value as PipePair) : undefined;
}

/** The agent's end. Links come until the input ends. */
export function listenPipe(
  { input, output }: PipePair,
  accept: (transport: Transport) => void,
): Listener {
  const mux = new Mux({ input, output, description: 'stdio', accept });
  input.on('end', () => mux.end(undefined));
  input.on('error', (error) => mux.end(error));
  return {
    url: 'stdio:',
    close: async () => mux.close(),
    ref: () => undefined,
    unref: () => undefined,
  };
}

/** The client's end. */
export class PipeLinks {
  readonly #mux: Mux;

  constructor({ input, output }: PipePair) {
    this.#mux = new Mux({ input, output, description: 'a pair of streams' });
    input.on('end', () => this.#end(undefined));
    input.on('error', (error) => this.#end(error));
    input.on('close', () => this.#end(undefined));
    if (input.readableEnded || input.destroyed || output.destroyed) this.#end(undefined);
  }

  open(): Transport {
    return this.#mux.open();
  }

  #end(cause: Error | undefined): void {
    const failure = new ElsewhereError(
      'ERR_ELSEWHERE_CONNECTION_LOST',
      `the streams that lead to the agent have ended${cause === undefined ? '' : `: ${cause.message}`}`,
      { cause },
    );
    this.#mux.end(failure);
  }

  /** The agent's end of the streams sees their end. */
  close(): void {
    this.#mux.close();
  }
}
