/** The descriptors 0, 1 and 2: in a scope they are its standard streams, whatever those are. */
import { ElsewhereError } from '../../src/base/errors.ts';
import { type StandardFile, standardFile } from '../../src/base/far-handles.ts';
import type { FsContext, FsTarget } from './api.ts';
import type { Call, Operation } from './dispatch.ts';
import { systemError } from './errors.ts';
import { toWrite } from './file-operations.ts';
import { finishWith, readFileContext } from './read-file.ts';
import { bytesOf, statsArray } from './values.ts';
import { type Arrival, arrival, failing, known, type Task, type Work } from './work.ts';

const PIECE = 64 * 1024;

/** The same operation, also for the standard descriptors. */
export function withStandard(context: FsContext, name: string, operation: Operation): Operation {
  return {
    request: operation.request,
    concerns: (first) =>
      operation.concerns(first) || (isStandard(first) && context.scope() !== undefined),
    plan: (call) => {
      const [descriptor] = call.args;
      if (!isStandard(descriptor)) return operation.plan(call);
      const file = standardFile(descriptor);
      return file === undefined ? undefined : standardTask(name, file, call);
    },
  };
}

function isStandard(value: unknown): value is number {
  return value === 0 || value === 1 || value === 2;
}

function standardTask(name: string, file: StandardFile, call: Call): Task {
  // Of a target the driver of a work without calls only uses `hold` and `release`.
  const target = file as unknown as FsTarget;
  const plan = plans[name];
  if (plan === undefined)
    return { target, shown: { syscall: name }, work: failing(unsupported(name)) };
  const [syscall, work] = plan;
  return { target, shown: { syscall, file: true }, work: work(file, call, name) };
}

type Plan = readonly [
  syscall: string,
  work: (file: StandardFile, call: Call, name: string) => Work,
];

const plans: Readonly<Record<string, Plan>> = {
  read: ['read', read],
  readBuffers: ['read', readBuffers],
  readFileUtf8: ['read', readText],
  writeBuffer: ['write', write],
  writeBuffers: ['write', write],
  writeString: ['write', write],
  writeFileUtf8: ['write', writeText],
  fstat: ['fstat', fstat],
  // As for a pipe or a terminal.
  fsync: ['fsync', refused],
  fdatasync: ['fdatasync', refused],
  ftruncate: ['ftruncate', refused],
};

function* read(file: StandardFile, call: Call): Work<number> {
  if (call.args[0] !== 0) throw systemError({ code: 'EBADF', syscall: 'read' });
  const [, buffer, offset, length] = call.args as [number, ArrayBufferView, number, number];
  const bytes = yield* take(file, call, length);
  bytesOf(buffer).set(bytes, Number(offset));
  return bytes.length;
}

function* readBuffers(file: StandardFile, call: Call): Work<number> {
  const views = (call.args[1] as ArrayBufferView[]).map(bytesOf);
  const total = views.reduce((sum, { length }) => sum + length, 0);
  const bytes = yield* take(file, call, total);
  let at = 0;
  for (const view of views) {
    view.set(bytes.subarray(at, at + view.length));
    at += view.length;
    if (at >= bytes.length) break;
  }
  return bytes.length;
}

function* readText(file: StandardFile, call: Call): Work<string> {
  return (yield* readAll(file, call)).toString();
}

function* readAll(file: StandardFile, call: Call): Work<Buffer> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const piece = yield* take(file, call, PIECE);
    if (piece.length === 0) return Buffer.concat(pieces);
    pieces.push(piece);
  }
}

function* take(file: StandardFile, { form }: Call, length: number): Work<Uint8Array> {
  if (form === 'sync') return file.readSync(length);
  return (yield* later<Uint8Array>((done) => file.read(length, done))) as Uint8Array;
}

function* write(file: StandardFile, { args, form }: Call, name: string): Work<number> {
  if (args[0] === 0) throw systemError({ code: 'EBADF', syscall: 'write' });
  const [bytes] = toWrite(name, args);
  // A copy: the caller may use its memory again as soon as it is called back.
  if (form === 'sync') file.writeSync(Buffer.from(bytes));
  else yield* later((done) => file.write(Buffer.from(bytes), done));
  return bytes.length;
}

function writeText(file: StandardFile, { args }: Call): Work {
  file.writeSync(Buffer.from(args[1] as string));
  return known(undefined);
}

function fstat(file: StandardFile, call: Call): Work {
  // fs.readFile asks for the stats first, and would go on with the binding's own functions.
  if (readFileContext(call.request)?.isUserFd === true) {
    finishWith(call.request);
    return readAll(file, call);
  }
  return known(statsArray(file.stats(), call.args[1]));
}

function refused(_file: StandardFile, _call: Call, name: string): Work {
  return failing(systemError({ code: 'EINVAL', syscall: name }));
}

function unsupported(name: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `${name} of a standard stream of the scope: it is the scope's, not this code's; read and write it, or call ${name} inside withLocal()`,
  );
}

/** Something that calls back. */
function* later<T>(
  start: (done: (error?: unknown, value?: T) => void) => void,
): Work<T | undefined> {
  let outcome: { error?: unknown; value?: T | undefined } | undefined;
  let resume: () => void = () => undefined;
  const wait: Arrival = { onArrival: (listener) => (resume = listener) };
  start((error, value) => {
    outcome = { error, value };
    resume();
  });
  if (outcome === undefined) yield* arrival(wait);
  const { error, value } = outcome as unknown as { error?: unknown; value?: T };
  if (error !== undefined && error !== null) throw error;
  return value;
}
