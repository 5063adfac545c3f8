/** What each patch expects of the far side, by its name: targets know no more of a patch. */
import type { IsAnswer } from '../base/answers.ts';
import type { Kind } from '../base/kind.ts';
import type { AnyPatch } from '../patch.ts';

export interface Expected {
  readonly answers: Readonly<Record<string, IsAnswer>> | undefined;
  readonly signals: Readonly<Record<string, Kind<unknown>>> | undefined;
}

const NOTHING: Expected = { answers: undefined, signals: undefined };
const known = new Map<string, Expected>();

export function expectAnswers(patches: readonly AnyPatch[]): void {
  for (const { name, answers, signals } of patches)
    known.set(name, { answers: answers as Expected['answers'], signals });
}

export function expectedOf(patch: string): Expected {
  return known.get(patch) ?? NOTHING;
}
