/** `elsewhere proxy`: other programs use the far side's network. */
import { originals } from '../base/originals.ts';
import { formatPlace } from '../proxy/place.ts';
import { type ProxyOptions, proxy, type RunningProxy } from '../proxy/proxy.ts';
import type { ProxyEvent } from '../proxy/traffic.ts';
import type { Connection } from '../service/connection.ts';
import { ACCESS_HELP, ACCESS_OPTIONS, connectToAgent } from './agent-access.ts';
import { type OptionTable, optional, type ParsedLine, parseLine, strings } from './args.ts';
import type { Command } from './command.ts';
import { showCounters } from './counters.ts';
import { forwardOf, listeningPlace, reverseOf } from './proxy-places.ts';
import { ExitCode, UsageError } from './usage.ts';

const OPTIONS: OptionTable = {
  socks: { type: 'string' },
  http: { type: 'string' },
  forward: { type: 'string', short: 'L', multiple: true },
  reverse: { type: 'string', short: 'R', multiple: true },
  public: { type: 'boolean' },
  trace: { type: 'boolean' },
  json: { type: 'boolean' },
  ...ACCESS_OPTIONS,
};

const HELP = `elsewhere proxy: other programs use the far side's network

  elsewhere proxy [URL] [--socks PORT] [--http PORT] [-L PORT:HOST:PORT]... [-R PORT:HOST:PORT]... [options]

  --socks [HOST:]PORT     SOCKS 5: TCP and UDP, names are resolved over there. Without any of these four: 1080.
  --http [HOST:]PORT      HTTP proxy; http://127.0.0.1:PORT/proxy.pac is a PAC file for browsers
  -L [BIND:]PORT:HOST:PORT   a port here that leads to HOST:PORT as the far side sees it (repeatable; --forward)
  -R [BIND:]PORT:HOST:PORT   a port over there that leads to HOST:PORT as seen from here (repeatable; --reverse)
                          a path is a unix socket: -L /tmp/db.sock:/run/postgresql/.s.PGSQL.5432 (in -R: the second only)
  --public                listen beyond this machine too, where the line says so: whoever comes uses the far side as you
  --trace                 print a line for each connection, not only for those that fail
  --json                  print one JSON line instead of bare URLs
  ${ACCESS_HELP}

Port 0 is any free one. The addresses are printed to stdout, everything else to stderr; on a terminal the last line counts.

  curl --proxy socks5h://127.0.0.1:1080 http://intranet.corp/
  npm_config_proxy=http://127.0.0.1:8080 npm_config_https_proxy=http://127.0.0.1:8080 npm install

A lost link is dialled again while connections wait. When the agent has ended, so does the proxy, with exit code 69.`;

export const proxyCommand: Command = {
  name: 'proxy',
  summary: "other programs use the far side's network: SOCKS, HTTP, forwarded ports",
  help: HELP,
  async run(argv) {
    const { values, positionals } = parseLine(argv, OPTIONS);
    if (positionals.length > 1)
      throw new UsageError(`proxy takes one URL, not also ${JSON.stringify(positionals[1])}`);
    const options = optionsOf(values);
    const conn = await connectToAgent(positionals[0], values);
    try {
      return await serve(conn, options, values);
    } finally {
      await conn.close();
    }
  },
};

function optionsOf(values: ParsedLine['values']): ProxyOptions {
  const forward = strings(values['forward']).map(forwardOf);
  const reverse = strings(values['reverse']).map(reverseOf);
  const http = optional(values['http']);
  const nothing = http === undefined && forward.length + reverse.length === 0;
  const socks = optional(values['socks']) ?? (nothing ? '1080' : undefined);
  return {
    ...(socks === undefined ? {} : { socks: listeningPlace('socks', socks) }),
    ...(http === undefined ? {} : { http: listeningPlace('http', http) }),
    forward,
    reverse,
    public: values['public'] === true,
  };
}

/** Until a signal comes or the connection is over. */
async function serve(
  conn: Connection,
  options: ProxyOptions,
  values: ParsedLine['values'],
): Promise<number> {
  const notes: string[] = [];
  let note = (line: string): void => void notes.push(line);
  const told = (event: ProxyEvent): void => {
    if (event.failure !== undefined) note(`${event.kind} ${event.from}: ${event.failure}`);
    else if (values['trace'] === true) note(`${event.kind} ${event.from} -> ${event.to}`);
  };
  const opened = await proxy(conn, { ...options, onConnection: told });
  announce(conn, opened, options, values['json'] === true);
  const counters = showCounters(
    () => opened.stats(),
    () => conn.state,
  );
  note = counters.note;
  for (const line of notes) note(line);
  const stop = (): void => void opened.close();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const lost = conn.closed.then(async (reason) => {
    await opened.close();
    return reason;
  });
  await opened.closed;
  counters.stop();
  if (conn.state !== 'closed') return ExitCode.OK;
  throw await lost;
}

function announce(
  conn: Connection,
  opened: RunningProxy,
  options: ProxyOptions,
  json: boolean,
): void {
  const { stdout, stderr } = originals.process;
  const { socks, http, forward, reverse } = opened;
  if (json) {
    stdout.write(`${JSON.stringify({ socks, http, forward, reverse })}\n`);
    return;
  }
  const { hostname, pid } = conn.peer;
  stderr.write(`connections through here are made by ${hostname} (pid ${pid})\n`);
  const ways: [string, string][] = [
    ...forward.map((place, at): [string, string] => [
      formatPlace(place),
      `${textOf(options.forward?.[at]?.to)} over there`,
    ]),
    ...reverse.map((place, at): [string, string] => [
      `${formatPlace(place)} over there`,
      textOf(options.reverse?.[at]?.to),
    ]),
  ];
  for (const [from, to] of ways) stderr.write(`${from} leads to ${to}\n`);
  if (socks !== undefined) stdout.write(`socks5h://${formatPlace(socks)}\n`);
  if (http !== undefined) stdout.write(`http://${formatPlace(http)}\n`);
}

function textOf(place: unknown): string {
  return typeof place === 'string' ? place : formatPlace(place as { host: string; port: number });
}
