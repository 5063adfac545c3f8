/** A WebSocket on a blocking socket, by hand (RFC 6455): the handshake, and binary messages without fragments. */
import { createHash, randomBytes, randomFillSync } from 'node:crypto';
import { ElsewhereError } from '../base/errors.ts';
import { lendRoom } from '../base/spare-memory.ts';
import type { HostEndpoint } from '../transport/transport.ts';
import { Kind, LAST_KIND, Limit, MAX_PACKET } from '../wire/message.ts';
import { FIN, MASKED, messageHead, Opcode } from '../wire/ws-head.ts';
import type { BlockingLink, BlockingPacket, Watch } from './blocking.ts';
import type { BlockingSocket } from './blocking-socket.ts';
import { protocolError } from './protocol-error.ts';

/** RFC 6455 §1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export class BlockingWs implements BlockingLink {
  readonly dearWatch = true;
  readonly #socket: BlockingSocket;
  readonly #mask: boolean;
  #limit: number = Limit.HANDSHAKE;
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: BlockingSocket, endpoint: HostEndpoint) {
    this.#socket = socket;
    // On loopback no proxy can be fooled by chosen bytes, and a zero key saves masking them (§5.3 asks for it elsewhere).
    this.#mask = !(endpoint.host === '::1' || endpoint.host.startsWith('127.'));
    this.#upgrade(endpoint);
  }

  #upgrade({ host, port }: HostEndpoint): void {
    const key = randomBytes(16).toString('base64');
    const name = host.includes(':') ? `[${host}]` : host;
    const lines = [
      'GET / HTTP/1.1',
      `Host: ${name}:${port}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Key: ${key}`,
      'Sec-WebSocket-Version: 13',
      '',
      '',
    ];
    this.#socket.write(Buffer.from(lines.join('\r\n')));
    const head = this.#responseHead();
    const accept = createHash('sha1')
      .update(key + GUID)
      .digest('base64');
    if (!/^HTTP\/1\.1 101 /.test(head) || !head.includes(accept)) {
      const status = head.split('\r\n', 1)[0] ?? '';
      throw new ElsewhereError(
        'ERR_ELSEWHERE_CONNECT',
        `no elsewhere agent at ws://${name}:${port}/: it answered ${JSON.stringify(status.slice(0, 80))}`,
      );
    }
  }

  #responseHead(): string {
    for (;;) {
      this.#more();
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end !== -1) {
        const head = this.#rest.toString('latin1', 0, end);
        this.#rest = this.#rest.subarray(end + 4);
        return head;
      }
      if (this.#rest.length > 8192) throw protocolError('an endless HTTP answer');
    }
  }

  /** Adds what the next read gives. */
  #more(): void {
    this.#rest = Buffer.concat([this.#rest, this.#socket.read()]);
  }

  /** The next `count` bytes, in memory of their own. */
  #take(count: number): Buffer {
    const bytes = lendRoom(count);
    let filled = this.#rest.copy(bytes, 0, 0, count);
    this.#rest = this.#rest.subarray(filled);
    while (filled < count) {
      const chunk = this.#socket.read();
      const used = chunk.copy(bytes, filled);
      filled += used;
      if (used < chunk.length) this.#rest = Buffer.from(chunk.subarray(used));
    }
    return bytes;
  }

  send(kind: number, head: Uint8Array, tail?: Uint8Array): void {
    const parts = [Buffer.of(kind), head];
    if (tail !== undefined) parts.push(tail);
    this.#frame(Opcode.BINARY, parts);
  }

  #frame(opcode: number, parts: Uint8Array[]): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const [head, size] = messageHead(opcode, length, true, 0);
    this.#socket.write(head, ...(this.#mask ? masked(head.subarray(size - 4), parts) : parts));
  }

  receive(): BlockingPacket {
    for (;;) {
      const [first, second] = this.#take(2) as unknown as [number, number];
      const opcode = first & 0x0f;
      const payload = this.#payload(second & 0x7f, (second & MASKED) !== 0 || (first & FIN) === 0);
      if (opcode === Opcode.PING) this.#frame(Opcode.PONG, [payload]);
      else if (opcode === Opcode.CLOSE)
        throw new ElsewhereError(
          'ERR_ELSEWHERE_CONNECTION_LOST',
          'the blocking link was lost: the agent closed it',
        );
      else if (opcode === Opcode.BINARY) return this.#packet(payload);
      else if (opcode !== Opcode.PONG) throw protocolError('a message that is not binary');
    }
  }

  #packet(payload: Buffer): BlockingPacket {
    const kind = payload[0];
    if (kind === undefined || kind < 1 || kind > LAST_KIND)
      throw protocolError('a message of unknown kind');
    if (kind === Kind.WELCOME) this.#limit = MAX_PACKET;
    return { kind, body: payload.subarray(1) };
  }

  #payload(short: number, strange: boolean): Buffer {
    if (strange) throw protocolError('a masked or fragmented frame');
    let length = short;
    if (short === 126) length = this.#take(2).readUInt16BE(0);
    else if (short === 127) length = Number(this.#take(8).readBigUInt64BE(0));
    if (length > this.#limit + 1) throw protocolError(`a packet of ${length} bytes`);
    return this.#take(length);
  }

  watch(watch: Watch | undefined): void {
    this.#socket.watch(watch);
  }

  close(): void {
    this.#socket.close();
  }
}

/** The bytes under a fresh key, which is written where it belongs; the caller's own stay as they are. */
function masked(key: Buffer, parts: readonly Uint8Array[]): [Buffer] {
  randomFillSync(key);
  const payload = Buffer.concat(parts);
  for (let i = 0; i < payload.length; i++)
    payload[i] = (payload[i] as number) ^ (key[i & 3] as number);
  return [payload];
}
