/** Copies in steps after Node has loaded its own code for them: never a silent look at local folders. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, withRemote } from '../../../src/index.ts';
import { startAgent } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/fs/early-copy');

test('a copy with a filter is refused where it would list local folders, a plain one is carried out', async () => {
  const here = fs.mkdtempSync(join(tmpdir(), 'elsewhere-early-'));
  fs.mkdirSync(join(here, 'tree'));
  fs.cpSync(join(here, 'tree'), join(here, 'copy'), { recursive: true });
  const agent = await startAgent();
  const connection = await connect(agent.url);
  const filtered = { recursive: true, filter: () => true };
  const refused = { code: 'ERR_ELSEWHERE_UNSUPPORTED', message: /load elsewhere first/ };
  try {
    await withRemote(connection, { stdio: 'local', paths: { local: [here] } }, async () => {
      fs.mkdirSync('tree/a', { recursive: true });
      fs.writeFileSync('tree/a/1', 'x');
      fs.cpSync('tree', 'plain', { recursive: true });
      assert.equal(fs.readFileSync('plain/a/1', 'utf8'), 'x');
      assert.throws(() => fs.cpSync('tree', 'x', filtered), refused);
      await assert.rejects(fs.promises.cp('tree', 'x', filtered), refused);
      const error = await new Promise<unknown>((resolve) => fs.cp('tree', 'x', filtered, resolve));
      assert.equal((error as { code: string }).code, refused.code);
      assert.equal(fs.existsSync('x'), false);
      // What is listed here is here.
      fs.mkdirSync(join(here, 'tree/local'));
      fs.cpSync(join(here, 'tree'), 'from-here', filtered);
      assert.deepEqual(fs.readdirSync('from-here'), ['local']);
    });
  } finally {
    await connection.close();
    await agent.stop();
    fs.rmSync(here, { recursive: true });
  }
});

test.run();
