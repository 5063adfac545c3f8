/** The local half: puts dispatchers on the binding's operations, and on the few public functions that bypass them. */
import type { LocalContext } from '../../src/patch.ts';
import type { FsApi } from './api.ts';
import { type FsBinding, fsBinding, type NativeFunction } from './binding.ts';
import {
  closeOperation,
  descriptorDispatcher,
  type OnDescriptor,
  simpleOperation,
} from './descriptor-dispatch.ts';
import {
  readBuffersOperation,
  readOperation,
  writeBufferOperation,
  writeBuffersOperation,
  writeStringOperation,
} from './descriptor-io.ts';
import { Driver } from './driver.ts';
import { unsupported } from './errors.ts';
import { substituteJobs } from './jobs.ts';
import { watchCommonJs } from './loader.ts';
import { openDispatcher, openFileHandleDispatcher } from './open.ts';
import { DESCRIPTOR_OPERATIONS, PATH_OPERATIONS, setStatfsLength } from './operations.ts';
import { pathDispatcher } from './path-dispatch.ts';
import { PathRouter } from './paths.ts';
import { substitutePublic } from './public.ts';
import { statArray } from './values.ts';
import {
  readFileUtf8Dispatcher,
  substituteWriteFile,
  writeFileUtf8Dispatcher,
} from './whole-file.ts';

export function fsLocal(context: LocalContext<FsApi>): void {
  const binding = fsBinding();
  const router = new PathRouter(context);
  const driver = new Driver(binding.kUsePromises);
  setStatfsLength(binding.statFsValues?.length ?? 7);
  const put = (name: string, make: () => NativeFunction): void => {
    if (typeof binding[name] === 'function')
      context.replace(binding as Record<string, unknown>, name, make());
  };
  watchCommonJs(context);
  for (const [name, operation] of Object.entries(PATH_OPERATIONS))
    put(name, () => pathDispatcher(name, operation, binding, router, driver));
  putDescriptors(put, binding, driver);
  put('open', () => openDispatcher(binding, router, driver));
  put('openFileHandle', () => openFileHandleDispatcher(binding, router, driver));
  put('readFileUtf8', () => readFileUtf8Dispatcher(binding, router, driver));
  put('writeFileUtf8', () => writeFileUtf8Dispatcher(binding, router, driver));
  put('existsSync', () => existsDispatcher(binding, router));
  put('internalModuleStat', () => moduleStatDispatcher(binding, router));
  for (const name of [
    'cpSyncCheckPaths',
    'cpSyncOverrideFile',
    'cpSyncCopyDir',
    'readdirRecursive',
  ])
    put(name, () => refuser(name, binding, router));
  substituteJobs(context, binding, router);
  substituteWriteFile(context, router, driver, binding.kUsePromises);
  substitutePublic(context, router);
}

function putDescriptors(
  put: (name: string, make: () => NativeFunction) => void,
  binding: FsBinding,
  driver: Driver,
): void {
  const on = (name: string, request: number, syscall: string, act: OnDescriptor): void => {
    put(name, () => descriptorDispatcher(name, request, syscall, binding, driver, act));
  };
  for (const [name, operation] of Object.entries(DESCRIPTOR_OPERATIONS))
    on(name, operation.request, operation.syscall, simpleOperation(operation));
  on('close', 1, 'close', closeOperation);
  on('read', 5, 'read', readOperation);
  on('readBuffers', 3, 'read', readBuffersOperation);
  on('writeBuffer', 5, 'write', writeBufferOperation);
  on('writeBuffers', 3, 'write', writeBuffersOperation);
  on('writeString', 4, 'write', writeStringOperation);
}

/** existsSync(path): false for whatever goes wrong, but not for a lost connection, which says nothing about the file. */
function existsDispatcher(binding: FsBinding, router: PathRouter): NativeFunction {
  const original = binding['existsSync'] as NativeFunction;
  return function dispatch(this: unknown, ...args: unknown[]): unknown {
    const route = router.local ? undefined : router.routeUnlessLoader(args[0], 'access', dispatch);
    return route === undefined
      ? original.apply(this, args)
      : route.target.callSync('exists', route.path);
  };
}

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

/** internalModuleStat([receiver,] path): 1 for a directory, 0 for anything else there is, negative for nothing. */
function moduleStatDispatcher(binding: FsBinding, router: PathRouter): NativeFunction {
  const original = binding['internalModuleStat'] as NativeFunction;
  return function dispatch(this: unknown, ...args: unknown[]): unknown {
    const route = router.local
      ? undefined
      : router.routeUnlessLoader(
          args.find((arg) => typeof arg === 'string'),
          'stat',
          dispatch,
        );
    if (route === undefined) return original.apply(this, args);
    try {
      const mode = Number(statArray(route.target.callSync('stat', route.path), false)[1]);
      return (mode & S_IFMT) === S_IFDIR ? 1 : 0;
    } catch {
      return -2;
    }
  };
}

/** Operations that nothing of ours asks for in a scope: what would reach them must not silently be local. */
function refuser(name: string, binding: FsBinding, router: PathRouter): NativeFunction {
  const original = binding[name] as NativeFunction;
  return function dispatch(this: unknown, ...args: unknown[]): unknown {
    const route = router.local ? undefined : router.route(args[0], name);
    if (route === undefined) return original.apply(this, args);
    throw unsupported(`fs (${name})`, 'use the promise form');
  };
}
