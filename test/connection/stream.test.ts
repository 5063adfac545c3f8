import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ByteStream, StreamHandler } from '../../src/connection/channel.ts';
import { Limit } from '../../src/wire/message.ts';
import { suite } from '../kit/suite.ts';
import { connectedPeers, type Peers } from './peers.ts';

const test = suite('connection/stream');

interface Log extends StreamHandler {
  readonly events: string[];
  bytes: number;
  over: Promise<Error | undefined>;
}

function logger(): Log {
  let done: (error: Error | undefined) => void = () => undefined;
  const log: Log = {
    events: [],
    bytes: 0,
    over: new Promise((resolve) => (done = resolve)),
    data: (bytes) => {
      log.bytes += bytes.length;
      log.events.push(`data ${Buffer.from(bytes).toString().slice(0, 20)}`);
    },
    signal: (value) => log.events.push(`signal ${JSON.stringify(value)}`),
    end: () => log.events.push('end'),
    closed: (error) => {
      log.events.push(
        `closed ${(error as { code?: string } | undefined)?.code ?? error?.message ?? ''}`.trim(),
      );
      done(error);
    },
  };
  return log;
}

function opened(peers: Peers): { near: ByteStream; far: ByteStream; nearLog: Log; farLog: Log } {
  const farLog = logger();
  const nearLog = logger();
  let far: ByteStream | undefined;
  peers.farMethods.addStream('tube', (stream) => {
    far = stream;
    stream.accept(farLog);
  });
  const near = peers.near.open('tube', [], nearLog);
  return {
    near,
    nearLog,
    farLog,
    get far() {
      return far as ByteStream;
    },
  };
}

test('bytes, values and ends keep their order; closed is last on both sides', async () => {
  const tube = opened(connectedPeers());
  tube.near.write(Buffer.from('one'));
  tube.near.signal({ two: 2 });
  tube.near.write(Buffer.from('three'));
  tube.near.end();
  await sleep(20);
  tube.far.write(Buffer.from('back'));
  tube.far.end();
  await Promise.all([tube.nearLog.over, tube.farLog.over]);
  assert.deepEqual(tube.farLog.events, [
    'data one',
    'signal {"two":2}',
    'data three',
    'end',
    'closed',
  ]);
  assert.deepEqual(tube.nearLog.events, ['data back', 'end', 'closed']);
});

test('opening and the first bytes are one flight', async () => {
  const peers = connectedPeers();
  const tube = opened(peers);
  tube.near.write(Buffer.from('hello'));
  await sleep(20);
  assert.equal(peers.far.main.sent, 0, 'nothing had to come back');
  assert.deepEqual(tube.farLog.events, ['data hello']);
});

test('a paused reader stops the writer at the window, and resume lets it go on', async () => {
  const tube = opened(connectedPeers());
  await sleep(10);
  tube.far.pause();
  let writable = true;
  let sent = 0;
  while (writable || sent < 3 * Limit.STREAM_WINDOW) {
    writable = tube.near.write(Buffer.alloc(100_000));
    sent += 100_000;
  }
  await sleep(50);
  assert.equal(tube.farLog.bytes, 0);
  assert.equal(tube.near.buffered, sent - Limit.STREAM_WINDOW);
  tube.far.resume();
  while (tube.farLog.bytes < sent || tube.near.buffered > 0) await sleep(5);
  assert.equal(tube.farLog.bytes, sent);
  assert.equal(tube.near.buffered, 0);
});

test('reset ends both sides at once, with the reason', async () => {
  const tube = opened(connectedPeers());
  await sleep(10);
  tube.near.reset('ECONNRESET');
  await tube.farLog.over;
  await tube.nearLog.over;
  assert.deepEqual(tube.farLog.events, ['closed ECONNRESET']);
  assert.deepEqual(tube.nearLog.events, ['closed']);
});

test('a stream that the far side does not offer is reset', async () => {
  const peers = connectedPeers();
  const log = logger();
  peers.near.open('absent', [], log);
  await log.over;
  assert.deepEqual(log.events, ['closed ERR_ELSEWHERE_NO_METHOD']);
});

test('loss ends streams with its error', async () => {
  const peers = connectedPeers();
  const tube = opened(peers);
  await sleep(10);
  peers.near.main.destroy(new Error('cable cut'));
  assert.match(String(await tube.nearLog.over), /cable cut|closed/);
  await tube.farLog.over;
  assert.equal(peers.near.streams.size, 0);
  assert.equal(peers.far.streams.size, 0);
});

test('a peer that sends more than its credit is cut off', async () => {
  const peers = connectedPeers();
  const tube = opened(peers);
  await sleep(10);
  tube.far.pause();
  for (let sent = 0; sent <= Limit.STREAM_WINDOW; sent += Limit.DATA)
    peers.near.main.sendData(tube.near.id, Buffer.alloc(Limit.DATA));
  const isCutOff = (): boolean =>
    peers.closed.some((error) => (error as { code?: string }).code === 'ERR_ELSEWHERE_PROTOCOL');
  for (let waited = 0; waited < 5000 && !isCutOff(); waited += 10) await sleep(10);
  assert.ok(isCutOff());
});

test.run();
