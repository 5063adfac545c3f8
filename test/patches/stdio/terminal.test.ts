/** The far side's standard streams are a terminal: a pseudo-terminal that the program `script` makes around the agent. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { type Connection, connect, withLocal, withRemote } from '../../../src/index.ts';
import { cliFile } from '../../kit/agent.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/stdio/terminal', { limit: 20_000 });
const folder = mkdtempSync(join(tmpdir(), 'elsewhere-tty-'));
const ESCAPE = '\u001b\\[';
let terminal: ChildProcess;
let conn: Connection;
let screen = '';

test.before(async ({ skip }) => {
  if (spawnSync('script', ['--version']).status !== 0) skip('the program script is not there');
  const token = join(folder, 'token');
  const serve = `stty cols 100 rows 30; exec ${process.execPath} ${cliFile} serve --listen unix:${folder}/s --token-file ${token}`;
  terminal = spawn('script', ['-qfec', serve, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TERM: 'xterm-256color', SHELL: '/bin/sh' },
  });
  terminal.stdout?.setEncoding('utf8').on('data', (text: string) => (screen += text));
  await shows(/unix:.*s\/?\r\n/);
  conn = await connect(`unix:${folder}/s`, { token: readFileSync(token, 'utf8').trim() });
});
test.after(async () => {
  await conn?.close();
  if (terminal !== undefined) {
    const ended = once(terminal, 'exit');
    terminal.kill();
    await ended;
  }
  rmSync(folder, { recursive: true });
});

async function shows(pattern: RegExp): Promise<void> {
  const end = Date.now() + 8000;
  while (!pattern.test(screen)) {
    if (Date.now() > end) assert.match(screen, pattern);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('isTTY, size, colours, cursor', async () => {
  await withRemote(conn, async () => {
    const { stdout, stdin } = process;
    assert.deepEqual([stdout.isTTY, stdin.isTTY, stdin.isRaw], [true, true, false]);
    assert.deepEqual([stdout.columns, stdout.rows], [100, 30]);
    assert.deepEqual(stdout.getWindowSize(), [100, 30]);
    assert.equal(stdout.getColorDepth({ TERM: 'xterm-256color' }), 8);
    assert.equal(stdout.hasColors(256, { TERM: 'xterm-256color' }), true);
    stdout.cursorTo(4, 2);
    stdout.clearLine(0);
    await shows(new RegExp(`${ESCAPE}3;5H${ESCAPE}2K`));
  });
});

test('resize', async () => {
  await withRemote(conn, async () => {
    void process.stdout.columns;
    const resized = once(process.stdout, 'resize');
    const tty = String(await conn.eval('fs.readlinkSync("/proc/self/fd/1")'));
    assert.match(tty, /^\/dev\/pts\//);
    withLocal(() => spawnSync('stty', ['-F', tty, 'cols', '120']));
    await resized;
    assert.deepEqual([process.stdout.columns, process.stdout.rows], [120, 30]);
  });
});

test('a question, and raw mode', async () => {
  await withRemote(conn, async () => {
    const { stdin, stdout } = process;
    const lines = createInterface({ input: stdin, output: stdout });
    const answer = lines.question('name? ');
    await shows(/name\? /);
    assert.equal(stdin.isRaw, true, 'readline edits the line itself');
    assert.equal(await conn.eval('process.stdin.isRaw'), true);
    terminal.stdin?.write('Adaa\u007f\r');
    assert.equal(await answer, 'Ada');
    lines.close();
    assert.equal(await conn.eval('process.stdin.isRaw'), false);
  });
});

test.run();
