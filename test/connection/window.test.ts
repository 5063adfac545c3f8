/** What streams hold for readers that are slow, stalled, or fast. */
import assert from 'node:assert/strict';
import sinon from 'sinon';
import type { SessionStream } from '../../src/connection/stream.ts';
import { Window, WindowPool } from '../../src/connection/window.ts';
import { Limit } from '../../src/wire/message.ts';
import { suite } from '../kit/suite.ts';
import { call, connectedPeers, type Peers } from './peers.ts';

const test = suite('connection/window');
const { STREAM_WINDOW, LARGEST_WINDOW, GROWN_WINDOWS } = Limit;

/** A window whose bytes are taken in pieces, each so many milliseconds after the one before. Returns what it has become. */
function taken(pool: WindowPool, clock: sinon.SinonFakeTimers, ms: number, rounds = 200): number {
  const window = new Window(pool);
  let size: number = STREAM_WINDOW;
  for (let i = 0; i < rounds; i++) {
    clock.tick(ms);
    assert.ok(window.allows(STREAM_WINDOW / 2));
    assert.ok(window.came(STREAM_WINDOW / 2, false));
    const credit = window.take(STREAM_WINDOW / 2, false);
    size += Math.max(0, credit - size / 2);
  }
  return size;
}

const timed = (name: string, body: (clock: sinon.SinonFakeTimers) => void): void =>
  test(name, () => {
    const clock = sinon.useFakeTimers({ toFake: ['performance'] });
    try {
      body(clock);
    } finally {
      clock.restore();
    }
  });

timed('a window holds what a reader takes in half a second, within bounds', (clock) => {
  assert.equal(taken(new WindowPool(), clock, 1000), STREAM_WINDOW);
  // 128 KB each 50 ms: 1.3 MB in half a second.
  assert.equal(taken(new WindowPool(), clock, 50), 8 * STREAM_WINDOW);
  assert.equal(taken(new WindowPool(), clock, 0.1), LARGEST_WINDOW);
});

timed(
  'all windows of a connection grow by so much together, and a stream gives its share back',
  (clock) => {
    const pool = new WindowPool();
    const windows = Array.from({ length: 20 }, () => new Window(pool));
    const grow = (window: Window): number => {
      let granted: number = STREAM_WINDOW;
      let came = 0;
      for (let i = 0; i < 400; i++) {
        clock.tick(0.1);
        assert.ok(window.came(STREAM_WINDOW / 2, false));
        came += STREAM_WINDOW / 2;
        granted += window.take(STREAM_WINDOW / 2, false);
      }
      return granted - came;
    };
    const grown = windows.reduce(
      (sum, window) => sum + Math.max(0, grow(window) - STREAM_WINDOW),
      0,
    );
    assert.ok(grown <= GROWN_WINDOWS && grown > GROWN_WINDOWS / 2, String(grown));
    for (const window of windows) window.close();
    assert.equal(taken(pool, clock, 0.1), LARGEST_WINDOW);
  },
);

interface Log {
  readonly stream: SessionStream;
  readonly closed: Promise<Error | undefined>;
}

/** The far end of a stream, paused. */
function stalled(peers: Peers): Promise<Log> {
  return new Promise((resolve) => {
    peers.farMethods.addStream('tube', (stream) => {
      const closed = new Promise<Error | undefined>((over) =>
        stream.accept({ data: () => undefined, end: () => undefined, closed: over }),
      );
      stream.pause();
      resolve({ stream, closed });
    });
  });
}

const IDLE = { data: () => undefined, end: () => undefined, closed: () => undefined };

test('a stalled reader holds up no other stream, and no call', async () => {
  const peers = connectedPeers();
  peers.farMethods.addCall('small', () => 1);
  const stopped = stalled(peers);
  const near = peers.near.open('tube', [], IDLE);
  near.write(Buffer.alloc(4 * STREAM_WINDOW));
  const { stream } = await stopped;
  let arrived = 0;
  peers.farMethods.addStream('open', (other) =>
    other.accept({ ...IDLE, data: (bytes) => (arrived += bytes.length) }),
  );
  const size = 16 * STREAM_WINDOW;
  peers.near.open('open', [], IDLE).write(Buffer.alloc(size));
  while (arrived < size) assert.equal(await call(peers.near, 'small'), 1);
  assert.equal(near.buffered, 3 * STREAM_WINDOW);
  stream.reset('ECONNRESET');
});

test('signals that nobody takes are bounded too: the stream that brings too much is reset, the others go on', async () => {
  const peers = connectedPeers();
  peers.farMethods.addCall('small', () => 1);
  const first = stalled(peers);
  let told: Error | undefined;
  const near = peers.near.open('tube', [], { ...IDLE, closed: (error) => (told = error) });
  const { closed } = await first;
  const value = 'x'.repeat(60_000);
  let sent = 0;
  while (peers.far.streams.size > 0 && sent < Limit.HELD) {
    for (let i = 0; i < 16; i++) near.signal(value);
    sent += 16 * value.length;
    await call(peers.near, 'small');
  }
  assert.equal(((await closed) as { code?: string }).code, 'ERR_ELSEWHERE_LIMIT');
  assert.equal(await call(peers.near, 'small'), 1);
  assert.equal((told as { code?: string } | undefined)?.code, 'ENOBUFS');
  assert.deepEqual(peers.closed, []);
});

test('notifications whose work goes on are bounded as calls are', async () => {
  const { near, far, farMethods } = connectedPeers();
  const finish: (() => void)[] = [];
  farMethods.addCall('wait', () => new Promise<void>((resolve) => finish.push(resolve)));
  for (let i = 0; i < 6000; i++) near.notify('wait', []);
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  // Those of the packet that was one too many are begun.
  assert.ok(finish.length >= 4096 && finish.length < 4096 + 512, String(finish.length));
  assert.equal(far.main.heard, undefined, 'nothing is read');
  while (finish.length > 0) {
    for (const end of finish.splice(0)) end();
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.notEqual(far.main.heard, undefined);
});

test.run();
