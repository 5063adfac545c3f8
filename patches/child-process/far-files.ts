/**
 * Far files as the stdio of a child that runs here: it gets pipes, and what goes through them is read from or written to
 * the files as it comes.
 */
import fs from 'node:fs';
import net from 'node:net';
import { finished } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { farDescriptor } from '../../src/base/far-handles.ts';
import {
  type NativePipe,
  type NativeProcess,
  type NativeSpawn,
  type NativeStdio,
  newPipe,
  spawnNatively,
} from './binding.ts';

/** A grandchild may hold the pipes for ever. Milliseconds. */
const LAST_OUTPUT = 1000;

/** A descriptor of its own for the far file that is entry `index` of the child's stdio. */
interface FarEntry {
  readonly index: number;
  readonly descriptor: number;
}

function farEntries(stdio: readonly NativeStdio[]): FarEntry[] {
  return stdio.flatMap(({ fd }, index) => {
    const file = fd === undefined ? undefined : farDescriptor(fd);
    return file === undefined ? [] : [{ index, descriptor: file.duplicate() }];
  });
}

/** Starts the child, if it is given far files. Returns 0 or a negative error number; undefined if there are none. */
export function spawnWithFarFiles(handle: NativeProcess, spawn: NativeSpawn): number | undefined {
  const entries = farEntries(spawn.stdio);
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
    for (const { descriptor } of entries) fs.closeSync(descriptor);
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

function flow(handle: NativePipe, { index, descriptor }: FarEntry): Flow {
  const options = { handle, readable: index > 0, writable: index === 0 };
  const socket = new net.Socket(options as net.SocketConstructorOpts);
  // A child that ends early closes its pipes.
  socket.on('error', () => undefined);
  if (index === 0) {
    fs.createReadStream('', { fd: descriptor })
      .on('error', () => socket.destroy())
      .pipe(socket);
    return { socket, written: Promise.resolve() };
  }
  const file = fs.createWriteStream('', { fd: descriptor });
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
export function runWithFarFiles<O extends { readonly stdio: readonly NativeStdio[] }>(
  options: O,
  run: (options: O) => unknown,
): unknown {
  const entries = farEntries(options.stdio);
  if (entries.length === 0) return run(options);
  const stdio: SyncStdio[] = [...options.stdio];
  try {
    for (const { index, descriptor } of entries)
      stdio[index] =
        index === 0
          ? { type: 'pipe', readable: true, writable: false, input: fs.readFileSync(descriptor) }
          : { type: 'pipe', readable: false, writable: true };
    // Output that goes to a file is not limited.
    const result = run({ ...options, stdio, maxBuffer: Number.POSITIVE_INFINITY }) as SyncResult;
    for (const { index, descriptor } of entries) {
      const bytes = result.output?.[index];
      if (result.output && bytes) {
        if (index > 0 && bytes.length > 0) fs.writeSync(descriptor, bytes);
        result.output[index] = null;
      }
    }
    return result;
  } finally {
    for (const { descriptor } of entries) fs.closeSync(descriptor);
  }
}
