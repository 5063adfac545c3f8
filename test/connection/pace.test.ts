/** How much bulk goes on its way at once, on links whose time is ours. */
import assert from 'node:assert/strict';
import sinon from 'sinon';
import { Pace } from '../../src/connection/pace.ts';
import { suite } from '../kit/suite.ts';

const test = suite('connection/pace');
const KB = 1024;

interface Link {
  /** Bytes per millisecond. */
  rate: number;
  /** Milliseconds of a round trip without queues. */
  roundTrip: number;
  /** Packets that have left. */
  packets?: number;
  /** Small calls are made all the time. */
  readonly beside?: boolean;
}

interface Told {
  readonly budget: number;
  /** The longest time that a byte waited in the link's queue, in milliseconds. */
  readonly queue: number;
  /** Share of the link's rate that was used. */
  readonly used: number;
}

/** A sender that always has something, a link, and a peer that acknowledges each packet. */
function transfer(clock: sinon.SinonFakeTimers, pace: Pace, link: Link, ms: number): Told {
  const underWay: { packet: number; bytes: number; back: number }[] = [];
  let packet = link.packets ?? 0;
  let kept = 0;
  let free = performance.now();
  let queue = 0;
  let arrived = 0;
  const end = performance.now() + ms;
  const half = performance.now() + ms / 2;
  while (performance.now() < end) {
    const now = performance.now();
    while (kept < pace.budget) {
      const bytes = pace.chunk;
      if (link.beside === true) pace.called();
      pace.left(++packet);
      free = Math.max(free, now) + bytes / link.rate;
      underWay.push({ packet, bytes, back: free + link.roundTrip });
      kept += bytes;
      if (now > half) queue = Math.max(queue, free - now);
    }
    const due = underWay[0]?.back ?? now;
    clock.tick(Math.max(due - now, 0.001));
    const first = underWay.shift();
    if (first === undefined) continue;
    if (performance.now() > half) arrived += first.bytes;
    pace.acknowledged(first.packet, first.bytes, kept);
    kept -= first.bytes;
  }
  link.packets = packet;
  return { budget: pace.budget, queue, used: arrived / ((link.rate * ms) / 2) };
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

for (const [rate, roundTrip] of [
  [20_000, 20],
  [1000, 50],
  [60_000, 100],
] as const) {
  timed(
    `a link of ${rate / 1000} MB/s and ${roundTrip} ms is full, and its queue short`,
    (clock) => {
      const { used, queue } = transfer(clock, new Pace(), { rate, roundTrip }, 6000);
      assert.ok(used > 0.97, `${used} of the link was used`);
      // What is more than the link carries in a round trip waits; a packet on its own has to get through.
      const own = 65_536 / rate;
      assert.ok(queue < 0.5 * roundTrip + 3 * own, `a byte waited for ${queue} ms`);
    },
  );
}

timed('beside small calls less waits on a quick link, which stays full all the same', (clock) => {
  const link = { rate: 300_000, roundTrip: 0.3 };
  const alone = transfer(clock, new Pace(), link, 600);
  const pace = new Pace();
  const beside = transfer(clock, pace, { ...link, beside: true }, 600);
  assert.ok(beside.budget < alone.budget / 2, `${beside.budget} after ${alone.budget}`);
  assert.ok(beside.used > 0.97, `${beside.used} of the link was used`);
  // Without another call for a while it is as before.
  assert.ok(transfer(clock, pace, link, 1200).budget > 0.9 * alone.budget);
});

timed('a link that becomes slower, faster or longer is followed', (clock) => {
  const pace = new Pace();
  const link: Link = { rate: 20_000, roundTrip: 20 };
  transfer(clock, pace, link, 4000);
  link.rate = 5000;
  const slower = transfer(clock, pace, link, 6000);
  assert.ok(slower.used > 0.97 && slower.queue < 50, JSON.stringify(slower));
  link.rate = 40_000;
  assert.ok(transfer(clock, pace, link, 6000).used > 0.97);
  link.roundTrip = 60;
  const longer = transfer(clock, pace, link, 30_000);
  assert.ok(longer.used > 0.9, JSON.stringify(longer));
});

timed('a sender that is slower than the link says nothing of the link', (clock) => {
  const pace = new Pace();
  const { budget } = transfer(clock, pace, { rate: 20_000, roundTrip: 20 }, 4000);
  for (let packet = 1_000_000; packet < 1_000_100; packet++) {
    pace.left(packet);
    clock.tick(20);
    pace.acknowledged(packet, 1000, 1000);
  }
  assert.equal(pace.budget, budget);
});

timed('another link starts small', (clock) => {
  const pace = new Pace();
  transfer(clock, pace, { rate: 50_000, roundTrip: 50 }, 3000);
  assert.ok(pace.budget > 1000 * KB);
  pace.restart();
  assert.equal(pace.budget, 256 * KB);
});

test.run();
