/**
 * Both ends of a session in one thread, over links in memory that are cut at any point: whatever fast-check thinks of,
 * each call is carried out once and in order, and streams arrive as they were written. SEED sets the seed
 * (random.ts), RUNS how many scenes are played (300).
 */
import assert from 'node:assert/strict';
import type { ByteStream } from '../../src/connection/channel.ts';
import type { Peer } from '../../src/connection/peer.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import { fc } from '../kit/random.ts';
import { suite } from '../kit/suite.ts';
import { laps } from '../transport/recorder.ts';
import { disconnectedPeers } from './peers.ts';

const test = suite('connection/simulation', { limit: 60_000, fileLimit: 120_000 });
const runs = Number(process.env['RUNS'] ?? 300);

type Step =
  | { readonly do: 'call' | 'callBack' | 'later' }
  | { readonly do: 'write' | 'attach'; readonly size: number }
  | { readonly do: 'turns'; readonly count: number }
  | { readonly do: 'cut' | 'pause' | 'resume' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('call' as const, 'callBack' as const, 'later' as const) }),
  fc.record({
    do: fc.constantFrom('write' as const, 'attach' as const),
    size: fc.integer({ min: 1, max: 300_000 }),
  }),
  fc.record({ do: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constantFrom('cut' as const, 'pause' as const, 'resume' as const) }),
);

/** What a side says it has received when it comes back. */
type Claim = (receiver: Peer, sender: Peer) => number;
const honest: Claim = (receiver) => receiver.main.received;

class Scene {
  readonly #claim: Claim;
  readonly #ends = disconnectedPeers();
  readonly #done: number[] = [];
  readonly #asked: number[] = [];
  readonly #wrong: unknown[] = [];
  #answered = 0;
  readonly #written: Buffer[] = [];
  readonly #arrived: Buffer[] = [];
  readonly #far: { pause(): void; resume(): void }[] = [];
  #next = 0;

  constructor(claim: Claim) {
    this.#claim = claim;
    for (const peer of [this.#ends.near, this.#ends.far]) {
      peer.methods.addCall('note', ([n]) => {
        this.#done.push(n as number);
        return n;
      });
      peer.methods.addCall('later', async ([n]) => {
        this.#done.push(n as number);
        await laps(2);
        return n;
      });
      peer.methods.addCall('size', ([n, bytes]) => {
        this.#done.push(n as number);
        return (bytes as Uint8Array).length === 0 ? -1 : n;
      });
    }
    this.#ends.far.methods.addStream('tube', (stream) => {
      this.#far.push(stream);
      stream.accept({
        data: (bytes) => this.#arrived.push(Buffer.from(bytes)),
        end: () => undefined,
        closed: () => undefined,
      });
    });
    this.#link();
  }

  #link(): void {
    const { near, far } = this.#ends;
    near.main.detach();
    far.main.detach();
    const [left, right] = memoryPair();
    const known = [this.#claim(far, near), this.#claim(near, far)] as const;
    near.main.attach(left, known[0]);
    far.main.attach(right, known[1]);
  }

  #call(peer: Peer, method: string, ...more: unknown[]): void {
    const n = this.#next++;
    this.#asked.push(n);
    peer.request(method, [n, ...more], (error, value) => {
      this.#answered++;
      if (error !== null || value !== n) this.#wrong.push(error ?? value);
    });
  }

  #write(tube: ByteStream, size: number): void {
    const bytes = Buffer.alloc(size, this.#written.length);
    this.#written.push(bytes);
    tube.write(bytes);
  }

  async #take(step: Step, tube: ByteStream): Promise<void> {
    const { near, far } = this.#ends;
    switch (step.do) {
      case 'call':
        return this.#call(near, 'note');
      case 'callBack':
        return this.#call(far, 'note');
      case 'later':
        return this.#call(near, 'later');
      case 'attach':
        return this.#call(near, 'size', Buffer.alloc(step.size));
      case 'write':
        return this.#write(tube, step.size);
      case 'turns':
        return laps(step.count);
      case 'cut':
        return this.#link();
      default:
        for (const stream of this.#far) stream[step.do]();
    }
  }

  /** Until it is so, or has to be taken for never. */
  async #until(condition: () => boolean): Promise<void> {
    for (let i = 0; i < 2000 && !condition() && this.#ends.faults.length === 0; i++) await laps(1);
    assert.deepEqual(this.#ends.faults, []);
    assert.ok(condition());
  }

  async play(steps: readonly Step[]): Promise<void> {
    const { near, far } = this.#ends;
    const tube = near.open('tube', [], {
      data: () => undefined,
      end: () => undefined,
      closed: () => undefined,
    });
    for (const each of steps) await this.#take(each, tube);
    await laps(2);
    for (const stream of this.#far) stream.resume();
    await this.#until(() => this.#answered === this.#asked.length);
    await this.#until(() => sizeOf(this.#arrived) === sizeOf(this.#written));
    assert.deepEqual(this.#wrong, []);
    assert.deepEqual(
      [...this.#done].sort((a, b) => a - b),
      this.#asked,
      'each once',
    );
    assert.ok(Buffer.concat(this.#arrived).equals(Buffer.concat(this.#written)), 'byte for byte');
    assert.deepEqual([near.calls.size, far.calls.size, far.runningCalls], [0, 0, 0]);
  }
}

const sizeOf = (chunks: readonly Buffer[]): number =>
  chunks.reduce((sum, { length }) => sum + length, 0);

const scenes = (claim: Claim): fc.IAsyncProperty<[Step[]]> =>
  fc.asyncProperty(fc.array(step, { maxLength: 40 }), (steps) => new Scene(claim).play(steps));

test('links that are cut at any point lose nothing and double nothing', () =>
  fc.assert(scenes(honest), { numRuns: runs }));

test('the same scenes notice a side that forgets what it has received', async () => {
  const forgetful: Claim = (receiver, sender) =>
    Math.max(sender.main.acknowledged, receiver.main.received - 1);
  const { failed } = await fc.check(scenes(forgetful), { numRuns: 100, endOnFailure: true });
  assert.ok(failed);
});

test.run();
