import type { Lane } from './lane.ts';

/** What a lane tells the session. */
export interface LaneOwner {
  /** One whole frame, with its method number turned back into the name; it came in at most `size` bytes. */
  frame(lane: Lane, frame: unknown[], size: number): void;
  /** A frame has come whose byte arrays, of so many bytes, are on their way. Throws for more than it may bring. */
  announced(head: readonly unknown[], size: number): void;
  data(lane: Lane, stream: number, bytes: Uint8Array): void;
  credit(stream: number, bytes: number): void;
  end(stream: number): void;
  reset(stream: number, reason: string): void;
  goAway(reason: string): void;
  /** A sequenced packet, of whatever kind, was dealt with: `received` is one more. */
  advanced(lane: Lane): void;
  /** The lane can take bulk again. */
  drained(lane: Lane): void;
  /** The transport is gone; the owner attaches another one, or ends the lane. */
  down(lane: Lane, error: Error | undefined): void;
  /** A stream id that was never used before. */
  newStreamId(): number;
}
