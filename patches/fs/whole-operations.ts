/** Two blocking functions of the binding that take a path or a descriptor: text files, read or written at once. */
import type { FsContext } from './api.ts';
import { NEVER } from './binding.ts';
import { creationMode } from './creation.ts';
import { isDescriptor } from './descriptors.ts';
import type { Call, Operation } from './dispatch.ts';
import { type FileOperation, fileOperation, writeBytes } from './file-operations.ts';
import { toWireFlags } from './flags.ts';
import { type PathOperation, pathOperation } from './path-operations.ts';
import { readRest, readWhole } from './read-file.ts';
import { ask, type Shown, type Work } from './work.ts';

function* text(bytes: Work<Buffer>): Work<string> {
  return (yield* bytes).toString();
}

const shown = (_call: Call, path: unknown): Shown => ({ syscall: 'open', path });

const readPath: PathOperation = {
  name: 'readFileUtf8',
  reads: true,
  shown,
  loader: () => true,
  work: (path, { args }) => text(readWhole(path, args[1] as number)),
};
const readFile: FileOperation = {
  name: 'readFileUtf8',
  syscall: 'read',
  reads: true,
  work: (file) => text(readRest(file)),
};

const writePath: PathOperation = {
  name: 'writeFileUtf8',
  shown,
  work: ({ path, target }, { args: [, data, flags, mode] }) =>
    ask(
      'writeFile',
      path,
      toWireFlags(flags as number),
      creationMode(target, mode as number),
      Buffer.from(data as string),
    ),
};
const writeFile: FileOperation = {
  name: 'writeFileUtf8',
  syscall: 'write',
  *work(file, { args }) {
    yield* writeBytes(file, Buffer.from(args[1] as string), -1);
  },
};

function either(context: FsContext, onPath: PathOperation, onFile: FileOperation): Operation {
  const byPath = pathOperation(context, onPath);
  const byFile = fileOperation(onFile);
  return {
    request: NEVER,
    concerns: (first) => isDescriptor(first) || byPath.concerns(first),
    plan: (call) => (isDescriptor(call.args[0]) ? byFile : byPath).plan(call),
  };
}

export function wholeOperations(context: FsContext): Record<string, Operation> {
  return {
    readFileUtf8: either(context, readPath, readFile),
    writeFileUtf8: either(context, writePath, writeFile),
  };
}
