/**
 * Node 26 reads and writes whole files by job objects instead of operations. lib/fs.js keeps the classes of its start, so
 * the callback forms are met at `run`; the promise forms look the class up, so they get one of ours.
 */
import { AsyncResource } from 'node:async_hooks';
import type { LocalContext } from '../../src/patch.ts';
import type { FsApi, FsPath } from './api.ts';
import type { FsBinding } from './binding.ts';
import { noteChange } from './descriptors.ts';
import { localError, unsupported } from './errors.ts';
import { openFlags } from './flags.ts';
import type { PathRoute, PathRouter } from './paths.ts';

type Done = (...args: unknown[]) => void;
interface Job {
  ondone?: Done;
  context?: { readonly options?: { readonly flag?: string | number } };
  run(path: FsPath): unknown;
}
type JobClass = new (...args: unknown[]) => Job;

export function substituteJobs(
  context: LocalContext<FsApi>,
  binding: FsBinding,
  router: PathRouter,
): void {
  if (typeof binding['ReadFileJob'] !== 'function') return;
  substituteRead(context, binding, router);
  substituteWrite(context, binding, router);
}

function substituteRead(
  context: LocalContext<FsApi>,
  binding: FsBinding,
  router: PathRouter,
): void {
  const Native = binding['ReadFileJob'] as JobClass;
  const { prototype } = Native;
  const { run } = prototype;
  const read = (job: Job, path: FsPath, flags: number, route: PathRoute): void => {
    answer(
      job,
      path,
      route,
      (done) => route.target.send('readFile', [route.path, flags], done),
      (bytes) => [undefined, asBuffer(bytes), -1],
    );
  };
  context.replace(prototype, 'run', function (this: Job, path: FsPath): unknown {
    const route = router.local ? undefined : router.route(path, 'open');
    if (route === undefined) return run.call(this, path);
    return read(this, path, openFlags(this.context?.options?.flag ?? 'r'), route);
  });
  context.replace(
    binding as Record<string, unknown>,
    'ReadFileJob',
    (...args: unknown[]): object => {
      const [path, flags] = args as [FsPath, number];
      const route = router.local ? undefined : router.route(path, 'open');
      if (route === undefined) return Reflect.construct(Native, args);
      return ourJob((job) => read(job, path, flags, route));
    },
  );
}

function substituteWrite(
  context: LocalContext<FsApi>,
  binding: FsBinding,
  router: PathRouter,
): void {
  const Native = binding['WriteFileJob'] as JobClass;
  const { prototype } = Native;
  const { run } = prototype;
  context.replace(prototype, 'run', function (this: Job, path: FsPath): unknown {
    if (router.local || router.route(path, 'open') === undefined) return run.call(this, path);
    // Its data is inside the native object; the plain cases never come here (whole-file.ts).
    return unsupported(
      'fs.writeFile with a callback and these arguments',
      'use fs.promises.writeFile, or a path as text',
    );
  });
  context.replace(
    binding as Record<string, unknown>,
    'WriteFileJob',
    (...args: unknown[]): object => {
      const [path, flags, mode, data] = args as [FsPath, number, number, NodeJS.ArrayBufferView];
      const route = router.local ? undefined : router.route(path, 'open');
      if (route === undefined) return Reflect.construct(Native, args);
      const bytes = Buffer.from(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
      noteChange(route.target.connection);
      return ourJob((job) =>
        answer(
          job,
          path,
          route,
          (done) => route.target.send('writeFile', [route.path, bytes, flags, mode], done),
          () => [null],
        ),
      );
    },
  );
}

function ourJob(run: (job: Job) => void): Job {
  const job: Job = { run: () => run(job) };
  return job;
}

function answer(
  job: Job,
  path: FsPath,
  route: PathRoute,
  send: (done: (error: unknown, value?: unknown) => void) => void,
  values: (value: never) => unknown[],
): void {
  const { target } = route;
  const resource = new AsyncResource('FSREQCALLBACK');
  target.hold();
  send((error, value) => {
    target.release();
    const failed =
      error !== null
        ? [
            localError(error, {
              path: (error as NodeJS.ErrnoException).syscall === 'read' ? undefined : path,
            }),
          ]
        : undefined;
    setImmediate(() =>
      resource.runInAsyncScope(() => job.ondone?.(...(failed ?? values(value as never)))),
    );
  });
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
