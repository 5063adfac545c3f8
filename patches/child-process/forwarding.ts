/**
 * Far files, and standard streams of the scope, as the stdio of a child that runs here: it gets pipes, and what goes through
 * them is read from or written to them as it comes.
 */
import net from 'node:net';
import { finished } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type NativePipe,
  type NativeProcess,
  type NativeSpawn,
  type NativeStdio,
  newPipe,
  spawnNatively,
} from './binding.ts';
import { type Forwarded, forwardedEntries } from './forwarded.ts';

/** A grandchild may hold the pipes for ever. Milliseconds. */
const LAST_OUTPUT = 1000;

/** Starts the child, if it is given such. Returns 0 or a negative error number; undefined if there are none. */
export function spawnForwarding(
  handle: NativeProcess,
  spawn: NativeSpawn,
  standards: boolean,
): number | undefined {
  const entries = forwardedEntries(spawn.stdio, standards);
  if (entries.length === 0) return undefined;
  const stdio = [...spawn.stdio];
  const pipes = entries.map(({ index }) => {
    const pipe = newPipe();
    stdio[index] = { type: 'pipe', handle: pipe };
    return pipe;
  });
  const failed = spawnNatively(handle, { ...spawn, stdio });
  if (failed !== 0) {
    for (const pipe of pipes) pipe.close();
    for (const entry of entries) entry.close();
    return failed;
  }
  const flows = entries.map((entry, at) => flow(pipes[at] as NativePipe, entry));
  follow(handle, flows);
  return 0;
}

interface Flow {
  readonly socket: net.Socket;
  /** All that the child wrote is in the file; at once for what it reads. */
  readonly written: Promise<void>;
}

function flow(handle: NativePipe, entry: Forwarded): Flow {
  const { index } = entry;
  const options = { handle, readable: index > 0, writable: index === 0 };
  const socket = new net.Socket(options as net.SocketConstructorOpts);
  // A child that ends early closes its pipes.
  socket.on('error', () => undefined);
  if (index === 0) {
    entry
      .readable()
      .on('error', () => socket.destroy())
      .pipe(socket);
    return { socket, written: Promise.resolve() };
  }
  const file = entry.writable();
  // As for a child that cannot write to its file any more.
  file.on('error', () => socket.destroy());
  const written = new Promise<void>((resolve) => finished(file, () => resolve()));
  socket.pipe(file);
  return { socket, written };
}

/** The end of the child is told after its output has arrived, as it is in a file that it wrote by itself. */
function follow(handle: NativeProcess, flows: readonly Flow[]): void {
  const { onexit } = handle;
  const unref = handle.unref.bind(handle);
  handle.onexit = (status, signal) => {
    for (const { socket } of flows) if (socket.writable) socket.destroy();
    const all = Promise.all(flows.map(({ written }) => written));
    void Promise.race([all, pause(LAST_OUTPUT, undefined, { ref: false })]).then(() =>
      setImmediate(() => onexit?.call(handle, status, signal)),
    );
  };
  handle.unref = () => {
    for (const { socket } of flows) socket.unref();
    unref();
  };
}

interface SyncStdio extends NativeStdio {
  input?: Uint8Array;
}
interface SyncResult {
  readonly output: (Uint8Array | null)[] | null;
}

/** The blocking form: `run` is Node's own. */
export function runForwarding<O extends { readonly stdio: readonly NativeStdio[] }>(
  options: O,
  standards: boolean,
  run: (options: O) => unknown,
): unknown {
  const entries = forwardedEntries(options.stdio, standards);
  if (entries.length === 0) return run(options);
  const stdio: SyncStdio[] = [...options.stdio];
  try {
    for (const { index, content } of entries)
      stdio[index] =
        index === 0
          ? { type: 'pipe', readable: true, writable: false, input: content() }
          : { type: 'pipe', readable: false, writable: true };
    // Output that goes to a file is not limited.
    const result = run({ ...options, stdio, maxBuffer: Number.POSITIVE_INFINITY }) as SyncResult;
    for (const { index, put } of entries) {
      const bytes = result.output?.[index];
      if (result.output && bytes) {
        if (index > 0 && bytes.length > 0) put(bytes);
        result.output[index] = null;
      }
    }
    return result;
  } finally {
    for (const entry of entries) entry.close();
  }
}
