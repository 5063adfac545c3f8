/** Node's low-level fs binding: the object whose functions all of lib/fs.js calls, looked up at each call. */
import { ElsewhereError } from '../../src/base/errors.ts';
import { nodeBinding } from '../../src/base/node-binding.ts';

export type NativeFunction = (this: unknown, ...args: unknown[]) => unknown;

export interface FsBinding {
  [operation: string]: NativeFunction | unknown;
  /** Marks the promise form of an operation. */
  readonly kUsePromises: symbol;
  readonly statFsValues?: Float64Array;
}

/** Throws where Node refuses it (--permission): a patch that sees half of the calls would be worse than none. */
export function fsBinding(): FsBinding {
  const binding = nodeBinding<FsBinding>('fs');
  if (binding === undefined) {
    throw new ElsewhereError(
      'ERR_ELSEWHERE_UNSUPPORTED',
      'the fs patch needs process.binding, which this process refuses: run it without --permission, or use except: ["fs"]',
    );
  }
  return binding;
}
