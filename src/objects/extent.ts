/** How large a copy of a value would be, before anything of it is copied. */
import { ElsewhereError } from '../base/errors.ts';

/** For a number, a key, an end of a list. */
const EACH = 8;

/** Throws ERR_ELSEWHERE_LIMIT for a value of more than `most` bytes, as far as that is a number. */
export function checkExtent(value: unknown, most: unknown): void {
  if (typeof most !== 'number') return;
  const seen = new Set<unknown>();
  const waiting: unknown[] = [value];
  for (let extent = 0; waiting.length > 0; ) {
    const next = waiting.pop();
    extent += EACH;
    if (typeof next === 'string') extent += next.length;
    if (ArrayBuffer.isView(next) || next instanceof ArrayBuffer) extent += next.byteLength;
    else if (typeof next === 'object' && next !== null && !seen.has(next))
      for (const part of partsOf(next)) waiting.push(part);
    seen.add(next);
    if (extent > most) throw tooLarge(most);
  }
}

/** What would be copied of it. Nothing of the object runs. */
function partsOf(object: object): unknown[] {
  if (Array.isArray(object)) return object;
  if (object instanceof Map) return [...object].flat(1);
  if (object instanceof Set) return [...object];
  return Object.entries(Object.getOwnPropertyDescriptors(object)).flatMap(([key, property]) =>
    property.enumerable === true ? [key, property.value] : [],
  );
}

function tooLarge(most: number): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_LIMIT',
    `a copy would have more than ${most} bytes: ask for a part of it, allow more (obtain(reference, { most })), or use a stream`,
  );
}
