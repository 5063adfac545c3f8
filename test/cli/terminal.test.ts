// `elsewhere repl` at a real terminal: a pseudo-terminal that the program `script` makes.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { cliFile, startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('cli/terminal', { limit: 60_000, fileLimit: 120_000 });
const home = mkdtempSync(join(tmpdir(), 'elsewhere-repl-'));
let agent: TestAgent;

test.before(async ({ skip }) => {
  if (spawnSync('script', ['--version']).status !== 0) skip('the program script is not there');
  agent = await startAgent();
});
test.after(async () => {
  await agent?.stop();
  rmSync(home, { recursive: true });
});

/** Somebody at the keyboard. */
class Terminal {
  readonly #process: ChildProcess;
  #shown = '';

  constructor(url: string = agent.url) {
    this.#process = spawn('script', ['-qfec', `${process.execPath} ${cliFile} repl`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...process.env,
        TERM: 'xterm',
        SHELL: '/bin/sh',
        HOME: home,
        ELSEWHERE_URL: url,
      },
    });
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#shown += text));
  }

  get shown(): string {
    return stripVTControlCharacters(this.#shown);
  }

  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  type(keys: string): void {
    this.#process.stdin?.write(keys);
  }

  /** Waits for it; what was shown up to there is not looked at again. */
  async shows(pattern: RegExp): Promise<string> {
    for (;;) {
      const text = stripVTControlCharacters(this.#shown);
      const found = pattern.exec(text);
      if (found !== null) {
        this.#shown = '';
        return text;
      }
      if (this.#process.exitCode !== null) assert.match(text, pattern);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** A line, what it gives, and the next prompt. */
  async line(text: string, pattern: RegExp): Promise<string> {
    this.type(`${text}\r`);
    return this.shows(new RegExp(`${pattern.source}[\\s\\S]*> $`));
  }

  async end(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.type('\u0004');
    await ended;
  }
}

test('names, lines that go on, await, errors, completion, Ctrl-C, history', async () => {
  const terminal = new Terminal();
  await terminal.shows(/> $/);
  await terminal.line('const x = 5', /\r\n5\r\n/);
  await terminal.line('const { a, b: [c] } = { a: 1, b: [2] }', /\r\n\{ a: 1/);
  await terminal.line('[x, a, c]', /\[ 5, 1, 2 \]/);
  await terminal.line('const y = await Promise.resolve(x + 1)', /\r\n6\r\n/);
  await terminal.line('process.pid', new RegExp(`\\r\\n${agent.process.pid}\\r\\n`));
  for (const begun of ['function twice(n) {', 'return n * 2']) {
    terminal.type(`${begun}\r`);
    await terminal.shows(/[.|] $/);
  }
  await terminal.line('}', /Remote Function twice/);
  await terminal.line('twice(y)', /\r\n12\r\n/);
  await terminal.line("console.log('from there')", /\r\nfrom there\r\n/);
  // Both stacks: where it was thrown over there, and through which agent.
  const thrown = await terminal.line(
    '(function deep() { throw new RangeError("too far") })()',
    /at deep /,
  );
  assert.match(thrown, /Uncaught:?\s+RangeError: too far/);
  // Names of the far side's objects, whatever they were made by.
  await terminal.line('const far = { alphabet: 1, alphanumeric: 2 }', /alphanumeric: 2/);
  terminal.type('far.al\t');
  await terminal.shows(/far\.alpha$/);
  terminal.type('n\t');
  await terminal.shows(/umeric/);
  await terminal.line('', /\r\n2\r\n/);
  terminal.type('os.hostn\t');
  await terminal.shows(/os\.hostname$/);
  await terminal.line('', /Remote Function/);
  terminal.type('twi\t');
  await terminal.shows(/twice$/);
  await terminal.line('(4)', /\r\n8\r\n/);
  // What is under way is given up, and told so; the next line finds everything as it was.
  terminal.type(
    'await new Promise((_, no) => signal.addEventListener("abort", () => { namespace.told = "told"; no() }))\r',
  );
  terminal.type('x + 100\r');
  await terminal.shows(/x \+ 100/);
  terminal.type('\u0003');
  await terminal.shows(/interrupted[\s\S]*105\r\n[\s\S]*> $/);
  await terminal.line('told', /'told'/);
  // Without anything under way it clears the line, as Node's prompt does.
  terminal.type('nonsense(');
  await terminal.shows(/nonsense\($/);
  terminal.type('\u0003');
  await terminal.shows(/> $/);
  await terminal.line('1 + 1', /\r\n2\r\n/);
  await terminal.end();
  assert.match(readFileSync(join(home, '.elsewhere_history'), 'utf8'), /^1 \+ 1\n/);
  const again = new Terminal();
  await again.shows(/> $/);
  again.type('\u001b[A\u001b[A');
  await again.shows(/told/);
  await again.line('', /'told'|ReferenceError/);
  await again.end();
});

/** An agent whose connections wait until they are let through. */
async function slowAgent(): Promise<{ url: string; dialled: Promise<unknown>; open(): void }> {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const url = new URL(agent.url);
  const port = Number(url.port);
  const server = net.createServer((near) => {
    near.pause();
    void opened.then(() => {
      const far = net.connect(port, '127.0.0.1');
      near.pipe(far).pipe(near);
      for (const socket of [near, far]) socket.on('error', () => undefined);
    });
  });
  await once(server.listen(0, '127.0.0.1').unref(), 'listening');
  url.port = String((server.address() as AddressInfo).port);
  return { url: url.href, dialled: once(server, 'connection'), open };
}

test('keys that are typed before there is a prompt are shown once, behind it', async () => {
  const { url, dialled, open } = await slowAgent();
  const terminal = new Terminal(url);
  await dialled;
  terminal.type('20 + 1\r');
  terminal.type('20 + 2');
  // Long enough for the terminal to show them, if it did.
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(terminal.shown, '');
  open();
  const shown = await terminal.shows(/21\r\n[^\r]*> 20 \+ 2$/);
  assert.match(shown, /^[^\r]*> (?:\r\n.*history.*\r\n[^\r]*> )?20 \+ 1\r+\n/);
  await terminal.line('', /\r\n22\r\n/);
  await terminal.end();
});

test('Ctrl-C ends it while it connects, and leaves the terminal as it was', async () => {
  const { url, dialled } = await slowAgent();
  const terminal = new Terminal(url);
  await dialled;
  terminal.type('1\u0003');
  while (terminal.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(terminal.exitCode, 130);
});

test('cp shows how far it is, where somebody watches', () => {
  const file = join(home, 'five.bin');
  writeFileSync(file, Buffer.alloc(5_000_000, 'x'));
  const command = `${process.execPath} ${cliFile} cp --on '${agent.url}' ${file} :five.bin`;
  const { stdout, status } = spawnSync('script', ['-qfec', command, '/dev/null'], {
    env: { ...process.env, TERM: 'xterm', SHELL: '/bin/sh' },
  });
  assert.equal(status, 0);
  assert.match(stdout.toString(), /\r\[#{24}\] 100 % {2}5\.0 of 5\.0 MB/);
  assert.equal(statSync(join(agent.folder, 'five.bin')).size, 5_000_000);
});

test.run();
