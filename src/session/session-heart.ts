/** What a heartbeat listens to of a session: whatever comes over any of its lanes. */
import type { PeerInfo } from '../connection/channel.ts';
import type { Heart } from '../connection/heartbeat.ts';
import type { Lane } from '../connection/lane.ts';
import { busyWatch } from './self.ts';

/**
 * `blocks`: whether the peer's thread waits in a call on that lane. Such a peer is heard, and can answer, only there;
 * one that does not would leave what we ask on its sync lane unread. `rest`: what is done about a silent peer.
 */
export function sessionHeart(
  lanes: () => readonly Lane[],
  blocks: (lane: Lane) => boolean,
  rest: Pick<Heart, 'silent' | 'alive' | 'busy'>,
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
    ...rest,
  };
}

/** The client's. Not of its sync lane: while the event loop turns, nobody reads there. */
export function nearHeart(main: Lane, peer: () => PeerInfo | undefined): Heart {
  const rest = {
    silent: (error: Error) => main.interrupt(error),
    busy: busyWatch(peer),
  };
  return sessionHeart(
    () => [main],
    () => false,
    rest,
  );
}
