/** The local half: every function of Node's fs binding that touches files, and the few public ones above it. */
import { provideDescriptors } from '../../src/base/far-handles.ts';
import type { FsContext } from './api.ts';
import { type BindingFunction, type FsBinding, fsBinding } from './binding.ts';
import { replaceCopying } from './copying.ts';
import { replaceDirectories } from './directory.ts';
import { type Operation, substitute } from './dispatch.ts';
import { farFileOf } from './far-descriptor.ts';
import { closeOperation, FILE_OPERATIONS, fileOperation } from './file-operations.ts';
import { replaceGlobbing } from './globbing.ts';
import { replaceJobs } from './jobs.ts';
import { watchLoader } from './loader.ts';
import { OPEN_OPERATIONS } from './open.ts';
import { pairOperation, pairOperations } from './pair-operations.ts';
import { pathOperation, pathOperations } from './path-operations.ts';
import { replacePublic } from './public.ts';
import { withStandard } from './standard.ts';
import { replaceTrees } from './trees.ts';
import { guardUnknown, isTested, Probes } from './unknown.ts';
import { replaceWatchers } from './watching.ts';
import { wholeOperations } from './whole-operations.ts';

export function fsLocal(given: FsContext, version: string = process.versions.node): void {
  const probes = isTested(version) ? undefined : new Probes(given);
  const context = probes?.context ?? given;
  const binding = fsBinding();
  const table = operations(context, binding);
  for (const [name, operation] of table) {
    const original = binding[name];
    // Not every version of Node has all of them.
    if (typeof original !== 'function') continue;
    context.replace(binding, name, substitute(binding, original as BindingFunction, operation));
  }
  guardUnknown(context, binding, new Set(table.keys()));
  provideDescriptors(farFileOf);
  watchLoader(context);
  replaceJobs(context, binding);
  replaceCopying(context);
  replaceGlobbing(context);
  replaceTrees(context, typeof binding['readdirRecursive'] === 'function');
  replaceDirectories(context);
  replacePublic(context);
  replaceWatchers(context, binding);
  probes?.guardBypassing();
}

/** The functions of the binding that are substituted, by name. */
export function operations(context: FsContext, binding: FsBinding): Map<string, Operation> {
  const table = new Map<string, Operation>([
    ['close', withStandard(context, 'close', closeOperation())],
  ]);
  for (const spec of [...pathOperations(binding), ...OPEN_OPERATIONS])
    table.set(spec.name, pathOperation(context, spec));
  for (const spec of pairOperations(context)) table.set(spec.name, pairOperation(context, spec));
  for (const spec of FILE_OPERATIONS)
    table.set(spec.name, withStandard(context, spec.name, fileOperation(spec)));
  for (const [name, operation] of Object.entries(wholeOperations(context)))
    table.set(name, withStandard(context, name, operation));
  return table;
}
