/** The handshake as data: what it wants done next, so that the event loop and a blocked thread can both drive it. */
export interface HandshakePacket {
  readonly kind: number;
  readonly body: Uint8Array;
}

export type HandshakeStep = { readonly send: HandshakePacket } | 'receive';

/** What a lane learns of a handshake that succeeded. */
export interface LaneWelcome {
  /** How many of our sequenced packets the peer has. */
  readonly received: number;
}
