/** Opening far files: `open`, and `openFileHandle` under Node's FileHandle class. */
import type { FsTarget, Opened } from './api.ts';
import { takeClosing } from './closing.ts';
import { creationMode } from './creation.ts';
import { addFile, type FarFile, openFile, removeFile } from './descriptors.ts';
import { type Call, promised } from './dispatch.ts';
import { HandleBase } from './file-handle.ts';
import { closeTask } from './file-operations.ts';
import { onlyReads, toWireFlags } from './flags.ts';
import { changesOf, noteChange, OpenAhead } from './open-ahead.ts';
import type { PathOperation } from './path-operations.ts';
import type { RemotePath } from './paths.ts';
import { readFileContext, readIntoContext } from './read-file.ts';
import { Reader } from './reader.ts';
import { ask, type Work } from './work.ts';
import { takeWriteFile, writeAtOnce } from './write-file.ts';

/** Opens, and returns the descriptor. */
function* openFar(path: RemotePath, flags: number, mode: number): Work<number> {
  const { target } = path;
  const readOnly = onlyReads(flags);
  if (!readOnly) noteChange(target);
  const changes = changesOf(target);
  const closing = takeClosing(target);
  const wire = toWireFlags(flags);
  const made = creationMode(target, mode);
  const opened = yield* ask('open', path.path, wire, made, readOnly, closing);
  return addFile(farFile(target, opened, readOnly, changes));
}

/** `changes` is the count when the opening was sent. */
function farFile(target: FsTarget, opened: Opened, readOnly: boolean, changes: number): FarFile {
  const [id, stats, head] = opened;
  const reader =
    stats === undefined
      ? undefined
      : new Reader(target, id, new OpenAhead(target, stats, head, changes));
  return { kind: 'far', target, id, reader, numbers: 1, readOnly };
}

/** `fs.writeFile` opens first, and what follows is known: then all is done in one call. */
function* open(path: RemotePath, { args }: Call): Work<number> {
  const [given, flags, mode] = args as [unknown, number, number];
  const whole = takeWriteFile(given, flags);
  if (whole === undefined) return yield* openFar(path, flags, mode);
  return yield* writeAtOnce(path, flags, mode, whole);
}

function* openFileHandle(path: RemotePath, call: Call): Work<HandleBase> {
  const descriptor = yield* open(path, call);
  return new HandleBase(descriptor, closeDescriptor);
}

function closeDescriptor(descriptor: number): Promise<void> {
  const file = openFile(descriptor);
  removeFile(descriptor);
  const task = file === undefined ? undefined : closeTask(file);
  return (task === undefined ? Promise.resolve() : promised(task)) as Promise<void>;
}

const accepts = ([, flags, mode]: readonly unknown[]): boolean =>
  Number.isInteger(flags) && Number.isInteger(mode);

export const OPEN_OPERATIONS: readonly PathOperation[] = [
  {
    name: 'open',
    // Whether it changes anything depends on the flags.
    reads: true,
    accepts,
    loader: ({ form }) => form === 'sync',
    work: (path, call) => {
      const context = readFileContext(call.request);
      if (context === undefined || context.isUserFd) return open(path, call);
      return readIntoContext(call.request, path, call.args[1] as number);
    },
  },
  {
    name: 'openFileHandle',
    reads: true,
    accepts,
    // Node 20 reads ES modules through it.
    loader: () => true,
    work: openFileHandle,
  },
];
