/** What is large must not hold up what is small, and what is too large costs its sender one clear error. */
import assert from 'node:assert/strict';
import { Limit } from '../../src/wire/message.ts';
import { suite } from '../kit/suite.ts';
import { call, connectedPeers } from './peers.ts';

const test = suite('connection/fairness');

test('a stream and small calls go on beside a huge argument', async () => {
  const { near, far, farMethods } = connectedPeers();
  farMethods.addCall('size', ([bytes]) => (bytes as Uint8Array).length);
  farMethods.addCall('small', () => 1);
  let streamed = 0;
  farMethods.addStream('tube', (stream) =>
    stream.accept({
      data: (bytes) => (streamed += bytes.length),
      end: () => undefined,
      closed: () => undefined,
    }),
  );
  const huge = 64 * 1024 * 1024;
  let arrived = false;
  const call64 = call(near, 'size', Buffer.alloc(huge)).then((size) => {
    arrived = true;
    return size;
  });
  const tube = near.open('tube', [], {
    data: () => undefined,
    end: () => undefined,
    closed: () => undefined,
    drain: () => feed(),
  });
  const chunk = Buffer.alloc(256 * 1024);
  const feed = (): void => {
    if (!arrived) while (tube.write(chunk));
  };
  feed();
  let small = 0;
  while (!arrived) small += (await call(near, 'small')) as number;
  assert.equal(await call64, huge);
  assert.ok(streamed > huge / 16, `the stream brought ${streamed} bytes meanwhile`);
  assert.ok(small > 5, `${small} small calls were answered meanwhile`);
  assert.ok(far.main.received > 0);
});

test('an argument that is too long is refused before anything of it is sent', async () => {
  const { near, farMethods, closed } = connectedPeers();
  farMethods.addCall('size', ([bytes]) => (bytes as Uint8Array).length);
  // Never touched, so the system gives no memory for it.
  const tooLong = Buffer.allocUnsafeSlow(Limit.ATTACHMENT + 1);
  const { sent } = near.main;
  assert.throws(() => near.request('size', [tooLong, Buffer.alloc(100_000)], () => undefined), {
    code: 'ERR_ELSEWHERE_LIMIT',
    message: /a byte array of 1073741825 bytes are too large|1073741825 bytes/,
  });
  assert.equal(near.main.sent, sent);
  assert.equal(await call(near, 'size', Buffer.alloc(100_000)), 100_000);
  assert.deepEqual(closed, []);
  assert.equal(near.calls.size, 0);
});

test('a result that is too long is the failure of its call alone', async () => {
  const { near, farMethods, closed } = connectedPeers();
  farMethods.addCall('huge', () => Buffer.allocUnsafeSlow(Limit.ATTACHMENT + 1));
  farMethods.addCall('small', () => 1);
  await assert.rejects(call(near, 'huge'), { code: 'ERR_ELSEWHERE_LIMIT' });
  assert.equal(await call(near, 'small'), 1);
  assert.deepEqual(closed, []);
});

test.run();
