// A program under `elsewhere run` at a real terminal, which the program `script` makes: here, or around the agent.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cliFile, startAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('cli/run-terminal', { limit: 60_000, fileLimit: 120_000 });
const folder = mkdtempSync(join(tmpdir(), 'elsewhere-run-tty-'));
const program = join(folder, 'app.cjs');

test.before(({ skip }) => {
  if (spawnSync('script', ['--version']).status !== 0) skip('the program script is not there');
  writeFileSync(program, PROGRAM);
});
test.after(() => rmSync(folder, { recursive: true }));

const PROGRAM = `
const { createInterface, emitKeypressEvents } = require('node:readline');
const { stdin, stdout } = process;
const lines = createInterface({ input: stdin, output: stdout });
const said = (...words) => console.log('[' + words.join(' ') + ']');
said(stdin.isTTY, stdout.isTTY, process.stderr.isTTY, stdout.columns, stdout.rows);
stdout.once('resize', () => {
  said('now', stdout.columns, stdout.rows);
  lines.question('name? ', (name) => {
    said('hello', name);
    lines.close();
    emitKeypressEvents(stdin);
    stdin.setRawMode(true);
    stdin.resume();
    said('raw', stdin.isRaw);
    stdin.once('keypress', (text, key) => {
      said('key', key.ctrl, key.name);
      stdin.setRawMode(false);
      said('cooked', stdin.isRaw);
      process.exit(3);
    });
  });
});
`;

/** A terminal with a command in it. */
class Terminal {
  readonly process: ChildProcess;
  shown = '';

  constructor(command: string, env: NodeJS.ProcessEnv = process.env) {
    this.process = spawn(
      'script',
      ['-qfec', `tty; stty cols 90 rows 25; exec ${command}`, '/dev/null'],
      { stdio: ['pipe', 'pipe', 'inherit'], env: { ...env, TERM: 'xterm', SHELL: '/bin/sh' } },
    );
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.shown += text));
  }

  async shows(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.shown)) {
      if (this.process.exitCode !== null) assert.match(this.shown, pattern);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** In one step: `stty` sets columns and rows one after the other. */
  widen(columns: number): void {
    const [tty = ''] = /\/dev\/\S+/.exec(this.shown) ?? [];
    assert.equal(spawnSync('stty', ['-F', tty, 'cols', `${columns}`]).status, 0, tty);
  }

  /** Somebody uses the program. */
  async use(): Promise<void> {
    await this.shows(/\[true true true 90 25\]/);
    this.widen(111);
    await this.shows(/\[now 111 25\][\s\S]*name\? /);
    // The line is edited here: a letter too many is taken back.
    this.process.stdin?.write('Adaa\u007f\r');
    await this.shows(/\[hello Ada\][\s\S]*\[raw true\]/);
    // In raw mode it is a key like another, and no signal.
    this.process.stdin?.write('\u0003');
    await this.shows(/\[key true c\][\s\S]*\[cooked false\]/);
  }
}

test('its own terminal, where standard streams are local', async () => {
  const agent = await startAgent();
  const terminal = new Terminal(
    `${process.execPath} ${cliFile} run --on '${agent.url}' -- ${process.execPath} ${program}`,
  );
  try {
    const ended = once(terminal.process, 'exit');
    await terminal.use();
    assert.deepEqual(await ended, [3, null]);
  } finally {
    terminal.process.kill();
    await agent.stop();
  }
});

test('the agent’s, where they are remote; this side has none', async () => {
  const token = join(folder, 'token');
  const terminal = new Terminal(
    `${process.execPath} ${cliFile} serve --listen unix:${folder}/s --token-file ${token}`,
  );
  try {
    await terminal.shows(/unix:.*s\/?\r\n/);
    const args = ['run', '--on', `unix:${folder}/s`, '--stdio', 'remote', '--local', folder];
    const child = spawn(process.execPath, [cliFile, ...args, '--', process.execPath, program], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ELSEWHERE_TOKEN: readFileSync(token, 'utf8').trim() },
    });
    let here = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (here += text));
    const ended = once(child, 'exit');
    await terminal.use();
    assert.deepEqual(await ended, [3, null]);
    assert.equal(here, '');
  } finally {
    terminal.process.kill();
    await once(terminal.process, 'exit');
  }
});

test.run();
