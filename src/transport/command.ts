/** Agents that are started for one connection: on the standard streams of a command, or of `ssh`. */
import type { ChildProcess } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { ElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';
import { formatUrl } from './endpoint.ts';
import { Mux } from './mux.ts';
import type { CommandEndpoint, SshEndpoint, Transport } from './transport.ts';

/** Milliseconds for a child to end after its input has. */
const END_FUSE = 2000;
const LAST_WORDS = 4096;

export class StartedAgent {
  readonly #url: string;
  readonly #child: ChildProcess;
  readonly #mux: Mux;
  #lastWords = '';

  constructor(endpoint: CommandEndpoint | SshEndpoint, agentFile: URL) {
    this.#url = formatUrl(endpoint, undefined);
    const source = endpoint.scheme === 'ssh' ? agentSource(agentFile) : undefined;
    this.#child =
      endpoint.scheme === 'exec'
        ? startCommand(endpoint.command)
        : startSsh(endpoint, source?.length ?? 0);
    const { stdin, stdout, stderr } = this.#child as Required<ChildProcess>;
    if (stdin === null || stdout === null) throw new Error('no pipes');
    stderr?.on('data', (text: Buffer) => {
      this.#lastWords = (this.#lastWords + text.toString().replaceAll('\r', '')).slice(-LAST_WORDS);
    });
    this.#mux = new Mux({ input: stdout, output: stdin, description: this.#url });
    if (source !== undefined) stdin.write(source);
    this.#child.once('error', (error) => this.#end(error.message));
    this.#child.once('close', (code, signal) =>
      this.#end(signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`),
    );
  }

  open(): Transport {
    return this.#mux.open();
  }

  #end(what: string): void {
    const { preamble } = this.#mux;
    const last = lastLine(this.#lastWords) ?? lastLine(preamble ?? '');
    const why = last === undefined ? what : `${what}: ${last}`;
    const failure =
      preamble === undefined
        ? new ElsewhereError('ERR_ELSEWHERE_CONNECTION_LOST', `${this.#url}: ${why}`)
        : new ElsewhereError(
            'ERR_ELSEWHERE_CONNECT',
            `no agent was started by ${this.#url}: ${why}`,
          );
    this.#mux.end(failure);
  }

  /** The child ends with its input; one that does not is ended. */
  close(): void {
    this.#mux.close();
    const child = this.#child;
    const timer = setTimeout(() => child.kill('SIGKILL'), END_FUSE);
    child.once('exit', () => clearTimeout(timer));
  }
}

function startCommand(command: string): ChildProcess {
  return originals.childProcess.spawn(command, { shell: true, stdio: ['pipe', 'pipe', 'pipe'] });
}

/**
 * Reads the agent behind its length, all of it in memory, and runs it as `node agent.cjs --stdio`. Standard output is kept
 * for the links under another number, so that what the agent's guests print cannot disturb them.
 */
const BOOTSTRAP = [
  'const g=process.getBuiltinModule;if(!g){console.error("Node "+process.version+" is too old: 20.19 is the least");process.exit(1)}',
  'const f=g("fs"),[n,d]=process.argv.slice(1);',
  'const b=Buffer.alloc(+n);',
  'for(let o=0;o<b.length;)try{const r=f.readSync(4,b,o,b.length-o,null);if(!r)process.exit(1);o+=r}catch(e){if(e.code!="EAGAIN")throw e}',
  'if(d!="")try{process.chdir(decodeURIComponent(d))}catch(e){console.error(e.message);process.exit(1)}',
  'process.argv=[process.argv[0],"agent","--stdio"];process.env.ELSEWHERE_STDIO="4,3";',
  'const m=new module.constructor("agent");m.paths=[];m.filename="/agent.cjs";',
  'm._compile(g("zlib").gunzipSync(b).toString(),"/agent.cjs")',
].join('');

function startSsh({ host, user, port, cwd, ssh = {} }: SshEndpoint, length: number): ChildProcess {
  const node = ssh.node ?? 'node';
  const words = ['-e', BOOTSTRAP, '--', String(length), encodeURIComponent(cwd ?? '')];
  const command = `exec ${[node, ...words].map(quoted).join(' ')} 4<&0 3>&1 1>&2 0</dev/null`;
  return originals.childProcess.spawn(
    'ssh',
    [
      '-T',
      ...(port === undefined ? [] : ['-p', String(port)]),
      ...(user === undefined ? [] : ['-l', user]),
      ...(ssh.args ?? []),
      '--',
      host,
      command,
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
}

let packedAgent: Buffer | undefined;

function agentSource(file: URL): Buffer {
  packedAgent ??= gzipSync(originals.fs.readFileSync(file));
  return packedAgent;
}

/** For a POSIX shell. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function lastLine(text: string): string | undefined {
  return (
    text
      .replace(/[^\x20-\x7e\n]/g, '?')
      .trim()
      .split('\n')
      .at(-1)
      ?.trim()
      .slice(0, 300) || undefined
  );
}
