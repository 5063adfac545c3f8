/** Variables of the environment by which `elsewhere` tells its own programs what to do: none of a far child's business. */
export const OWN_SETTINGS: readonly string[] = [
  'ELSEWHERE_URL',
  'ELSEWHERE_TOKEN',
  'ELSEWHERE_RUN',
];

/** The name in `NAME=value`; Windows has names that begin with the sign. */
export function nameOf(pair: string): string {
  return pair.slice(0, pair.indexOf('=', 1));
}
