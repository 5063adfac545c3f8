/** Whether a value is one of the small ones that most calls have, which msgpack carries as they are: no boxer looks at them. */

const LONGEST_LIST = 16;
const LONGEST_TEXT = 1024;
const MOST_LISTS = 6;

/** Lists met so far: one that is met twice must stay one. */
const lists: unknown[] = new Array(MOST_LISTS).fill(undefined);
let met = 0;

/** Numbers, short texts and the like, and short lists of them: true only for what boxing would return unchanged. */
export function isFlat(value: unknown): boolean {
  met = 0;
  const flat = check(value);
  lists.fill(undefined, 0, met);
  return flat;
}

function check(value: unknown): boolean {
  switch (typeof value) {
    case 'number':
      return value !== 0 || 1 / value > 0;
    case 'string':
      return value.length <= LONGEST_TEXT && value.isWellFormed();
    case 'boolean':
    case 'undefined':
      return true;
    default:
      return value === null || (Array.isArray(value) && isFlatList(value));
  }
}

function isFlatList(list: readonly unknown[]): boolean {
  if (list.length > LONGEST_LIST || met === MOST_LISTS) return false;
  for (let i = 0; i < met; i++) if (lists[i] === list) return false;
  lists[met++] = list;
  for (let i = 0; i < list.length; i++) {
    const item = list[i];
    if (!check(item) || (item === undefined && !(i in list))) return false;
  }
  return true;
}
