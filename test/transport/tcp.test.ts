import assert from 'node:assert/strict';
import { byteStreamTests } from './byte-stream.ts';
import { type Links, listenOn } from './links.ts';
import { codeOf, record } from './recorder.ts';
import { transportSuite } from './suite.ts';

let links: Links;
const test = transportSuite({ name: 'tcp', pair: () => links.pair(), resource: 'TCPSocketWrap' });
test.before(async () => {
  links = await listenOn('tcp://127.0.0.1:0');
});
test.after(() => links.close());
byteStreamTests(test, () => links);

test('a peer that vanishes ends it with the error of the system', async () => {
  const [far, peer] = await links.raw();
  const log = record(far);
  peer.resetAndDestroy();
  assert.equal(codeOf(await log.closed()), 'ECONNRESET');
});

test('both ends know each other by numeric address', async () => {
  const [near, far] = await links.pair();
  assert.equal(near.remote?.host, '127.0.0.1');
  assert.equal(far.remote?.host, '127.0.0.1');
  assert.match(near.description, /^tcp:\/\/127\.0\.0\.1:\d+/);
  near.destroy();
});

test.run();
