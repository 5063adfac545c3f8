/** `elsewhere explain`: on which side a path or an address is, and which rule says so. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { originals } from '../base/originals.ts';
import { type Explanation, explain, type Subject } from '../scope/explain.ts';
import { programRules } from '../scope/program-rules.ts';
import { type RemoteOptions, withRemote } from '../scope/with-remote.ts';
import { ACCESS_HELP, ACCESS_OPTIONS, connectToAgent } from './agent-access.ts';
import {
  networkRules,
  type OptionTable,
  optional,
  type ParsedLine,
  parseLine,
  pathRules,
  RULE_OPTIONS,
} from './args.ts';
import type { Command } from './command.ts';
import { UsageError } from './usage.ts';

const OPTIONS: OptionTable = {
  on: { type: 'string' },
  ...RULE_OPTIONS,
  cwd: { type: 'string' },
  program: { type: 'string' },
  json: { type: 'boolean' },
  ...ACCESS_OPTIONS,
};

const HELP = `elsewhere explain: on which side a path or an address is, and which rule decides

  elsewhere explain --on URL [options] PATH|HOST:PORT ...

  --local, --remote, --deny GLOB, --map FROM=TO, --cwd DIR,
  --net-local, --net-remote, --net-deny PLACE    as for \`elsewhere run\`
  --program FILE     also the rules of a program that \`elsewhere run\` would start: what its own package keeps here
  --json             one line of JSON for each
  ${ACCESS_HELP}

What the agent's policy allows is not asked. A path that contains a colon and a number: write it as ./a:1.`;

export const explainCommand: Command = {
  name: 'explain',
  summary: 'say on which side a path or an address is, and why',
  help: HELP,
  async run(argv) {
    const { values, positionals } = parseLine(argv, OPTIONS);
    if (positionals.length === 0)
      throw new UsageError('explain what? elsewhere explain --on URL /etc/hosts db:5432');
    const conn = await connectToAgent(optional(values['on']), values);
    try {
      const found = withRemote(conn, scopeOptions(values), () =>
        positionals.map((text) => ({ subject: text, ...explain(subjectOf(text)) })),
      );
      for (const one of found)
        originals.process.stdout.write(`${line(one, values['json'] === true)}\n`);
    } finally {
      await conn.close();
    }
    return 0;
  },
};

function scopeOptions(values: ParsedLine['values']): RemoteOptions {
  const given = pathRules(values);
  const program = optional(values['program']);
  const own = fileURLToPath(new URL('.', import.meta.url));
  const paths = program === undefined ? given : programRules(given, own, resolve(program));
  const cwd = optional(values['cwd']);
  return { paths, net: networkRules(values), ...(cwd === undefined ? {} : { cwd }) };
}

const ADDRESS = /^(\[[^\]]+\]|[^/:]+):(\d{1,5})$/;

function subjectOf(text: string): Subject {
  const [, host, port] = ADDRESS.exec(text) ?? [];
  if (host === undefined) return text;
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

type Found = Explanation & { readonly subject: string };

function line({ subject, side, connection, rule }: Found, json: boolean): string {
  if (json) return JSON.stringify({ subject, side, rule, peer: connection?.peer });
  const where = side === 'remote' ? `remote (${connection?.peer.hostname})` : side;
  return `${subject}: ${where}, by ${rule}`;
}
