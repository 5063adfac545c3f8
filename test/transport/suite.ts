/** The promises of the `Transport` interface as tests: every transport runs all of them. */
import assert from 'node:assert/strict';
import type { Transport } from '../../src/transport/transport.ts';
import { Kind, LAST_KIND, Limit, MAX_PACKET } from '../../src/wire/message.ts';
import { fc } from '../kit/random.ts';
import { type Suite, suite } from '../kit/suite.ts';
import { codeOf, laps, Recorder, record } from './recorder.ts';

export interface Subject {
  readonly name: string;
  /** Two ends of a fresh link. */
  pair(): Promise<[near: Transport, far: Transport]>;
  /** What `process.getActiveResourcesInfo` calls an open link of this kind, where it is a resource of the system. */
  readonly resource?: string;
}

const MEBIBYTE = Buffer.alloc(1 << 20, 'mebibyte');

export function transportSuite(subject: Subject): Suite {
  const test = suite(`transport/${subject.name}`);
  delivery(test, subject);
  limits(test, subject);
  flow(test, subject);
  endings(test, subject);
  owners(test, subject);
  return test;
}

function delivery(test: Suite, { pair }: Subject): void {
  test('packets that come before there is an owner are kept, in order', async () => {
    const [near, far] = await pair();
    for (const text of ['one', 'two', 'three']) near.send(Kind.RPC, Buffer.from(text));
    await laps(20);
    const log = record(far);
    assert.equal(log.packets.length, 0, 'nothing is told inside the setter');
    await log.received(3);
    assert.deepEqual(log.texts, ['16 one', '16 two', '16 three']);
    near.destroy();
  });

  test('head and tail are one body; a body may be empty; both directions are independent', async () => {
    const [near, far] = await pair();
    const [nearLog, farLog] = [record(near), record(far)];
    near.send(Kind.DATA, Buffer.from('head '), Buffer.from('tail'));
    near.send(Kind.PING, new Uint8Array(0));
    near.send(Kind.END, new Uint8Array(0), new Uint8Array(0));
    far.send(Kind.PONG, Buffer.from('back'));
    await Promise.all([farLog.received(3), nearLog.received(1)]);
    assert.deepEqual(farLog.texts, ['17 head tail', '6 ', '19 ']);
    assert.deepEqual(nearLog.texts, ['7 back']);
    near.destroy();
  });

  test('nothing is told inside send', async () => {
    const [near, far] = await pair();
    const [nearLog, farLog] = [record(near), record(far)];
    near.send(Kind.RPC, Buffer.from('x'));
    assert.equal(farLog.packets.length, 0);
    near.destroy();
    assert.equal(nearLog.closes.length, 0);
    await nearLog.closed();
  });

  test('any packets arrive as they were sent', async () => {
    const packet = fc.record({
      kind: fc.integer({ min: 1, max: LAST_KIND }),
      head: fc.uint8Array({ maxLength: 50 }),
      tail: fc.option(fc.integer({ min: 0, max: 200_000 }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(packet, { minLength: 1, maxLength: 20 }), async (packets) => {
        const [near, far] = await pair();
        far.setLimit(MAX_PACKET);
        const log = record(far);
        const expected = packets.map(({ kind, head, tail }, i) => {
          const bytes = tail === undefined ? undefined : Buffer.alloc(tail, `${i}.`);
          near.send(kind, head, bytes);
          return { kind, body: Buffer.concat([head, bytes ?? Buffer.alloc(0)]) };
        });
        await log.received(packets.length);
        near.destroy();
        assert.deepEqual(log.packets, expected);
        for (const { body, copy } of log.kept) assert.ok(copy.equals(body), 'an owned body stays');
        await log.closed();
      }),
      { numRuns: 25 },
    );
  });
}

function limits(test: Suite, { pair }: Subject): void {
  for (const [what, set, limit] of [
    ['of a handshake', undefined, Limit.HANDSHAKE],
    ['raised', 100_000, 100_000],
    ['lowered', 10, 10],
  ] as const) {
    test(`a body at the limit is taken, one byte more closes the link: ${what}`, async () => {
      const [near, far] = await pair();
      const [nearLog, farLog] = [record(near), record(far)];
      if (set !== undefined) far.setLimit(set);
      near.send(Kind.RPC, Buffer.alloc(limit));
      await farLog.received(1);
      near.send(Kind.RPC, Buffer.alloc(limit - 3), Buffer.alloc(4));
      near.send(Kind.RPC, Buffer.from('behind it'));
      assert.equal(codeOf(await farLog.closed()), 'ERR_ELSEWHERE_PROTOCOL');
      assert.equal(farLog.packets.length, 1);
      await nearLog.closed();
    });
  }

  for (const kind of [0, LAST_KIND + 1, 255]) {
    test(`the unknown kind ${kind} closes the link`, async () => {
      const [near, far] = await pair();
      const [nearLog, farLog] = [record(near), record(far)];
      near.send(kind, Buffer.from('x'));
      assert.equal(codeOf(await farLog.closed()), 'ERR_ELSEWHERE_PROTOCOL');
      assert.equal(farLog.packets.length, 0);
      await nearLog.closed();
    });
  }
}

function flow(test: Suite, { pair }: Subject): void {
  test('a paused reader holds the sender up; after resume all of it arrives and the sender may go on', async () => {
    const [near, far] = await pair();
    const [nearLog, farLog] = [record(near), record(far)];
    far.setLimit(MAX_PACKET);
    far.pause();
    let more = true;
    for (let sent = 0; sent < 32; sent++) more = near.send(Kind.RPC, MEBIBYTE);
    assert.equal(more, false, 'asked to wait');
    await laps(50);
    assert.ok(near.buffered > 0);
    assert.equal(nearLog.drains, 0);
    assert.ok(farLog.packets.length < 32);
    let bufferedAtDrain = -1;
    nearLog.onDrain = () => (bufferedAtDrain = near.buffered);
    far.resume();
    await Promise.all([farLog.received(32), nearLog.until(() => nearLog.drains > 0)]);
    assert.ok(farLog.packets.every(({ body }) => body.equals(MEBIBYTE)));
    assert.equal(bufferedAtDrain, 0);
    near.destroy();
  });

  test('without an owner the reader holds the sender up too', async () => {
    const [near, far] = await pair();
    far.setLimit(MAX_PACKET);
    for (let sent = 0; sent < 32; sent++) near.send(Kind.RPC, MEBIBYTE);
    await laps(50);
    assert.ok(near.buffered > 0);
    const log = record(far);
    await log.received(32);
    near.destroy();
  });

  test('pause outlasts a change of owner', async () => {
    const [near, far] = await pair();
    far.setLimit(MAX_PACKET);
    far.pause();
    for (let sent = 0; sent < 32; sent++) near.send(Kind.RPC, MEBIBYTE);
    await laps(50);
    const log = record(far);
    await laps(50);
    assert.ok(log.packets.length < 32);
    assert.ok(near.buffered > 0);
    far.resume();
    await log.received(32);
    near.destroy();
  });
}

function endings(test: Suite, { pair, resource }: Subject): void {
  test('close delivers what was accepted, then ends both sides, once', async () => {
    const [near, far] = await pair();
    const [nearLog, farLog] = [record(near), record(far)];
    far.setLimit(MAX_PACKET);
    for (let sent = 0; sent < 8; sent++) near.send(Kind.RPC, MEBIBYTE);
    near.close();
    near.close();
    assert.equal(near.send(Kind.RPC, Buffer.from('too late')), true);
    assert.equal(await farLog.closed(), undefined);
    assert.equal(await nearLog.closed(), undefined);
    assert.equal(farLog.packets.length, 8);
    near.close();
    near.destroy();
    await laps(5);
    assert.equal(nearLog.closes.length, 1);
  });

  test('close delivers what was accepted although the peer is still sending', async () => {
    const [near, far] = await pair();
    const farLog = record(far);
    far.setLimit(MAX_PACKET);
    near.setLimit(MAX_PACKET);
    near.pause();
    for (let sent = 0; sent < 16; sent++) far.send(Kind.RPC, MEBIBYTE);
    await laps(20);
    for (let sent = 0; sent < 8; sent++) near.send(Kind.RPC, MEBIBYTE);
    near.close();
    await farLog.closed();
    assert.equal(farLog.packets.length, 8);
  });

  test('a peer that never reads does not hold close for ever', async () => {
    const [near, far] = await pair();
    const nearLog = record(near);
    far.pause();
    for (let sent = 0; sent < 32; sent++) near.send(Kind.RPC, MEBIBYTE);
    near.close();
    // This test's own limit is the assertion.
    await nearLog.closed();
    far.destroy();
  });

  test('a paused transport can be closed', async () => {
    const [near, far] = await pair();
    const [nearLog, farLog] = [record(near), record(far)];
    near.pause();
    near.send(Kind.RPC, Buffer.from('last words'));
    near.close();
    await Promise.all([nearLog.closed(), farLog.closed()]);
    assert.deepEqual(farLog.texts, ['16 last words']);
  });

  test('destroy ends at once with its error; no packet comes any more', async () => {
    const [near, far] = await pair();
    const [nearLog, farLog] = [record(near), record(far)];
    for (let i = 0; i < 10; i++) near.send(Kind.RPC, Buffer.from(String(i)));
    const reason = new Error('enough');
    farLog.onPacket = () => far.destroy(reason);
    assert.equal(await farLog.closed(), reason);
    assert.deepEqual(farLog.texts, ['16 0']);
    await nearLog.closed();
    assert.equal(far.send(Kind.RPC, Buffer.from('too late')), true);
  });

  test('who becomes the owner after the end is told of it', async () => {
    const [near, far] = await pair();
    near.send(Kind.RPC, Buffer.from('kept'));
    near.close();
    await laps(50);
    const farLog = record(far);
    await farLog.closed();
    assert.deepEqual(farLog.texts, ['16 kept']);
    const nearLog = record(near);
    await nearLog.closed();
  });

  test('unref and ref say whether it keeps the process alive', async (context) => {
    if (resource === undefined)
      return context.skip('a link in memory is no resource of the system');
    const open = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === resource).length;
    const before = open();
    const [near, far] = await pair();
    assert.equal(open(), before + 2);
    near.unref();
    far.unref();
    assert.equal(open(), before);
    near.ref();
    assert.equal(open(), before + 1);
    near.destroy();
    await record(near).closed();
  });
}

function owners(test: Suite, { pair }: Subject): void {
  test('an owner can let go in the middle; the next one gets the rest, in order', async () => {
    const [near, far] = await pair();
    const [first, second] = [new Recorder(), new Recorder()];
    first.onPacket = ({ body }) => {
      if (String(body) === '1') far.events = undefined;
    };
    far.events = first;
    for (let i = 0; i < 4; i++) near.send(Kind.RPC, Buffer.from(String(i)));
    await first.received(2);
    await laps(20);
    far.events = second;
    near.send(Kind.RPC, Buffer.from('4'));
    await second.received(3);
    assert.deepEqual(first.texts, ['16 0', '16 1']);
    assert.deepEqual(second.texts, ['16 2', '16 3', '16 4']);
    near.destroy();
    await second.closed();
    assert.equal(first.closes.length, 0);
  });

  test('an owner can hand over to another one at once', async () => {
    const [near, far] = await pair();
    const [first, second] = [new Recorder(), new Recorder()];
    first.onPacket = () => {
      far.events = second;
    };
    far.events = first;
    for (let i = 0; i < 3; i++) near.send(Kind.RPC, Buffer.from(String(i)));
    await second.received(2);
    assert.deepEqual([...first.texts, ...second.texts], ['16 0', '16 1', '16 2']);
    near.destroy();
  });
}
