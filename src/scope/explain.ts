/** Where the running code's operations would go, and which rule decides: asks nobody, touches nothing. */

import { ElsewhereError } from '../base/errors.ts';
import type { Channel, PeerInfo } from '../connection/channel.ts';
import { currentScope } from './installer.ts';
import type { Scope } from './scope.ts';

/** What to explain: a path, an address or unix socket to connect to, a variable of the environment, or a module to load. */
export type Subject =
  | string
  | { readonly host: string; readonly port: number; readonly protocol?: 'tcp' | 'udp' }
  | { readonly socketPath: string }
  | { readonly env: string }
  | { readonly module: string };

export interface Explanation {
  readonly side: 'remote' | 'local' | 'deny';
  /** The far side in question; undefined when everything stays here. */
  readonly connection: { readonly id: string; readonly peer: PeerInfo } | undefined;
  /** The rule that decided, in words: `deny /secret`, `map /a=/b`, `no scope`… */
  readonly rule: string;
}

/**
 * Says on which side an operation of the running code would be carried out. Never fails for a subject that is well
 * formed; ERR_ELSEWHERE_ARGUMENT for others. What the far side's own policy would say is not asked.
 */
export function explain(subject: Subject): Explanation {
  const patch = patchOf(subject);
  const scope = currentScope();
  if (scope === undefined) return here('no scope');
  if (patch === 'module') return here('modules are always loaded here');
  const channel = scope.routes.get(patch);
  if (channel === undefined) return here(`the scope leaves ${patch} here`);
  const connection = { id: channel.id, peer: channel.peer };
  if (typeof subject === 'string') return explainPath(scope, subject, connection);
  if ('socketPath' in subject) return explainPath(scope, subject.socketPath, connection);
  if ('env' in subject) return explainVariable(scope, connection);
  if ('host' in subject) return explainPlace(scope, subject, connection);
  return { side: 'remote', connection, rule: 'default' };
}

function here(rule: string): Explanation {
  return { side: 'local', connection: undefined, rule };
}

function patchOf(subject: Subject): string {
  if (typeof subject === 'string' && subject !== '') return 'fs';
  const patch = typeof subject === 'object' && subject !== null ? patchOfObject(subject) : '';
  if (patch !== '') return patch;
  throw new ElsewhereError(
    'ERR_ELSEWHERE_ARGUMENT',
    'explain takes a path, { host, port }, { socketPath }, { env } or { module }',
  );
}

function patchOfObject(subject: Exclude<Subject, string>): string {
  if ('env' in subject) return 'process';
  if ('module' in subject) return 'module';
  if ('socketPath' in subject) return 'net';
  if (!('host' in subject) || !Number.isInteger(subject.port)) return '';
  return subject.protocol === 'udp' ? 'dgram' : 'net';
}

function explainPath(
  { rules, cwd }: Scope,
  path: string,
  connection: NonNullable<Explanation['connection']>,
): Explanation {
  if (rules === undefined) return { side: 'remote', connection, rule: 'default' };
  const { side, rule, channel } = rules.decide(path, cwd);
  return side === 'local' ? here(rule) : { side, connection: placeOf(channel, connection), rule };
}

function explainPlace(
  { network }: Scope,
  { host, port, protocol = 'tcp' }: Extract<Subject, { host: string }>,
  connection: NonNullable<Explanation['connection']>,
): Explanation {
  const verdict = network?.decide({ protocol, host, port });
  if (verdict === undefined) return { side: 'remote', connection, rule: 'default' };
  const { side, rule, channel } = verdict;
  if (side === 'local') return here(rule);
  return { side, connection: placeOf(channel, connection), rule };
}

function placeOf(
  other: Channel | undefined,
  own: NonNullable<Explanation['connection']>,
): NonNullable<Explanation['connection']> {
  return other === undefined ? own : { id: other.id, peer: other.peer };
}

function explainVariable(
  scope: Scope,
  connection: NonNullable<Explanation['connection']>,
): Explanation {
  const choice = (scope as { env?: string }).env ?? 'local';
  if (choice === 'local' || choice === 'none') return here(`env: ${choice}`);
  return { side: 'remote', connection, rule: `env: ${choice}` };
}
