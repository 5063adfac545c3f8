/** The agent's end of a pair of pipes: many links over its input and output. */
import type { Readable, Writable } from 'node:stream';
import { Mux } from './mux.ts';
import type { Listener, Transport } from './transport.ts';

export interface PipePair {
  readonly input: Readable;
  readonly output: Writable;
}

export function isPipePair(value: unknown): value is PipePair {
  return typeof value === 'object' && value !== null && 'input' in value && 'output' in value;
}

/** Links come until the input ends. */
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
