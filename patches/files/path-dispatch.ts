/** Dispatchers of the operations on paths. */
import type { FsPath } from './api.ts';
import type { FsBinding, NativeFunction } from './binding.ts';
import { type FsTarget, noteChange } from './descriptors.ts';
import type { Driver, Request } from './driver.ts';
import { Settled } from './driver.ts';
import { localError, uvError } from './errors.ts';
import type { Arguments, PathOperation } from './operations.ts';
import type { PathRoute, PathRouter } from './paths.ts';
import { transferCopy } from './transfer.ts';

interface Routed {
  readonly target: FsTarget;
  readonly paths: FsPath[];
}

/** Makes the dispatcher of one operation. */
export function pathDispatcher(
  name: string,
  operation: PathOperation,
  binding: FsBinding,
  router: PathRouter,
  driver: Driver,
): NativeFunction {
  const original = binding[name] as NativeFunction;
  return function dispatch(this: unknown, ...args: unknown[]): unknown {
    // Natives abort the process for a wrong number of arguments: what is not ours passes exactly as it came.
    if (router.local || operation.invalid?.(args) === true) return original.apply(this, args);
    const mode = operation.request === -1 ? undefined : args[operation.request];
    let routed: Routed | 'local' | 'mixed';
    try {
      routed = routeAll(operation, args, router, dispatch);
    } catch (error) {
      return driver.fail(() => error, mode, dispatch);
    }
    if (routed === 'local') return original.apply(this, args);
    if (routed === 'mixed') return mixed(operation, args, mode, router, driver, dispatch);
    if (operation.changes === true) noteChange(routed.target.connection);
    return send(operation, args, routed, mode, driver, dispatch);
  };
}

function routeAll(
  operation: PathOperation,
  args: Arguments,
  router: PathRouter,
  dispatch: NativeFunction,
): Routed | 'local' | 'mixed' {
  const first = operation.paths === 'second' ? args[1] : args[0];
  const loader = operation.loader?.(args) === true;
  const one = loader
    ? router.routeUnlessLoader(first, operation.syscall, dispatch)
    : router.route(first, operation.syscall);
  if (operation.paths === 'one')
    return one === undefined ? 'local' : { target: one.target, paths: [one.path] };
  // The content of a symbolic link is text for whoever follows it, not a path of ours.
  if (operation.paths === 'second')
    return one === undefined
      ? 'local'
      : { target: one.target, paths: [args[0] as FsPath, one.path] };
  return both(one, router.route(args[1], operation.syscall));
}

function both(from: PathRoute | undefined, to: PathRoute | undefined): Routed | 'local' | 'mixed' {
  if (from === undefined && to === undefined) return 'local';
  if (from === undefined || to === undefined || from.target !== to.target) return 'mixed';
  return { target: from.target, paths: [from.path, to.path] };
}

function send(
  operation: PathOperation,
  args: Arguments,
  routed: Routed,
  mode: unknown,
  driver: Driver,
  dispatch: NativeFunction,
): unknown {
  const { target, paths } = routed;
  const place = {
    path: shownPath(operation, args),
    dest: operation.paths === 'one' ? undefined : args[1],
  };
  const request: Request = {
    target,
    method: operation.method,
    args: [...paths, ...(operation.extra?.(args) ?? [])],
    result:
      operation.result === undefined
        ? undefined
        : (value: never) => operation.result?.(value, args, target.scope.cwd),
    error: (error, above) => localError(error, { ...place, above }),
  } as Request;
  if (operation.missing === undefined) return driver.run(request, mode, dispatch);
  return orMissing(() => driver.run(request, mode, dispatch), operation, args);
}

/** Only the synchronous form can answer undefined before Node 24.21; newer ones ask the same of the promise. */
function orMissing(run: () => unknown, operation: PathOperation, args: Arguments): unknown {
  try {
    const value = run();
    if (!(value instanceof Promise)) return value;
    return value.catch((error: unknown) => {
      if (operation.missing?.(error, args) === true) return undefined;
      throw error;
    });
  } catch (error) {
    if (operation.missing?.(error, args) === true) return undefined;
    throw error;
  }
}

function shownPath(operation: PathOperation, args: Arguments): unknown {
  // lib/fs.js adds the X's to the prefix for the system call, and the error shows them.
  return operation.method === 'mkdtemp' ? `${String(args[0])}XXXXXX` : args[0];
}

/** One path here and one there: two file systems, as `mv` across devices. */
function mixed(
  operation: PathOperation,
  args: Arguments,
  mode: unknown,
  router: PathRouter,
  driver: Driver,
  dispatch: NativeFunction,
): unknown {
  if (operation.method === 'copyFile') {
    try {
      transferCopy(router.route(args[0], 'copyfile'), router.route(args[1], 'copyfile'), args);
      return driver.run(new Settled(undefined), mode, dispatch);
    } catch (error) {
      return driver.fail(() => error, mode, dispatch);
    }
  }
  return driver.fail(
    (above) => uvError('EXDEV', operation.syscall, { path: args[0], dest: args[1], above }),
    mode,
    dispatch,
  );
}
