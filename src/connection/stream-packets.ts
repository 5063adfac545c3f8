/** The bodies of the packets of byte streams: `[stream u32]` and what follows. */
import { Kind, Limit } from '../wire/message.ts';
import { protocolError } from './protocol-error.ts';

/** Who is told of them. */
export interface StreamPacketSink {
  /** `bytes` are good during the call, and the receiver's if `owned`. */
  data(stream: number, bytes: Uint8Array, owned: boolean): void;
  end(stream: number): void;
  reset(stream: number, reason: string): void;
  credit(stream: number, bytes: number): void;
}

/** Throws ERR_ELSEWHERE_PROTOCOL for what is no such packet. */
export function readStreamPacket(
  kind: number,
  body: Uint8Array,
  owned: boolean,
  sink: StreamPacketSink,
): void {
  if (body.length < 4) throw protocolError('a stream packet without a stream');
  const view = Buffer.from(body.buffer, body.byteOffset, body.length);
  const stream = view.readUInt32LE(0);
  if (kind === Kind.DATA) {
    if (body.length - 4 > Limit.DATA) throw protocolError('a data packet over its limit');
    sink.data(stream, view.subarray(4), owned);
  } else if (kind === Kind.END) sink.end(stream);
  else if (kind === Kind.RESET) sink.reset(stream, view.toString('utf8', 4));
  else if (kind === Kind.CREDIT && body.length === 8) sink.credit(stream, view.readUInt32LE(4));
  else throw protocolError(`a malformed stream packet (${kind})`);
}
