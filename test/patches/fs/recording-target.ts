/** The near half of the fs patch installed alone. Its far side notes what it is asked, and refuses. */
import type { FsContext, FsTarget } from '../../../patches/fs/api.ts';
import { systemError } from '../../../patches/fs/errors.ts';
import { fsLocal } from '../../../patches/fs/local.ts';
import { currentContext, LOCAL, runInContext, runLocally } from '../../../src/base/context.ts';
import type { ByteStream, ScopeView } from '../../../src/patch.ts';
import { Ledger } from '../../../src/scope/ledger.ts';

/** What no operation on this machine would say. */
export const REFUSAL = 'EPROTO';

export interface Recording {
  /** Names of the operations that the far side was asked for. */
  readonly asked: string[];
  /** What is answered instead of the refusal. */
  readonly answers: Map<string, unknown>;
  inScope<R>(fn: () => R): R;
  uninstall(): void;
}

export function record(version?: string): Recording {
  const asked: string[] = [];
  const answers = new Map<string, unknown>();
  const inside = {};
  const inScope = <R>(fn: () => R): R => runInContext(inside, fn);
  const scope: ScopeView = {
    id: 1,
    isDefault: false,
    cwd: '/',
    denies: false,
    stepwise: false,
    stdio: 'local',
    pool: '',
    forbids: () => undefined,
    run: inScope,
  };
  const answer = (name: string): unknown => {
    asked.push(name);
    if (answers.has(name)) return answers.get(name);
    throw systemError({ code: REFUSAL, syscall: name, path: 'there' });
  };
  const target = {
    scope,
    peer: { platform: process.platform },
    connection: {},
    alive: true,
    callSync: answer,
    send: (name: string, _args: unknown, done: (error: unknown, value?: unknown) => void) =>
      setImmediate(() => {
        try {
          done(null, answer(name));
        } catch (error) {
          done(error);
        }
      }),
    notify: (name: string) => void asked.push(name),
    open: (name: string): ByteStream => {
      asked.push(name);
      return { reset: () => undefined } as unknown as ByteStream;
    },
    hold: () => undefined,
    release: () => undefined,
  } as unknown as FsTarget;
  const current = (): FsTarget | undefined => (currentContext() === inside ? target : undefined);
  const ledger = new Ledger();
  const context: FsContext = {
    target: current,
    decide: (path) => {
      const found = current();
      return found === undefined ? undefined : { target: found, path };
    },
    route: () => ({ target: current(), run: (fn) => fn() }),
    scope: () => (current() === undefined ? undefined : scope),
    locally: runLocally,
    replace: (object, key, value) => ledger.replace(object, key, value),
    redefine: (object, key, descriptor) => ledger.redefine(object, key, descriptor),
    onUninstall: (undo) => ledger.onUninstall(undo),
  };
  runInContext(LOCAL, () => fsLocal(context, version));
  return { asked, answers, inScope, uninstall: () => ledger.undo() };
}
