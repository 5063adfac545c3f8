/** Options of the commands, by node:util's parser. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import type { NetworkOptions } from '../scope/network-rules.ts';
import type { PathOptions } from '../scope/path-rules.ts';
import { readPrivateFile } from '../session/private-file.ts';
import { UsageError } from './usage.ts';

export type OptionTable = NonNullable<ParseArgsConfig['options']>;

export interface ParsedLine {
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
  readonly positionals: readonly string[];
}

/** Options anywhere. Throws UsageError naming the unknown one. */
export function parseLine(argv: readonly string[], options: OptionTable): ParsedLine {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options,
      allowPositionals: true,
      strict: true,
    });
    return { values, positionals };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Options up to the first word that is none, or `--`: the rest is another program's and must not be looked at. */
export function splitProgram(
  argv: readonly string[],
  options: OptionTable,
): ParsedLine & { readonly program: readonly string[] } {
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const cut = tokens.find(
    (token) => token.kind === 'positional' || token.kind === 'option-terminator',
  );
  const at = cut?.index ?? argv.length;
  const program = argv.slice(cut?.kind === 'option-terminator' ? at + 1 : at);
  return { ...parseLine(argv.slice(0, at), options), program };
}

export function strings(value: ParsedLine['values'][string]): string[] {
  return Array.isArray(value) ? value.map(String) : value === undefined ? [] : [String(value)];
}

export function optional(value: ParsedLine['values'][string]): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** The agent's URL: the argument, or ELSEWHERE_URL. */
export function agentUrl(given: string | undefined): string {
  const url = given ?? process.env['ELSEWHERE_URL'];
  if (url === undefined || url === '')
    throw new UsageError(
      'which agent? give the URL that `elsewhere serve` printed, or set ELSEWHERE_URL',
    );
  return url;
}

/** Reads a token from a file that only its owner may read. */
export function readTokenFile(file: string): string {
  return readPrivateFile(file).trim();
}

/** What --local, --remote, --deny and --map say. */
export function pathRules(values: ParsedLine['values']): Required<PathOptions> {
  return {
    local: strings(values['local']),
    remote: strings(values['remote']),
    deny: strings(values['deny']),
    map: mapping(strings(values['map'])),
  };
}

/** What --net-local, --net-remote and --net-deny say. */
export function networkRules(values: ParsedLine['values']): Required<Omit<NetworkOptions, 'via'>> {
  return {
    local: strings(values['net-local']),
    remote: strings(values['net-remote']),
    deny: strings(values['net-deny']),
  };
}

/** The options of both, for a command's table. */
export const RULE_OPTIONS: OptionTable = Object.fromEntries(
  ['local', 'remote', 'deny', 'map', 'net-local', 'net-remote', 'net-deny'].map((name) => [
    name,
    { type: 'string', multiple: true },
  ]),
);

/** The pairs of `--map FROM=TO`. */
function mapping(pairs: readonly string[]): Record<string, string> {
  const map: Record<string, string> = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) throw new UsageError(`--map needs FROM=TO, not ${JSON.stringify(pair)}`);
    map[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return map;
}
