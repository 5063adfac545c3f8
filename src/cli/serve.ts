/** `elsewhere serve`: an agent on this machine. */
import { setLog } from '../base/log.ts';
import { originals } from '../base/originals.ts';
import { packageVersion } from '../base/version.ts';
import { register } from '../registry/client.ts';
import { knownPatches } from '../scope/installer.ts';
import { type ServeOptions, type Server, serveWith } from '../service/serve.ts';
import type { PipePair } from '../transport/pipe.ts';
import { type OptionTable, optional, type ParsedLine, parseLine, strings } from './args.ts';
import type { Command } from './command.ts';
import { tlsOf, tokenFrom } from './serve-files.ts';
import { inheritedPipes, serveBehindStdio } from './stdio.ts';
import { UsageError } from './usage.ts';

const OPTIONS: OptionTable = {
  listen: { type: 'string' },
  relay: { type: 'string' },
  name: { type: 'string' },
  'token-file': { type: 'string' },
  users: { type: 'string' },
  'max-connections': { type: 'string' },
  classic: { type: 'boolean' },
  'no-classic': { type: 'boolean' },
  read: { type: 'string', multiple: true },
  write: { type: 'string', multiple: true },
  connect: { type: 'string', multiple: true },
  'listen-allow': { type: 'string', multiple: true },
  spawn: { type: 'string', multiple: true },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  'tls-ca': { type: 'string' },
  'tls-psk': { type: 'boolean' },
  insecure: { type: 'boolean' },
  stdio: { type: 'boolean' },
  once: { type: 'boolean' },
  register: { type: 'string' },
  registry: { type: 'string' },
  isolate: { type: 'boolean' },
  grace: { type: 'string' },
  trace: { type: 'boolean' },
  audit: { type: 'string' },
  json: { type: 'boolean' },
};

/** Milliseconds for calls under way when the agent is told to stop. */
const DRAIN = 4000;

const HELP = `elsewhere serve: lets authenticated clients use this machine's files, sockets and stdio

  elsewhere serve [--listen URL | --stdio | --relay URL --name NAME] [--token-file FILE] [--no-classic] [--read DIR]... [--grace SECONDS] [--once] [--isolate]
                  [--trace] [--audit FILE] [--json] [--tls-cert FILE --tls-key FILE [--tls-ca FILE] | --tls-psk] [--insecure]

  --listen URL       ws://127.0.0.1:PORT (default, any free port), tcp://127.0.0.1:PORT or unix:/PATH;
                     wss://HOST:PORT and tls://HOST:PORT with a certificate, also beyond this machine
  --relay URL        listen nowhere, but dial this \`elsewhere relay\`, again and again; clients reach this agent there by
  --name NAME        its name (default: the host's)
  --token-file FILE  the token; made with a random one if it does not exist. Must be yours alone (mode 600).
                     Without it a random token is made and printed as part of the URL.
  --users FILE       also lets in the users of this file, made by \`elsewhere user add\`: ws://NAME@HOST:PORT/#PASSWORD
  --max-connections N   more clients at once are refused
  --no-classic       clients may not run code here (eval, execute, run)
  --read DIR         with any of these five clients may do only what they list (each is repeatable), and run no
  --write DIR        code here unless --classic says so: files below DIR (symbolic links count as what they lead
  --connect PLACE    to), places to connect to or listen on (db.corp:5432, *.corp:443, 10.0.0.0/8:5432,
  --listen-allow PLACE   *:8000-8999, unix:/run/x.sock), programs to start. --write includes --read.
  --spawn PROGRAM
  --grace SECONDS    how long a client that was cut off may come back and find everything as it was (default 60)
  --tls-cert FILE    PEM of the certificate for wss: and tls:, with its chain; --tls-key FILE: its key
  --tls-ca FILE      clients must show a certificate that this authority has signed
  --tls-psk          no certificate: TLS by the token alone, for clients with --tls-psk
  --insecure         allow ws: and tcp: beyond this machine: anyone on the way can read and change everything
  --stdio            links come over standard input and output, for exec: URLs; what it runs prints to standard error
  --isolate          each client has a process of its own: one that breaks down or blocks harms nobody else
  --once             end after the first client has gone; not for \`elsewhere run\`, which comes once to check its
                     options and again with the program
  --register NAME    clients find this agent as elsewhere:NAME, by the registry of --registry URL (ELSEWHERE_REGISTRY)
  --trace            one line on stderr for each operation of a client, as strace does
  --audit FILE       append each operation to FILE (made with mode 600) as a line of JSON: who, from where, what, its error
  --json             print one JSON line instead of the bare URL

The URL is printed to stdout, everything else to stderr. SIGINT and SIGTERM end it
gracefully: calls under way have 4 s to finish, new ones are refused as not carried out. A second signal does not wait.`;

export const serveCommand: Command = {
  name: 'serve',
  summary: "let clients use this machine's files, sockets and stdio",
  help: HELP,
  async run(argv) {
    const { values, positionals } = parseLine(argv, OPTIONS);
    if (positionals.length > 0)
      throw new UsageError(`serve takes no ${JSON.stringify(positionals[0])}`);
    setLog((line) => originals.process.stderr.write(`elsewhere: ${line}\n`));
    const file = optional(values['token-file']);
    const pipes = values['stdio'] === true ? inheritedPipes() : undefined;
    if (values['stdio'] === true && pipes === undefined) return serveBehindStdio();
    const listen = pipes ?? optional(values['listen']);
    const server = await serveWith(knownPatches(), {
      ...(listen === undefined ? {} : { listen }),
      ...relayOf(values),
      ...(file === undefined ? {} : { token: tokenFrom(file) }),
      ...permissions(values),
      ...admission(values),
      ...records(values),
      insecure: values['insecure'] === true,
      ...tlsOf(values),
      ...graceOf(optional(values['grace'])),
    });
    await registered(server, values);
    // Before the URL is known to anybody: who reads it may already send a signal.
    const ended = untilEnd(server, pipes);
    if (pipes !== undefined) return ended;
    announce(server, values['json'] === true, file);
    return ended;
  },
};

async function registered(server: Server, values: ParsedLine['values']): Promise<void> {
  const [name, registry] = [optional(values['register']), optional(values['registry'])];
  if (name === undefined && registry !== undefined)
    throw new UsageError('--registry is for --register NAME');
  if (name === undefined) return;
  try {
    await register(server, { name, ...(registry === undefined ? {} : { registry }) });
  } catch (error) {
    await server.close();
    throw error;
  }
}

function records(values: ParsedLine['values']): Pick<ServeOptions, 'trace' | 'audit'> {
  const audit = optional(values['audit']);
  return { trace: values['trace'] === true, ...(audit === undefined ? {} : { audit }) };
}

/** Who else may come in, and how many. */
function admission(
  values: ParsedLine['values'],
): Pick<ServeOptions, 'auth' | 'maxConnections' | 'once' | 'isolate'> {
  const [users, many] = [optional(values['users']), optional(values['max-connections'])];
  const maxConnections = Number(many);
  if (many !== undefined && !(Number.isInteger(maxConnections) && maxConnections > 0))
    throw new UsageError(
      `--max-connections needs a whole number from 1, not ${JSON.stringify(many)}`,
    );
  return {
    ...(users === undefined ? {} : { auth: { users } }),
    ...(many === undefined ? {} : { maxConnections }),
    once: values['once'] === true,
    ...(values['isolate'] === true ? { isolate: 'process' } : {}),
  };
}

/** Any rule makes a policy; without one all is allowed. */
function permissions(values: ParsedLine['values']): Pick<ServeOptions, 'classic' | 'policy'> {
  const rules = ['read', 'write', 'connect', 'listen-allow', 'spawn'] as const;
  const classic = values['no-classic'] === true ? false : (values['classic'] ?? undefined);
  const said = typeof classic === 'boolean' ? { classic } : {};
  if (!rules.some((name) => values[name] !== undefined)) return said;
  const [read, write, connect, listen, spawn] = rules.map((name) => strings(values[name]));
  const directories = (list: string[] = []): string[] =>
    list.map((path) => originals.fs.realpathSync(path));
  return {
    ...said,
    policy: {
      fs: { read: directories(read), write: directories(write) },
      net: { connect: connect ?? [], listen: listen ?? [] },
      spawn: spawn ?? [],
    },
  };
}

function relayOf(values: ParsedLine['values']): Pick<ServeOptions, 'relay'> {
  const [url, name] = [optional(values['relay']), optional(values['name'])];
  if (url === undefined && name === undefined) return {};
  if (url === undefined) throw new UsageError('--name is for --relay URL');
  if (values['listen'] !== undefined || values['stdio'] === true)
    throw new UsageError('--relay takes the place of --listen and --stdio');
  return { relay: { url, name: name ?? originals.os.hostname() } };
}

function graceOf(seconds: string | undefined): { grace?: number } {
  if (seconds === undefined) return {};
  const grace = Number(seconds) * 1000;
  if (seconds.trim() === '' || !(grace >= 0))
    throw new UsageError(`--grace needs a number of seconds, not ${JSON.stringify(seconds)}`);
  return { grace };
}

function announce(server: Server, json: boolean, tokenFile: string | undefined): void {
  // A token that has a file of its own stays out of terminals and logs.
  const url = tokenFile === undefined ? server.url : server.url.replace(/#.*$/, '');
  const { stdout, stderr } = originals.process;
  const where = `${originals.os.hostname()}, pid ${process.pid}, in ${originals.process.cwd()}`;
  stderr.write(`elsewhere ${packageVersion} serves ${where}\n`);
  if (tokenFile !== undefined) stderr.write(`the token is in ${tokenFile}\n`);
  stdout.write(
    json ? `${JSON.stringify({ url, pid: process.pid, version: packageVersion })}\n` : `${url}\n`,
  );
}

function untilEnd(server: Server, pipes: PipePair | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    let ending = false;
    const end = (): void => {
      const drain = ending ? 0 : DRAIN;
      ending = true;
      server.close({ drain }).then(() => resolve(0), reject);
    };
    process.on('SIGINT', end);
    process.on('SIGTERM', end);
    // With --once it closes by itself.
    void server.closed.then(() => resolve(0));
    pipes?.input.on('close', end);
  });
}
