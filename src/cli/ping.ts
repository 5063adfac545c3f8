/** `elsewhere ping`: is the agent there, who is it, and how far away. */
import { originals } from '../base/originals.ts';
import { ACCESS_HELP, ACCESS_OPTIONS, connectToAgent } from './agent-access.ts';
import { optional, parseLine } from './args.ts';
import type { Command } from './command.ts';
import { UsageError } from './usage.ts';

const HELP = `elsewhere ping: asks an agent for a sign of life

  elsewhere ping [URL] [--count N] [--token-file FILE] [--tls-psk] [--json]

Prints the round-trip time of each ping in milliseconds. URL: what \`elsewhere serve\` printed; default ELSEWHERE_URL.

  ${ACCESS_HELP}`;

export const pingCommand: Command = {
  name: 'ping',
  summary: 'ask an agent for a sign of life',
  help: HELP,
  async run(argv) {
    const { values, positionals } = parseLine(argv, {
      count: { type: 'string' },
      ...ACCESS_OPTIONS,
      json: { type: 'boolean' },
    });
    const count = Number(optional(values['count']) ?? 4);
    if (!Number.isInteger(count) || count < 1)
      throw new UsageError('--count needs a whole number from 1');
    const conn = await connectToAgent(positionals[0], values);
    const times: number[] = [];
    for (let i = 0; i < count; i++) times.push(await conn.ping());
    const { peer } = conn;
    await conn.close();
    const { stdout } = originals.process;
    if (values['json'] === true) stdout.write(`${JSON.stringify({ peer, milliseconds: times })}\n`);
    else
      stdout.write(
        `${peer.hostname} (pid ${peer.pid}, Node ${peer.node}): ${times.map((ms) => ms.toFixed(2)).join(' ')} ms\n`,
      );
    return 0;
  },
};
