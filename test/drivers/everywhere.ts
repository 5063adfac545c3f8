/** The same work of a driver on three sides at once. */
import assert from 'node:assert/strict';
import { SIDES, type Side, type ThreeSides } from '../patches/three-sides.ts';

export interface Done {
  /** The sides whose sockets the server saw. */
  readonly owners: readonly string[];
  readonly said: unknown;
}

/** What it says must not differ between the sides, and its sockets must be that side's; what it said here. */
export async function everywhere(
  { on }: ThreeSides,
  work: (side: Side) => Promise<Done>,
): Promise<unknown> {
  const done = await Promise.all(SIDES.map((side) => on(side, () => work(side))));
  for (const [at, { owners, said }] of done.entries()) {
    assert.deepEqual([...new Set(owners)], [SIDES[at]]);
    assert.deepEqual(said, done[0]?.said);
  }
  return done[0]?.said;
}

/** Whose socket a server sees: by the port it tells of its client, and its own. */
export function whose({ owner }: ThreeSides, remotePort: number, localPort: number): string {
  return owner({ remotePort, localPort });
}
