// A blocked thread brings the far side what it lacks: that much, once, and over a link on which nothing comes back.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { catchUp } from '../../src/connection/catch-up.ts';
import { BARRIER } from '../../src/connection/incoming-calls.ts';
import { Lane } from '../../src/connection/lane.ts';
import type { LinkOpener } from '../../src/connection/lasting-link.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import { oneWay } from '../../src/transport/one-way.ts';
import { Op } from '../../src/wire/message.ts';
import { suite } from '../kit/suite.ts';
import { laps } from '../transport/recorder.ts';
import { call, disconnectedPeers } from './peers.ts';

const test = suite('connection/catch-up');

test('what is asked over a one-way link is done, and all that comes back waits for the next', async () => {
  const { near, far, faults } = disconnectedPeers();
  const done: unknown[] = [];
  for (const peer of [near, far]) peer.methods.addCall('note', ([n]) => done.push(n));
  const [left, right] = memoryPair();
  near.main.attach(left, 0);
  far.main.attach(oneWay(right), 0);
  const answers = Promise.all([call(near, 'note', 'to the far side'), call(far, 'note', 'back')]);
  await laps(20);
  assert.deepEqual(done, ['to the far side']);
  assert.equal(near.main.received, 0);
  const [newLeft, newRight] = memoryPair();
  const known = [far.main.received, near.main.received] as const;
  near.main.attach(newLeft, known[0]);
  far.main.attach(newRight, known[1]);
  assert.deepEqual(await answers, [1, 2]);
  assert.deepEqual([done, faults], [['to the far side', 'back'], []]);
});

test('a far side that has everything is not dialled', async () => {
  const { near, far } = disconnectedPeers();
  far.methods.addCall('note', () => null);
  const [left, right] = memoryPair();
  near.main.attach(left, 0);
  far.main.attach(right, 0);
  await call(near, 'note');
  while (near.main.acknowledged < near.main.sent) await sleep(5);
  let dialled = 0;
  const opener: LinkOpener = {
    open: () => {
      dialled++;
      throw new Error('nobody there');
    },
    handshake: () => assert.fail('no link'),
    hopeless: () => true,
    patience: () => 0,
    timeout: 1000,
    heartbeat: 0,
    isNear: () => true,
  };
  near.main.detach();
  catchUp(near.main, opener);
  assert.equal(dialled, 0);
  near.notify('note', []);
  assert.throws(() => catchUp(near.main, opener), /nobody there/);
  assert.equal(dialled, 1);
});

test('that a call waits for the main lane is only said where somebody hears it', async () => {
  const { far } = disconnectedPeers();
  const sync = new Lane('sync', far);
  far.frame(sync, [Op.NOTIFY, BARRIER, [3]], 0);
  await sleep(100);
  assert.equal(sync.sent, 0);
  far.lose(new Error('the end'));
});

test.run();
