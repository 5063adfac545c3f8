// Over TLS links are cut in the middle of records and handshakes too.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { withRemote } from '../../src/index.ts';
import { suite } from '../kit/suite.ts';
import { onStage } from './stage.ts';

const test = suite('session/resume over TLS', { limit: 120_000, fileLimit: 300_000 });

for (const scheme of ['tls', 'wss'] as const) {
  test(`${scheme}: every call is executed exactly once, blocking ones in their order`, () =>
    onStage(scheme, { life: 150, seed: 9 }, async ({ chaos, conn }) => {
      await conn.execute('globalThis.seen = []');
      let round = 0;
      for (; chaos.broken < 8; round++) {
        const first = conn.eval(`seen.push(${round})`);
        const written = withRemote(conn, { except: ['stdio'] }, () =>
          fs.promises.writeFile('later.txt', String(round)),
        );
        const text = withRemote(conn, { except: ['stdio'] }, () =>
          fs.readFileSync('later.txt', 'utf8'),
        );
        assert.equal(text, String(round));
        await Promise.all([first, written]);
      }
      const expected = Array.from({ length: round }, (_, i) => i);
      assert.deepEqual(await conn.eval('seen'), expected);
      assert.equal(conn.stats().pendingCalls, 0);
    }));
}

test.run();
