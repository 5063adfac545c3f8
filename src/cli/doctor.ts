/** `elsewhere doctor`: step by step, whether an agent can be used from here, and if not, what is in the way. */
import { originals } from '../base/originals.ts';
import { packageVersion } from '../base/version.ts';
import { blockingKind } from '../connection/blocking-open.ts';
import { locate } from '../registry/client.ts';
import { connect } from '../service/connect.ts';
import type { Connection } from '../service/connection.ts';
import { formatUrl, isStarted, parseEndpoint } from '../transport/endpoint.ts';
import { isSecure } from '../transport/tls.ts';
import type { Endpoint } from '../transport/transport.ts';
import { ACCESS_HELP, ACCESS_OPTIONS, accessOf } from './agent-access.ts';
import { agentUrl, parseLine } from './args.ts';
import type { Command } from './command.ts';
import { ExitCode, exitCodeOf } from './usage.ts';

const HELP = `elsewhere doctor: checks step by step whether an agent can be used from here

  elsewhere doctor [URL] [--token-file FILE] [--tls-psk]

Prints one line for each step: address, link (with TLS: that the certificate is believed), token, version, round trip,
blocking calls. Exit code 0 if all is well, 2 for a wrong URL, 69 if the agent cannot be reached, 77 if it does not let us in.
URL: what \`elsewhere serve\` printed; default ELSEWHERE_URL.

  ${ACCESS_HELP}`;

const ROUNDS = 10;

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'check step by step whether an agent can be used',
  help: HELP,
  async run(argv) {
    const { values, positionals } = parseLine(argv, ACCESS_OPTIONS);
    const given = agentUrl(positionals[0]);
    let step = 'registry';
    try {
      const access = accessOf(values);
      const url = await locate(given, access);
      if (url !== given) good('registry', `${given} is there`);
      step = 'address';
      const endpoint = parseEndpoint(url, 'connect');
      good('address', formatUrl(endpoint, undefined));
      step = 'link';
      const conn = await connect(url, access);
      goodLink(endpoint, conn, access.tls?.psk === true);
      step = 'round trip';
      await goodRoundTrips(conn);
      step = 'blocking calls';
      goodBlockingCalls(endpoint, conn);
      await conn.close();
      return ExitCode.OK;
    } catch (error) {
      say(`FAIL ${stepOf(error, step)}: ${(error as Error).message}`);
      return exitCodeOf(error);
    }
  },
};

function goodLink(endpoint: Endpoint, conn: Connection, byToken: boolean): void {
  const { hostname, pid, node, version } = conn.peer;
  if (isStarted(endpoint)) good('link', 'the agent was started');
  else
    good(
      'link',
      isSecure(endpoint)
        ? `open, ${byToken ? 'TLS by the token' : 'its certificate is believed'}`
        : 'open',
    );
  good('token', isStarted(endpoint) ? 'none is needed' : 'both sides know it');
  good('version', `${version} there, ${packageVersion} here; Node ${node} there`);
  good('agent', `pid ${pid} on ${hostname}`);
}

async function goodRoundTrips(conn: Connection): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) times.push(await conn.ping());
  good('round trip', `${median(times).toFixed(2)} ms`);
}

function goodBlockingCalls(endpoint: Endpoint, conn: Connection): void {
  const times: number[] = [];
  for (let i = 0; i <= ROUNDS; i++) {
    const start = performance.now();
    conn.channel.requestSync('session.ping', []);
    times.push(performance.now() - start);
  }
  // The first one dials.
  good('blocking calls', `${median(times.slice(1)).toFixed(2)} ms, by ${blockingKind(endpoint)}`);
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
}

/** What an error is about says more than where it came up. */
function stepOf(error: unknown, step: string): string {
  const { code } = error as { code?: string };
  if (code === 'ERR_ELSEWHERE_AUTH') return 'token or certificate';
  return code === 'ERR_ELSEWHERE_VERSION' ? 'version' : step;
}

function good(step: string, what: string): void {
  say(`ok   ${step}: ${what}`);
}

function say(line: string): void {
  originals.process.stdout.write(`${line}\n`);
}
