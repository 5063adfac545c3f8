/** `serve --audit` and `--trace`: what clients do, told on the agent's side. */
import assert from 'node:assert/strict';
import fs, { readFileSync, statSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { type AuditRecord, connect, serve, withRemote } from '../../src/index.ts';
import { elsewhere, startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('cli/serve-records', { limit: 30_000, fileLimit: 90_000 });

async function use(agent: TestAgent): Promise<void> {
  const conn = await connect(agent.url);
  await withRemote(conn, { except: ['stdio'] }, async () => {
    fs.writeFileSync('long'.repeat(50), 'x');
    await assert.rejects(fs.promises.readFile('/nowhere'), { code: 'ENOENT' });
    await new Promise((resolve) => net.connect(1, '127.0.0.1').on('error', resolve));
  });
  await conn.execute('namespace.half = (n) => n / 2');
  assert.equal(await conn.namespace['half']?.(8), 4);
  await assert.rejects(conn.eval('nope'), { name: 'ReferenceError' });
  await assert.rejects(
    conn.run((text: string) => JSON.parse(text), '{'),
    { name: 'SyntaxError' },
  );
  await conn.close();
}

for (const args of [[], ['--isolate']])
  test(`each operation is a line, with its error ${args}`, async () => {
    const agent = await startAgent({ args: ['--audit', 'audit.jsonl', '--trace', ...args] });
    await use(agent);
    const file = join(agent.folder, 'audit.jsonl');
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    const records = lines.map((line) => JSON.parse(line) as AuditRecord);
    const told = (pattern: RegExp): AuditRecord => {
      const found = records.find(({ operation }) => pattern.test(operation));
      assert.ok(found, `${pattern}\n${lines.join('\n')}`);
      return found;
    };
    const written = told(/long/);
    assert.ok(written.operation.includes('long'.repeat(50)));
    assert.deepEqual([written.error, written.user, written.pid], [null, null, process.pid]);
    assert.match(written.session, /^[0-9a-f]{32}$/);
    assert.ok(Math.abs(Date.now() - Date.parse(written.time)) < 60_000);
    assert.equal(told(/nowhere/).error, 'ENOENT');
    assert.equal(told(/^net\..*127\.0\.0\.1/).error, null);
    assert.equal(told(/^classic\.execute\('namespace\.half/).error, null);
    assert.equal(told(/^namespace\.half\(8\)/).error, null);
    assert.match(told(/^classic\.eval\('nope'\)/).error ?? '', /ReferenceError: nope/);
    assert.match(told(/^classic\.run\(/).error ?? '', /SyntaxError/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    await agent.stop();
    assert.match(
      agent.stderr(),
      /elsewhere: \[[0-9a-f]{6}\] fs\.\w+\('.*nowhere'.*\) = ENOENT <\d/,
    );
    assert.match(agent.stderr(), /namespace\.half\(8\) = 4 <\d/);
  });

test('services and POSTs too, with the user’s name; a file that cannot be written is told at once', async () => {
  const audit = join(fs.mkdtempSync(join(import.meta.dirname, 'audit-')), 'audit');
  const service = { add: (a: number, b: number) => a + b };
  const tokens = { ada: 'a-token-of-sixteen-or-more' };
  const server = await serve({ service, jsonRpc: true, audit, auth: { tokens } });
  const url = server.url.replace(/#.*/, `#${encodeURIComponent(tokens.ada)}`);
  const conn = await connect<typeof service>(url);
  assert.equal(await conn.root.add(1, 2), 3);
  await conn.close();
  await fetch(server.url.replace(/^ws/, 'http').replace(/#.*/, ''), {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.ada}`, 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', method: 'nothing', id: 1 }),
  });
  await server.close();
  const records = readFileSync(audit, 'utf8').trim().split('\n');
  assert.deepEqual(
    records
      .map((line) => JSON.parse(line) as AuditRecord)
      .map(({ operation, user, error }) => [operation, user, error]),
    [
      ['root.add(1, 2)', 'ada', null],
      ['root.nothing()', 'ada', 'ERR_ELSEWHERE_NO_METHOD'],
    ],
  );
  fs.rmSync(join(audit, '..'), { recursive: true });
  await assert.rejects(serve({ audit }), { code: 'ENOENT' });
  await assert.rejects(serve({ audit, isolate: 'process' }), { code: 'ENOENT' });
  assert.equal((await elsewhere(['serve', '--audit', audit])).code, 1);
});

test.run();
