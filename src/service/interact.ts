/** A prompt here whose lines run on the far side. */
import { createInterface } from 'node:readline';
import type { REPLServer, Recoverable as Unfinished } from 'node:repl';
import { inspect } from 'node:util';
import { Script } from 'node:vm';
import { originals } from '../base/originals.ts';
import type { Connection } from './connection.ts';
import { redirectStdio } from './redirect-stdio.ts';

/** Not imported: on most Nodes it brings in `domain`, which changes every emitter of the process. */
const repl = (): typeof import('node:repl') => process.getBuiltinModule('node:repl');

export interface InteractOptions {
  /** Default: this process's own standard streams. */
  readonly input?: NodeJS.ReadableStream;
  readonly output?: NodeJS.WritableStream;
  /** Default: the far side's host name and `> `. */
  readonly prompt?: string;
  /** Keeps lines from one time to the next. Default: none. */
  readonly historyFile?: string;
}

/**
 * Reads lines and shows what they give on the far side, until `.exit` or the end of input. Lines may span several, use
 * `await`, and complete with Tab; declared names stay. What the code prints shows here. Classic mode.
 */
export async function interact(conn: Connection, options: InteractOptions = {}): Promise<void> {
  const { stdin, stdout } = originals.process;
  const { input = stdin, output = stdout } = options;
  const full = { ...options, input, output };
  await ((input as { isTTY?: boolean }).isTTY === true ? converse(conn, full) : follow(conn, full));
}

type Streams = InteractOptions & {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
};

/** With somebody at the keyboard. */
async function converse(conn: Connection, options: Streams): Promise<void> {
  const { input, output, historyFile } = options;
  // Lines that are typed while one is carried out wait for it.
  let last: Promise<void> = Promise.resolve();
  let underWay: AbortController | undefined;
  const server = repl().start({
    prompt: options.prompt ?? `${conn.peer.hostname}> `,
    input,
    output,
    ignoreUndefined: true,
    writer: (value) => inspect(value, { colors: true }),
    completer: (line: string, done: Completed) =>
      void complete(conn, line).then((found) => done(null, found)),
    eval: (source, _context, _file, done) => {
      const form = formOf(source);
      if (form instanceof repl().Recoverable) return done(form, undefined);
      last = last.then(async () => {
        underWay = new AbortController();
        try {
          done(null, await interruptible(conn, form, output, underWay.signal));
        } catch (error) {
          done(error as Error, undefined);
        }
        underWay = undefined;
      });
    },
  });
  interrupts(server, () => underWay);
  if (historyFile !== undefined) await loadHistory(server, historyFile);
  await new Promise<void>((resolve) => {
    server.once('exit', resolve);
    void conn.closed.then(() => server.close());
  });
}

/** Ctrl-C gives up what is under way; without any it does what it does in Node's own prompt. */
function interrupts(server: REPLServer, underWay: () => AbortController | undefined): void {
  const own = server.listeners('SIGINT');
  server.removeAllListeners('SIGINT').on('SIGINT', () => {
    const current = underWay();
    if (current === undefined) for (const listener of own) listener.call(server);
    else current.abort(new Error('interrupted: the far side was told to stop'));
  });
}

/** The far side may be too busy to hear of it: the prompt comes back all the same. */
async function interruptible(
  conn: Connection,
  form: Form,
  output: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<unknown> {
  const given = evaluate(conn, form, output, signal);
  given.catch(() => undefined);
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
  return Promise.race([given, aborted]);
}

/** With lines from a file or another program: each is done before the next is looked at. */
async function follow(conn: Connection, { input, output }: Streams): Promise<void> {
  let begun = '';
  for await (const line of createInterface({ input })) {
    if (line.trim() === '.exit') break;
    begun += `${line}\n`;
    const form = formOf(begun);
    if (form instanceof repl().Recoverable) continue;
    begun = '';
    try {
      const value = await evaluate(conn, form, output);
      if (value !== undefined) output.write(`${inspect(value)}\n`);
    } catch (error) {
      output.write(`Uncaught ${inspect(error)}\n`);
    }
  }
}

type Completed = (error: null, found: [string[], string]) => void;

interface Form {
  readonly kind: 'expression' | 'statements';
  readonly source: string;
}

function evaluate(
  conn: Connection,
  { kind, source }: Form,
  output: NodeJS.WritableStream,
  signal?: AbortSignal,
): Promise<unknown> {
  const limits = signal === undefined ? {} : { signal };
  const work = (): Promise<unknown> =>
    kind === 'expression' ? conn.eval(source, limits) : conn.execute(source, limits);
  return redirectStdio(conn, work, { stdout: output, stderr: output });
}

/** What can be an expression is one; what could go on on the next line waits for it. */
function formOf(source: string): Form | Unfinished {
  const trimmed = source.trim().replace(/;$/, '');
  if (trimmed === '') return { kind: 'statements', source: '' };
  const kept = keepNames(trimmed);
  if (failure(`(async () => (${kept}\n))`) === undefined)
    return { kind: 'expression', source: kept };
  const wrong = failure(`(async () => { ${kept}\n})`);
  // Anything else is for the far side to refuse, with its own words.
  if (wrong !== undefined && isUnfinished(wrong)) return new (repl().Recoverable)(wrong);
  return { kind: 'statements', source: kept };
}

/** Declarations at the start of a line stay for the lines after it. */
function keepNames(source: string): string {
  return source
    .replace(/^(?:const|let|var)\s+([\w$]+)\s*=(?!=)/, 'namespace.$1 =')
    .replace(/^(?:const|let|var)\s+([{[][^=]*[}\]])\s*=(?!=)/, keepPattern)
    .replace(/^(async\s+function\*?|function\*?|class)\s+([\w$]+)/, 'namespace.$2 = $1 $2');
}

/** `{ a, b: c } =`: a and c are there before they are assigned to, so that they are not made globals. */
function keepPattern(_declaration: string, pattern: string): string {
  const names = [...pattern.matchAll(/[\w$]+(?=\s*[,}\]])/g)].map(
    ([name]) => `namespace.${name} = `,
  );
  return `${names.join('')}undefined, ${pattern} =`;
}

function failure(source: string): SyntaxError | undefined {
  try {
    new Script(source);
    return undefined;
  } catch (error) {
    return error as SyntaxError;
  }
}

function isUnfinished({ message }: SyntaxError): boolean {
  return /Unexpected end of input|Unterminated template|missing \) after argument list|Unexpected token '\)'|Unexpected token '}'/.test(
    message,
  );
}

async function complete(conn: Connection, line: string): Promise<[string[], string]> {
  const match = /(?:([\w$]+(?:\.[\w$]+)*)\.)?([\w$]*)$/.exec(line);
  const base = match?.[1];
  const begun = match?.[2] ?? '';
  // Only names and dots: nothing is called.
  const owners = base ?? 'namespace, globalThis';
  const names = await conn.eval<string[]>(`(${namesOf})(${owners})`).catch(() => [] as string[]);
  const prefix = base === undefined ? '' : `${base}.`;
  const found = names
    .filter((name) => name.startsWith(begun) && /^[\w$]+$/.test(name))
    .map((name) => prefix + name);
  return [found.sort(), prefix + begun];
}

/** Sent as source. */
const namesOf =
  '(...owners) => { const names = new Set(); for (const o of owners) for (let p = Object(o); p !== null && p !== Object.prototype; p = Object.getPrototypeOf(p)) for (const name of Object.getOwnPropertyNames(p)) names.add(name); return [...names]; }';

function loadHistory(server: REPLServer, file: string): Promise<void> {
  return new Promise((resolve) => server.setupHistory(file, () => resolve()));
}
