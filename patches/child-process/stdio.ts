/** What each entry of a child's `stdio` becomes when the child is on the far side. */
import type { Readable, Writable } from 'node:stream';
import { ElsewhereError } from '../../src/base/errors.ts';
import { farDescriptor, farStandardOf } from '../../src/base/far-handles.ts';
import type { ChildTarget, FarStdio } from './api.ts';
import type { NativeStdio } from './binding.ts';
import { farPipeOf } from './pipe-handle.ts';

export interface StdioPlan {
  readonly far: FarStdio;
  /** A stream of this side that the child inherits. */
  readonly input?: Readable;
  readonly output?: Writable;
}

export function planStdio(target: ChildTarget, entry: NativeStdio): StdioPlan {
  switch (entry.type) {
    case 'ignore':
    case 'pipe':
    case 'overlapped':
      return { far: entry.type };
    case 'wrap':
      return { far: givenPipe(target, entry.handle) };
    default:
      return inherited(target, entry.fd ?? -1);
  }
}

function inherited(target: ChildTarget, descriptor: number): StdioPlan {
  if (descriptor > 2) return { far: openFile(target, descriptor) };
  // The scope's own: this code runs in it.
  if (descriptor === 0) {
    const input = process.stdin as Readable;
    return isThere(target, input) ? { far: { standard: 0 } } : { far: 'pipe', input };
  }
  const output = (descriptor === 1 ? process.stdout : process.stderr) as Writable;
  return isThere(target, output) ? { far: { standard: descriptor } } : { far: 'pipe', output };
}

function isThere(target: ChildTarget, stream: object): boolean {
  return farStandardOf(stream) === target.connection;
}

function openFile(target: ChildTarget, descriptor: number): FarStdio {
  const file = farDescriptor(descriptor);
  if (file === undefined || file.connection !== target.connection)
    throw unsupported(
      `the descriptor ${descriptor}, which is not open on the child's side`,
      'open the file in the same scope',
    );
  file.settle();
  return { file: file.id };
}

function givenPipe(target: ChildTarget, handle: unknown): FarStdio {
  const pipe = farPipeOf(handle);
  if (pipe === undefined || pipe.target.connection !== target.connection)
    throw unsupported(
      'a stream whose other end is not a child on the same far side',
      "use 'pipe' and pipe the data",
    );
  const far = pipe.give();
  if (far === undefined)
    throw unsupported(
      'a pipe of another child that was read or written before',
      'pass it in the same turn in which that child was spawned',
    );
  return far;
}

function unsupported(what: string, instead: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `a child on the far side cannot have as its stdio ${what}: ${instead}, or start the child here with withLocal()`,
  );
}
