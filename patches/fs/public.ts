/**
 * Public functions of `fs` that the binding does not reach, or reaches too late: announced writes, blobs, and
 * temporary directories that remove themselves.
 */
import fs from 'node:fs';
import type { FsContext } from './api.ts';
import { openBlob } from './blob.ts';
import { flagNumber } from './flags.ts';
import { isLoading } from './loader.ts';
import { planned } from './path-operations.ts';
import { givenPath, remotePath } from './paths.ts';
import {
  blockingForm,
  type PublicFunction,
  promiseForm,
  replaceFunction,
  type TaskOf,
} from './public-forms.ts';
import { announce, wholeWrite } from './write-file.ts';

export function replacePublic(context: FsContext): void {
  for (const [object, key] of [
    [fs, 'writeFile'],
    [fs, 'writeFileSync'],
    [fs.promises, 'writeFile'],
    [fs.promises, 'appendFile'],
  ] as const) {
    replaceFunction(context, object, key, (original) =>
      announcing(context, original, key === 'appendFile' ? 'a' : 'w'),
    );
  }
  const blob = blobTask(context);
  replaceFunction(context, fs, 'openAsBlob', promiseForm(context, blob));
  replaceFunction(context, fs, 'openAsBlobSync', blockingForm(context, blob));
  replaceFunction(context, fs, 'mkdtempDisposableSync', (original) =>
    keepingScope(context, original),
  );
  replaceFunction(context, fs.promises, 'mkdtempDisposable', (original) =>
    keepingScope(context, original),
  );
}

/** Tells `open` what will be written, so that it is one call (write-file.ts). */
function announcing(context: FsContext, original: PublicFunction, flag: string): PublicFunction {
  return function (this: unknown, ...args: unknown[]): unknown {
    const whole =
      context.target() === undefined ? undefined : wholeWrite(args[0], args[1], args[2], flag);
    if (whole === undefined) return original.apply(this, args);
    return announce(whole, () => original.apply(this, args));
  };
}

function blobTask(context: FsContext): TaskOf {
  return ([first, options]) => {
    const given = givenPath(first);
    const type = (options as { type?: unknown } | null | undefined)?.type || '';
    if (given === undefined || isLoading() || options === null || typeof type !== 'string')
      return undefined;
    if (options !== undefined && (typeof options !== 'object' || Array.isArray(options)))
      return undefined;
    const shown = { syscall: 'open', path: given };
    return planned(context, shown, () => {
      const path = remotePath(context, given, 'openAsBlob');
      if (path === undefined) return undefined;
      return { target: path.target, shown, work: openBlob(path, flagNumber('r'), type) };
    });
  };
}

interface Disposable {
  readonly path: string;
  remove: () => unknown;
  [key: symbol]: () => unknown;
}

/** The directory is removed where it was made, also when the scope is over by then. */
function keepingScope(context: FsContext, original: PublicFunction): PublicFunction {
  return function (this: unknown, ...args: unknown[]): unknown {
    const scope = context.scope();
    const made = original.apply(this, args);
    if (scope === undefined) return made;
    const bind = (directory: Disposable): Disposable => {
      for (const key of Reflect.ownKeys(directory)) {
        const member = directory[key as symbol];
        if (typeof member === 'function')
          directory[key as symbol] = () => scope.run(() => member.call(directory));
      }
      return directory;
    };
    return made instanceof Promise ? made.then(bind) : bind(made as Disposable);
  };
}
