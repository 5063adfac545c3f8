/** `redirectStdio`: output of code that runs on the far side for this caller shows here, and only here. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Channel } from '../connection/channel.ts';
import type { StdioStreams } from '../patch.ts';
import { openRedirection, type Redirection } from './redirect.ts';

/** Which redirection is in force for which connection, for calls made inside `redirectStdio`. */
const redirections = new AsyncLocalStorage<ReadonlyMap<Channel, number>>();

/** What holds for all calls of a connection, until it is detached. */
const attached = new WeakMap<Channel, Redirection>();
/** Most programs redirect nothing, and are not to pay for it with each call. */
let isUsed = false;

/** The id to send along with code for the far side; null when its output stays there. */
export function currentRedirection(channel: Channel): number | null {
  if (!isUsed) return null;
  return redirections.getStore()?.get(channel) ?? attached.get(channel)?.id ?? null;
}

function redirect(channel: Channel, streams: StdioStreams): Redirection {
  isUsed = true;
  return openRedirection(channel, streams);
}

const own = (): StdioStreams => ({ stdout: process.stdout, stderr: process.stderr });

/** `conn.stdio`: what this client's code prints on the far side, from now on and until further notice. Classic mode. */
export class AttachedStdio {
  readonly #channel: Channel;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Shows it in `streams`, by default this process's own; takes the place of streams that were attached before. */
  async attach(streams: StdioStreams = own()): Promise<void> {
    await this.detach();
    attached.set(this.#channel, redirect(this.#channel, streams));
  }

  /** Leaves it to the far side again. All that was printed has been written when the promise settles. */
  async detach(): Promise<void> {
    const redirection = attached.get(this.#channel);
    attached.delete(this.#channel);
    await redirection?.flush();
    await redirection?.close();
  }
}

/**
 * Runs `fn`; what code of this caller prints on the far side meanwhile (eval, execute, run, functions and modules of
 * there) goes to `streams`, by default this process's own standard streams. All of it has been written when the promise
 * settles.
 */
export async function redirectStdio<R>(
  remote: { readonly channel: Channel },
  fn: () => R | Promise<R>,
  streams: StdioStreams = own(),
): Promise<R> {
  const { channel } = remote;
  const redirection = redirect(channel, streams);
  const inForce = new Map(redirections.getStore() ?? []).set(channel, redirection.id);
  try {
    return await redirections.run(inForce, fn);
  } finally {
    await redirection.flush();
    await redirection.close();
  }
}
