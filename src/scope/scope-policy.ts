/** A scope's own function that says where each operation goes: asked before the lists of `paths` and `net`. */
import { runLocally } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import type { Channel } from '../connection/channel.ts';
import type { NetworkPlace } from '../patch.ts';

/** What is about to happen. */
export type ScopeOperation =
  | {
      readonly patch: 'fs';
      /** As Node's system calls are named: 'open', 'stat', 'rename'…; 'explain' where `explain` asks. */
      readonly operation: string;
      /** Absolute, as this scope names it. */
      readonly path: string;
    }
  | ({ readonly patch: 'net' } & NetworkPlace);

/** Where it goes; undefined leaves it to the lists. A connection: to that far side. */
export type ScopePolicy = (
  operation: ScopeOperation,
) => 'remote' | 'local' | 'deny' | { readonly channel: Channel } | undefined;

export interface PolicyVerdict {
  readonly side: 'remote' | 'local' | 'deny';
  /** Another connection than the scope's own. */
  readonly channel?: Channel;
  readonly rule: string;
}

const RULE = 'policy';
const keys = new WeakMap<ScopePolicy, string>();
let lastKey = 0;

/** Equal for the same function only. */
export function keyOf(policy: ScopePolicy): string {
  let key = keys.get(policy);
  if (key === undefined) {
    key = `policy ${++lastKey}`;
    keys.set(policy, key);
  }
  return key;
}

/** The function runs as local code. Throws what it throws, and ERR_ELSEWHERE_ARGUMENT for an answer that is none. */
export function ask(policy: ScopePolicy, operation: ScopeOperation): PolicyVerdict | undefined {
  const said: unknown = runLocally(() => policy(operation));
  if (said === undefined) return undefined;
  if (said === 'remote' || said === 'local' || said === 'deny') return { side: said, rule: RULE };
  const { channel } = Object(said) as { channel?: Channel };
  if (typeof channel?.request === 'function') return { side: 'remote', channel, rule: RULE };
  throw new ElsewhereError(
    'ERR_ELSEWHERE_ARGUMENT',
    "policy gives 'remote', 'local', 'deny', a connection, or undefined for what the lists say",
  );
}
