/**
 * A TCP proxy that breaks its connections as networks do: by RST, FIN, at any byte, by refusing, by silence. In a process
 * of its own, since tests block theirs.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface ChaosOptions {
  /** The port of the agent on loopback. */
  readonly target: number;
  /** The same seed breaks in the same ways. */
  readonly seed: number;
  /** Mean life of a connection in milliseconds; 0: none is broken by itself. */
  readonly life: number;
  /** Some connections are slow, some stall without a word, and at times nobody listens. Default false. */
  readonly rough?: boolean;
}

export type ToProxy = 'calm' | 'cut';
export type FromProxy = 'broken' | { readonly port: number };

export interface Chaos {
  /** Where clients dial. */
  readonly port: number;
  /** How many connections it has broken, as far as it has told. */
  readonly broken: number;
  /** Breaks all that is open now. */
  cut(): void;
  /** From now on nothing is broken. */
  calm(): void;
  close(): Promise<void>;
}

const program = fileURLToPath(new URL('./chaos-proxy.js', import.meta.url));

export async function startChaos(options: ChaosOptions): Promise<Chaos> {
  const child = fork(program, [JSON.stringify(options)]);
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  let broken = 0;
  child.on('message', () => broken++);
  const tell = (message: ToProxy): void => void child.send(message);
  return {
    port,
    get broken() {
      return broken;
    },
    cut: () => tell('cut'),
    calm: () => tell('calm'),
    close: async () => {
      child.disconnect();
      await once(child, 'exit');
    },
  };
}
