/** Dispatchers of the operations on descriptors. A descriptor remembers its far side: scopes have no say here. */
import type { FsBinding, NativeFunction } from './binding.ts';
import {
  type Descriptor,
  findDescriptor,
  isVirtual,
  noteChange,
  removeDescriptor,
} from './descriptors.ts';
import { type Driver, type Request, Settled } from './driver.ts';
import { lostDescriptor, uvError } from './errors.ts';
import type { Arguments, DescriptorOperation } from './operations.ts';
import { statArray } from './values.ts';

/** What a dispatcher does with an open virtual descriptor. */
export type OnDescriptor = (descriptor: Descriptor, args: Arguments) => Request | Settled;

/** Wraps `name`: local descriptors pass at the cost of one comparison, closed virtual ones fail with EBADF. */
export function descriptorDispatcher(
  name: string,
  request: number,
  syscall: string,
  binding: FsBinding,
  driver: Driver,
  act: OnDescriptor,
): NativeFunction {
  const original = binding[name] as NativeFunction;
  return function dispatch(this: unknown, ...args: unknown[]): unknown {
    const fd = args[0];
    if (!isVirtual(fd)) return original.apply(this, args);
    const mode = args[request];
    const descriptor = findDescriptor(fd);
    if (descriptor === undefined)
      return inContext(args, request, () =>
        driver.fail((above) => uvError('EBADF', syscall, { above }), mode, dispatch),
      );
    let step: Request | Settled;
    try {
      step = act(descriptor, args);
    } catch (error) {
      return driver.fail(() => error, mode, dispatch);
    }
    return inContext(args, request, () => driver.run(step, mode, dispatch));
  };
}

/** Some synchronous forms want a failure noted in the object behind the request (writeBuffer and writeString). */
function inContext(args: Arguments, request: number, run: () => unknown): unknown {
  const context = args[request] === undefined ? args[request + 1] : undefined;
  if (typeof context !== 'object' || context === null) return run();
  try {
    return run();
  } catch (error) {
    const { errno, code, syscall } = error as NodeJS.ErrnoException;
    if (code === undefined || errno === undefined) throw error;
    Object.assign(context, { errno, code, syscall });
    return undefined;
  }
}

/** A request to the far side for a descriptor. */
export function descriptorRequest(
  descriptor: Descriptor,
  method: Request['method'],
  syscall: string,
  args: readonly unknown[],
  result?: (value: never) => unknown,
): Request {
  return {
    target: descriptor.target,
    method,
    args: [descriptor.fd, ...args],
    ...(result === undefined ? {} : { result }),
    error: (error, above) => lostDescriptor(error, syscall, { above }),
  } as Request;
}

export function simpleOperation(operation: DescriptorOperation): OnDescriptor {
  return (descriptor, args) => {
    const { method, syscall, extra, result } = operation;
    if (method === 'fstat' && descriptor.stat !== undefined)
      return new Settled(statArray(descriptor.stat, args[1] === true));
    if (operation.changes === true) noteChange(descriptor.target.connection);
    return descriptorRequest(
      descriptor,
      method,
      syscall,
      extra?.(args) ?? [],
      result === undefined ? undefined : (value: never) => result(value, args),
    );
  };
}

/** The number is free at once; the far side closes in the order of what was asked of it before. */
export const closeOperation: OnDescriptor = (descriptor, args) => {
  removeDescriptor(args[0] as number);
  if (!descriptor.readOnly) return descriptorRequest(descriptor, 'close', 'close', []);
  // Closing what was only read cannot fail, so nobody needs to wait for the answer.
  if (descriptor.target.alive) descriptor.target.notify('close', descriptor.fd);
  return new Settled(undefined);
};
