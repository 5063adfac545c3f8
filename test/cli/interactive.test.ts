import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { elsewhere, startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('cli/interactive', { limit: 60_000, fileLimit: 120_000 });
let agent: TestAgent;

test.before(async () => {
  agent = await startAgent();
});
test.after(() => agent.stop());

test('repl: names stay, lines go on, await works, output and errors show here', async () => {
  const lines = [
    'const x = 5',
    'x + 1',
    "await Promise.resolve('a')",
    'function double(a) {',
    '  return a * 2 }',
    'double(4)',
    "console.log('printed there')",
    'process.pid',
    'nope',
    '.exit',
    'unread',
  ];
  const { stdout, code } = await elsewhere(['repl', agent.url], { input: lines.join('\n') });
  assert.equal(code, 0);
  const shown = stdout.split('\n');
  assert.deepEqual(shown.slice(0, 7), [
    '5',
    '6',
    "'a'",
    shown[3],
    '8',
    'printed there',
    String(agent.process.pid),
  ]);
  assert.match(shown[3] ?? '', /^\[Remote Function double #\d+ via ws:/);
  assert.match(stdout, /Uncaught ReferenceError: nope is not defined/);
  assert.doesNotMatch(stdout, /unread/);
});

test('cp: there and back', async () => {
  const file = join(agent.folder, 'here');
  writeFileSync(file, 'text');
  const up = await elsewhere(['cp', '--on', agent.url, file, ':there']);
  assert.deepEqual([up.code, up.stderr], [0, '1 file, 4 bytes\n']);
  assert.equal(readFileSync(join(agent.folder, 'there'), 'utf8'), 'text');
  const down = await elsewhere(['cp', '--on', agent.url, ':there', `${file}-again`]);
  assert.equal(down.code, 0, down.stderr);
  assert.equal(readFileSync(`${file}-again`, 'utf8'), 'text');
  assert.equal((await elsewhere(['cp', '--on', agent.url, 'a', 'b'])).code, 2);
});

const size = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

for (const way of ['up', 'down'] as const)
  test(`cp --resume: 64 MB ${way}, killed in the middle, go on where they were`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'elsewhere-cp-'));
    const [here, there] = [join(folder, 'large'), join(agent.folder, `large-${way}`)];
    const bytes = randomBytes(64 << 20);
    const [source, target] = way === 'up' ? [here, there] : [there, here];
    writeFileSync(source, bytes);
    const paths = way === 'up' ? [here, `:${there}`] : [`:${there}`, here];
    const line = ['cp', '--resume', '--on', agent.url, ...paths];
    const cut = await elsewhere(line, {
      onStart: (child) => {
        const look = setInterval(() => {
          if (size(`${target}.part`) > 4 << 20) child.kill('SIGKILL');
        }, 1);
        child.once('exit', () => clearInterval(look));
      },
    });
    assert.equal(cut.signal, 'SIGKILL');
    assert.equal(size(target), 0);
    const again = await elsewhere(line);
    assert.equal(again.code, 0, again.stderr);
    const kept = Number(/of which (\d+) were there already/.exec(again.stderr)?.[1]);
    assert.ok(kept >= 4 << 20 && kept < 64 << 20, again.stderr);
    assert.ok(readFileSync(target).equals(bytes));
    assert.equal(size(`${target}.part`), 0);
    rmSync(folder, { recursive: true });
    rmSync(there);
  });

test('--tls-psk: TLS by the token alone, for every command and the program of run', async () => {
  const secured = await startAgent({ listen: 'wss://127.0.0.1:0', args: ['--tls-psk'] });
  try {
    assert.match(secured.url, /^wss:/);
    const { url, folder } = secured;
    const pid = `${secured.process.pid}\n`;
    assert.equal((await elsewhere(['exec', '--tls-psk', url, 'process.pid'])).stdout, pid);
    const program = ['node', '-p', "require('fs').readFileSync('text', 'utf8')"];
    writeFileSync(join(folder, 'text'), 'of the far side');
    const ran = await elsewhere(['run', '--tls-psk', '--on', url, '--', ...program]);
    assert.deepEqual([ran.code, ran.stdout], [0, 'of the far side\n'], ran.stderr);
    const env = { ELSEWHERE_TLS_PSK: '1' };
    assert.match((await elsewhere(['doctor', url], { env })).stdout, /TLS by the token/);
    // Without it there is no certificate to believe; with another token no key that both have.
    assert.equal((await elsewhere(['exec', url, '1'])).code, 69);
    const other = url.replace(/#.*/, '#another-token-than-that');
    const wrong = await elsewhere(['exec', '--tls-psk', other, '1']);
    assert.match(wrong.stderr, /both sides must know the same token/);
    assert.equal(wrong.code, 69);
  } finally {
    await secured.stop();
  }
  const both = [
    'serve',
    '--tls-psk',
    '--tls-cert',
    'x',
    '--tls-key',
    'y',
    '--listen',
    'wss://127.0.0.1:0',
  ];
  assert.equal((await elsewhere(both)).code, 2);
});

test.run();
