/** What a heartbeat listens to of a session: whatever comes over any of its lanes. */
import type { PeerInfo } from '../connection/channel.ts';
import type { Heart } from '../connection/heartbeat.ts';
import type { Lane } from '../connection/lane.ts';
import type { Transport } from '../transport/transport.ts';
import type { Welcome } from './handshake.ts';
import { busyWatch, seesProcess } from './self.ts';

/** Milliseconds for which either side may be busy without consequences. */
const BUSY = 30_000;

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

/** Only where the agent would give up a client that is busy: a session that is kept for longer loses nothing. */
export function signsOfClient(transport: Transport, { grace, heartbeat, peer }: Welcome): void {
  if (grace < BUSY && !seesProcess(peer)) transport.signsOfLife?.(heartbeat);
}

/** Of the agent, whose busy event loop a client would take for frozen. */
export function signsOfAgent(transport: Transport, peer: PeerInfo, heartbeat: number): void {
  if (!seesProcess(peer)) transport.signsOfLife?.(heartbeat);
}
