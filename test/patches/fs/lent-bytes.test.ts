/** Bytes that came to be written: those of the wire are used again, those of a caller in this process stay its own. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WirePath } from '../../../patches/fs/api.ts';
import { fsRemote } from '../../../patches/fs/remote.ts';
import { lend } from '../../../src/base/spare-memory.ts';
import type { RemoteContext } from '../../../src/patch.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('fs/lent-bytes');
const folder = mkdtempSync(join(tmpdir(), 'lent-bytes-'));
const LENGTHS = { small: 48 * 1024, large: 336 * 1024 };
const WRITE_NEW = 0o1101;

test.after(() => rmSync(folder, { recursive: true }));

interface Writing {
  open(
    path: WirePath,
    flags: number,
    mode: number,
    ahead: boolean,
    closing: number[],
  ): [number] | Promise<[number]>;
  write(id: number, bytes: Uint8Array, position: number): number | Promise<number>;
  writeFile(path: WirePath, flags: number, mode: number, bytes: Uint8Array): unknown;
  close(id: number): unknown;
}

function handlers(alwaysNow: boolean): Writing {
  const context = { onEnd: () => undefined, policy: { restricted: false } };
  return fsRemote(context as unknown as RemoteContext, { alwaysNow }).calls as unknown as Writing;
}

for (const [size, length] of Object.entries(LENGTHS)) {
  test(`${size} bytes of the wire are used again once they are written`, async () => {
    const path = join(folder, size);
    const fs = handlers(false);
    const whole = lend(length).fill(1);
    await fs.writeFile(path, WRITE_NEW, 0o666, whole);
    assert.equal(lend(length).buffer, whole.buffer);
    const [id] = await fs.open(path, WRITE_NEW, 0o666, false, []);
    const part = lend(length).fill(2);
    assert.equal(await fs.write(id, part, -1), length);
    assert.equal(lend(length).buffer, part.buffer);
    await fs.close(id);
    assert.ok(readFileSync(path).equals(Buffer.alloc(length, 2)));
  });

  test(`${size} bytes of a caller in this process stay its own`, () => {
    const mine = lend(length).fill(3);
    handlers(true).writeFile(join(folder, `${size}-mine`), WRITE_NEW, 0o666, mine);
    assert.notEqual(lend(length).buffer, mine.buffer);
  });
}

test.run();
