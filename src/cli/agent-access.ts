/** Which agent a command is for, and what lets it in there. */
import { connectByName } from '../registry/client.ts';
import type { ConnectOptions } from '../service/connect.ts';
import type { Connection } from '../service/connection.ts';
import { agentUrl, type OptionTable, optional, type ParsedLine, readTokenFile } from './args.ts';
import { TLS_PSK_VARIABLE } from './run-environment.ts';

/** For the tables of commands that connect. */
export const ACCESS_OPTIONS: OptionTable = {
  'token-file': { type: 'string' },
  'tls-psk': { type: 'boolean' },
};

/** For their help. */
export const ACCESS_HELP = `--token-file FILE  the token, if the URL has none
  --tls-psk          TLS by the token alone, for an agent of \`serve --tls-psk\` (ELSEWHERE_TLS_PSK=1)`;

export type Access = Pick<ConnectOptions, 'token' | 'tls'>;

/** The token, if the line names a file: otherwise the URL or the environment has it. */
export function accessOf(values: ParsedLine['values']): Access {
  const file = optional(values['token-file']);
  const psk = values['tls-psk'] === true || process.env[TLS_PSK_VARIABLE] === '1';
  return {
    ...(file === undefined ? {} : { token: readTokenFile(file) }),
    ...(psk ? { tls: { psk: true } } : {}),
  };
}

/** The agent of the URL that was given, or of ELSEWHERE_URL. */
export function connectToAgent(
  url: string | undefined,
  values: ParsedLine['values'],
): Promise<Connection> {
  return connectByName(agentUrl(url), accessOf(values));
}
