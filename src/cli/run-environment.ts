/** What `elsewhere run` tells the program's preload, through the environment so that children follow by themselves. */
import type { ProgramOptions } from '../scope/with-remote.ts';
import type { ConnectOptions } from '../service/connect.ts';

/** Name of the variable that holds the options as JSON; its presence makes the preload enter a scope. */
export const RUN_VARIABLE = 'ELSEWHERE_RUN';

/** '1': every remote operation of the program is told on its standard error. */
export const TRACE_VARIABLE = 'ELSEWHERE_TRACE';

/** '1': TLS by the token alone, in place of certificates. */
export const TLS_PSK_VARIABLE = 'ELSEWHERE_TLS_PSK';

export interface RunSettings {
  readonly url: string;
  readonly access: Pick<ConnectOptions, 'token' | 'tls'>;
  /** Absolute path of the preload. */
  readonly register: string;
  readonly options: ProgramOptions;
  readonly trace: boolean;
}

/** The environment of the program. `--require`, because `--import` is skipped by eval workers (Node 20-26). */
export function programEnvironment(
  env: NodeJS.ProcessEnv,
  settings: RunSettings,
): NodeJS.ProcessEnv {
  const [url, token] = splitToken(settings.url);
  const preload = `--require ${quoted(settings.register)}`;
  const known = env['NODE_OPTIONS'] ?? '';
  return {
    ...env,
    ELSEWHERE_URL: url,
    ELSEWHERE_TOKEN: settings.access.token ?? token ?? env['ELSEWHERE_TOKEN'],
    [RUN_VARIABLE]: JSON.stringify(settings.options),
    ...(settings.access.tls?.psk === true ? { [TLS_PSK_VARIABLE]: '1' } : {}),
    ...(settings.trace ? { [TRACE_VARIABLE]: '1' } : {}),
    NODE_OPTIONS: known.includes(preload) ? known : `${preload} ${known}`.trim(),
  };
}

/**
 * The agent's token travels apart, so that a program which prints its agent's URL does not give it away. A relay's stays in
 * the URL, without which nobody gets as far as the agent.
 */
function splitToken(url: string): [string, string | undefined] {
  const at = url.indexOf('#');
  if (at === -1) return [url, undefined];
  const [address, fragment] = [url.slice(0, at), url.slice(at + 1)];
  if (!/^relays?:/.test(url)) return [address, decodeURIComponent(fragment)];
  const [own = '', relays] = fragment.split('&');
  // One alone is the relay's.
  if (relays === undefined || own === '') return [url, undefined];
  return [`${address}#&${relays}`, decodeURIComponent(own)];
}

/** NODE_OPTIONS knows double quotes and backslashes (src/node_options.cc, ParseNodeOptionsEnvVar). */
function quoted(path: string): string {
  return /[\s"\\]/.test(path) ? `"${path.replace(/["\\]/g, '\\$&')}"` : path;
}
