/** `elsewhere exec`: the value of an expression on the far side. */
import { inspect } from 'node:util';
import { originals } from '../base/originals.ts';
import { redirectStdio } from '../service/redirect-stdio.ts';
import { ACCESS_HELP, ACCESS_OPTIONS, connectToAgent } from './agent-access.ts';
import { parseLine } from './args.ts';
import type { Command } from './command.ts';
import { UsageError } from './usage.ts';

const HELP = `elsewhere exec: evaluates an expression on the far side and prints its value

  elsewhere exec [URL] EXPRESSION [--token-file FILE] [--tls-psk] [--json]

The expression may use await, require, all globals of the agent and Node's modules by their names (os, fs, …). What it prints shows here.
Strings are printed as they are, other values as by console.log; --json prints JSON.

  ${ACCESS_HELP}`;

export const execCommand: Command = {
  name: 'exec',
  summary: 'evaluate an expression on the far side',
  help: HELP,
  async run(argv) {
    const { values, positionals } = parseLine(argv, {
      ...ACCESS_OPTIONS,
      json: { type: 'boolean' },
    });
    const expression = positionals.at(-1);
    if (expression === undefined || positionals.length > 2)
      throw new UsageError('exec needs a URL and one expression');
    const conn = await connectToAgent(
      positionals.length === 2 ? positionals[0] : undefined,
      values,
    );
    try {
      const { stdin, stdout, stderr } = originals.process;
      const value = await redirectStdio(conn, () => conn.eval(expression), {
        stdin,
        stdout,
        stderr,
      });
      if (value !== undefined) stdout.write(`${render(value, values['json'] === true)}\n`);
    } finally {
      await conn.close();
    }
    return 0;
  },
};

function render(value: unknown, json: boolean): string {
  if (json) return JSON.stringify(value);
  return typeof value === 'string'
    ? value
    : inspect(value, { colors: originals.process.stdout.isTTY === true, depth: 4 });
}
