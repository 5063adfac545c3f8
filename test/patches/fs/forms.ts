/** One call of `fs` in each of the forms that Node has it in: blocking, with a callback, with a promise. */
import fs from 'node:fs';
import { outcome, outcomeSync } from '../../kit/outcome.ts';

export type AnyFunction = (...args: unknown[]) => unknown;
const table = fs as unknown as Record<string, AnyFunction>;
const promises = fs.promises as unknown as Record<string, AnyFunction>;

export type Forms = Record<string, unknown>;

/** Arguments of the forms that take a descriptor, or another thing that each call has of its own. */
export type Arguments = readonly unknown[] | (() => readonly unknown[]);

/** What the call does in each form. `seen` turns a value into what is kept of it. */
export async function inAllForms(
  name: string,
  given: Arguments,
  seen: (value: unknown) => unknown = (value) => value,
): Promise<Forms> {
  const args = (): readonly unknown[] => (typeof given === 'function' ? given() : given);
  const results: Forms = {};
  const { [`${name}Sync`]: blocking, [name]: called } = table;
  // One function of `fs` has no callback.
  const later = name === 'openAsBlob' ? undefined : called;
  const promised = promises[name] ?? (later === undefined ? called : undefined);
  if (blocking !== undefined) results['sync'] = await seen(outcomeSync(() => blocking(...args())));
  if (later !== undefined) results['callback'] = await withCallback(later, args(), seen);
  if (promised !== undefined)
    results['promise'] = await seen(await outcome(() => promised(...args())));
  return results;
}

/** `later` returns what Node throws at once, apart from what the callback gets. */
async function withCallback(
  later: AnyFunction,
  args: readonly unknown[],
  seen: (value: unknown) => unknown,
): Promise<unknown> {
  const got = await new Promise<unknown[]>((resolve) => {
    const thrown = outcomeSync(() => later(...args, (...got: unknown[]) => resolve(got)));
    if (thrown instanceof Error) resolve(['thrown', thrown]);
  });
  return Promise.all(got.map(seen));
}
