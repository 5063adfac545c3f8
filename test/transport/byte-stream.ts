/** What a peer of a byte transport may do wrong, for the suites of tcp and unix. */
import assert from 'node:assert/strict';
import { Kind, MAX_PACKET } from '../../src/wire/message.ts';
import type { Suite } from '../kit/suite.ts';
import type { Links } from './links.ts';
import { codeOf, laps, record } from './recorder.ts';

const packet = (kind: number, body: string): Buffer => {
  const header = Buffer.alloc(5);
  header.writeUInt32LE(Buffer.byteLength(body) + 1);
  header[4] = kind;
  return Buffer.concat([header, Buffer.from(body)]);
};

export function byteStreamTests(test: Suite, links: () => Links): void {
  for (const [what, bytes, said] of [
    ['an HTTP request', 'POST / HTTP/1.1\r\nHost: x\r\n\r\n', /looks like HTTP/],
    ['a TLS hello', '\x16\x03\x01\x00\xc8\x01\x00\x00', /looks like TLS/],
    ['an SSH banner', 'SSH-2.0-x\r\n', /looks like SSH/],
    ['a length of zero', '\x00\x00\x00\x00\x10', /unknown kind/],
    ['a length of 4 GiB', '\xff\xff\xff\xff\x10', /at most 4096/],
    ['garbage', '\x05\x00\x00\x00\xee1234', /unknown kind 238/],
  ] as const) {
    test(`a peer that sends ${what} is cut off with what is wrong`, async () => {
      const [far, peer] = await links().raw();
      const log = record(far);
      peer.write(Buffer.from(bytes, 'latin1'));
      const error = await log.closed();
      assert.equal(codeOf(error), 'ERR_ELSEWHERE_PROTOCOL');
      assert.match(String(error), said);
      assert.equal(log.packets.length, 0);
      peer.destroy();
    });
  }

  test('half a packet and then the end: the packets before it, and a plain end', async () => {
    const [far, peer] = await links().raw();
    const log = record(far);
    peer.end(
      Buffer.concat([packet(Kind.RPC, 'whole'), packet(Kind.RPC, 'cut off').subarray(0, 8)]),
    );
    assert.equal(await log.closed(), undefined);
    assert.deepEqual(log.texts, ['16 whole']);
    peer.destroy();
  });

  test('good packets before garbage are delivered', async () => {
    const [far, peer] = await links().raw();
    const log = record(far);
    peer.write(Buffer.concat([packet(Kind.RPC, 'good'), Buffer.from('GET / HTTP/1.1\r\n')]));
    assert.equal(codeOf(await log.closed()), 'ERR_ELSEWHERE_PROTOCOL');
    assert.deepEqual(log.texts, ['16 good']);
    peer.destroy();
  });

  test('a peer that has ended and does not read is given up', async () => {
    const [far, peer] = await links().raw();
    const log = record(far);
    peer.pause();
    for (let sent = 0; sent < 32; sent++) far.send(Kind.RPC, Buffer.alloc(MAX_PACKET));
    peer.end();
    // This test's own limit is the assertion.
    await log.closed();
    peer.destroy();
  });

  test('a byte at a time makes the same packets', async () => {
    const [far, peer] = await links().raw();
    const log = record(far);
    for (const byte of packet(Kind.RPC, 'slow')) {
      peer.write(Buffer.of(byte));
      await laps(1);
    }
    await log.received(1);
    assert.deepEqual(log.texts, ['16 slow']);
    peer.destroy();
  });
}
