import assert from 'node:assert/strict';
import { AttachmentOutbox } from '../../src/connection/attachments.ts';
import { Limit } from '../../src/wire/message.ts';
import { suite } from '../kit/suite.ts';
import { call, connectedPeers } from './peers.ts';

const test = suite('connection/attachments');

test('each chunk is sent once and in its order, also when sending one flushes frames and so pumps again', () => {
  const sent: string[] = [];
  const outbox: AttachmentOutbox = new AttachmentOutbox(
    (id, bytes) => {
      outbox.pump(() => true);
      sent.push(`${id}: ${bytes[0]} x ${bytes.length}`);
    },
    (id) => {
      outbox.pump(() => true);
      sent.push(`${id} ends`);
    },
  );
  const long = Buffer.concat([
    Buffer.alloc(Limit.DATA, 1),
    Buffer.alloc(Limit.DATA, 2),
    Buffer.alloc(3, 3),
  ]);
  outbox.add(7, long);
  outbox.add(9, Buffer.alloc(5, 4));
  outbox.pump(() => true);
  assert.deepEqual(sent, [
    `7: 1 x ${Limit.DATA}`,
    `7: 2 x ${Limit.DATA}`,
    '7: 3 x 3',
    '7 ends',
    '9: 4 x 5',
    '9 ends',
  ]);
});

test('what the lane does not take waits for the next time', () => {
  const sent: number[] = [];
  const outbox = new AttachmentOutbox(
    (_id, bytes) => sent.push(bytes.length),
    () => sent.push(0),
  );
  outbox.add(1, Buffer.alloc(Limit.DATA + 1));
  let room = 1;
  outbox.pump(() => room-- > 0);
  assert.deepEqual(sent, [Limit.DATA]);
  outbox.pump(() => true);
  assert.deepEqual(sent, [Limit.DATA, 1, 0]);
});

test('a frame that no packet has room for any more leaves before its attachment', async () => {
  const { near, far, closed } = connectedPeers();
  far.methods.addCall('size', ([bytes]) => (bytes as Uint8Array).length);
  // 256 frames fill a packet.
  const sizes = Array.from({ length: 600 }, (_, n) => (n % 256 === 0 ? Limit.INLINE_BYTES + 1 : 1));
  const calls = sizes.map((size) => call(near, 'size', Buffer.alloc(size)));
  assert.deepEqual(await Promise.all(calls), sizes);
  assert.deepEqual(closed, []);
});

test.run();
