/** What a heartbeat listens to of a session: whatever comes over any of its lanes. */
import type { Heart } from '../connection/heartbeat.ts';
import type { Lane } from '../connection/lane.ts';

/**
 * `blocks`: whether the peer's thread waits in a call on that lane. Such a peer is heard, and can answer, only there;
 * one that does not would leave what we ask on its sync lane unread. `silence`: what is done about a silent peer; unless
 * given, its links are given up.
 */
export function sessionHeart(
  lanes: () => readonly Lane[],
  blocks: (lane: Lane) => boolean,
  silence: Pick<Heart, 'silent' | 'alive'> = {
    silent: (error) => {
      for (const lane of lanes()) lane.interrupt(error);
    },
  },
): Heart {
  return {
    get heard() {
      const all = lanes().map(({ heard }) => heard);
      const known = all.filter((heard) => heard !== undefined);
      return known.length === 0 ? undefined : known.reduce((sum, heard) => sum + heard);
    },
    ping: (payload) => {
      for (const lane of lanes()) if (lane.name === 'main' || blocks(lane)) lane.sendPing(payload);
    },
    ...silence,
  };
}
