/** `redirectStdio`: output of code that runs on the far side for this caller shows here, and only here. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Channel } from '../connection/channel.ts';
import type { StdioStreams } from '../patch.ts';
import { openRedirection } from './redirect.ts';

/** Which redirection is in force for which connection, for calls made inside `redirectStdio`. */
const redirections = new AsyncLocalStorage<ReadonlyMap<Channel, number>>();

/** The id to send along with code for the far side; null when its output stays there. */
export function currentRedirection(channel: Channel): number | null {
  return redirections.getStore()?.get(channel) ?? null;
}

/**
 * Runs `fn`; what code of this caller prints on the far side meanwhile (eval, execute, run) goes to `streams`, by
 * default this process's own standard streams. All of it has been written when the promise settles.
 */
export async function redirectStdio<R>(
  remote: { readonly channel: Channel },
  fn: () => R | Promise<R>,
  streams: StdioStreams = { stdout: process.stdout, stderr: process.stderr },
): Promise<R> {
  const { channel } = remote;
  const redirection = openRedirection(channel, streams);
  const inForce = new Map(redirections.getStore() ?? []).set(channel, redirection.id);
  try {
    return await redirections.run(inForce, fn);
  } finally {
    await redirection.flush();
    await redirection.close();
  }
}
