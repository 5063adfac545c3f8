/** Rows C11 and C12 of the attack list: numbers of calls that are none, and answers that nobody waits for. */
import assert from 'node:assert/strict';
import { MethodTable } from '../../src/connection/methods.ts';
import { Peer } from '../../src/connection/peer.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import { encodeFrame } from '../../src/wire/codec.ts';
import { Kind, Op } from '../../src/wire/message.ts';
import { assertIntact, intrinsics, maxDelay } from '../kit/intact.ts';
import { suite } from '../kit/suite.ts';

const test = suite('connection/hostile-frames');

interface Victim {
  readonly fault: Promise<Error | undefined>;
  readonly ran: unknown[];
  readonly answered: unknown[];
  send(...frames: readonly unknown[][]): void;
}

/** A peer with a call of its own under way (number 0), and one of the attacker's (number 7). */
function newVictim(): Victim {
  const [attacker, transport] = memoryPair();
  attacker.events = { packet: () => undefined, drain: () => undefined, close: () => undefined };
  const ran: unknown[] = [];
  const answered: unknown[] = [];
  const methods = new MethodTable();
  methods.addCall('run', ([what]) => {
    ran.push(what);
    return what === 'for ever' ? new Promise(() => undefined) : what;
  });
  let told: (error: Error | undefined) => void = () => undefined;
  const fault = new Promise<Error | undefined>((resolve) => (told = resolve));
  const peer = new Peer('far', methods, {
    laneDown: (lane) => told(lane.fault),
    goAway: () => undefined,
  });
  peer.main.attach(transport, 0);
  peer.request('theirs', [], (...outcome) => answered.push(outcome));
  const send = (...frames: readonly unknown[][]): void => {
    const packed = frames.map((frame) =>
      encodeFrame(frame, () => {
        throw new Error('nothing large');
      }),
    );
    const list = Buffer.from([0x90 | packed.length]);
    attacker.send(Kind.RPC, Buffer.concat([list, ...packed]));
  };
  send([Op.CALL, 7, 'run', ['for ever']]);
  return { fault, ran, answered, send };
}

const call = (id: unknown): unknown[] => [Op.CALL, id, 'run', ['evil']];
const ROWS: readonly (readonly [string, ...unknown[][]])[] = [
  ['C11 a number in use', call(7)],
  ['C11 the same number twice in a packet', [Op.CALL, 9, 'run', ['for ever']], call(9)],
  ...[2 ** 53, 2 ** 32, Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY, '1', 5n, null].map(
    (id): readonly [string, unknown[]] => [`C11 the number ${String(id)} (${typeof id})`, call(id)],
  ),
  ['C12 an answer to no call', [Op.RETURN, 99, 'evil']],
  ['C12 an error to no call', [Op.THROW, 99, 'evil']],
  ['C12 a second answer', [Op.RETURN, 0, 'good'], [Op.RETURN, 0, 'evil']],
  ['C12 an error behind an answer', [Op.RETURN, 0, 'good'], [Op.THROW, 0, 'evil']],
  ['C12 an answer to a call of the other direction', [Op.RETURN, 7, 'evil']],
  ...[Number.NaN, 0.5, '0', 2 ** 53].map((id): readonly [string, unknown[]] => [
    `C12 an answer to ${String(id)} (${typeof id})`,
    [Op.RETURN, id, 'evil'],
  ]),
];

for (const [what, ...frames] of ROWS)
  test(`${what} ends the link, and does nothing else`, async () => {
    const before = intrinsics();
    const victim = newVictim();
    const delay = maxDelay();
    victim.send(...frames);
    const fault = await victim.fault;
    assert.equal((fault as { code?: string } | undefined)?.code, 'ERR_ELSEWHERE_PROTOCOL');
    assert.ok(delay() < 200, 'the loop was held up');
    assert.ok(!victim.ran.includes('evil'));
    assert.doesNotMatch(JSON.stringify(victim.answered), /evil/);
    assertIntact(before);
  });

test.run();
