/** What each patch expects of the far side, by its name: targets know no more of a patch. */
import type { IsAnswer } from '../base/answers.ts';
import type { Kind } from '../base/kind.ts';
import type { AnyPatch } from '../patch.ts';

export interface Expected {
  readonly answers: Readonly<Record<string, IsAnswer>> | undefined;
  readonly signals: Readonly<Record<string, Kind<unknown>>> | undefined;
  readonly largest: number;
}

/** Names of some million files; what is larger comes in pieces. */
const LARGEST = 2 ** 28;
const NOTHING: Expected = { answers: undefined, signals: undefined, largest: LARGEST };
const known = new Map<string, Expected>();

export function expectAnswers(patches: readonly AnyPatch[]): void {
  for (const { name, answers, signals, largest = LARGEST } of patches)
    known.set(name, { answers: answers as Expected['answers'], signals, largest });
}

export function expectedOf(patch: string): Expected {
  return known.get(patch) ?? NOTHING;
}
