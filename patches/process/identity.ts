/** Whose rights, and which processes: users, groups, signals. */
import { ElsewhereError } from '../../src/base/errors.ts';
import { likeOriginal } from '../../src/base/shape.ts';
import type { ProcessContext, ProcessTarget } from './api.ts';

type AnyFunction = (...args: unknown[]) => unknown;
type Functions = Record<string, AnyFunction | undefined>;

const FACTS = ['getuid', 'geteuid', 'getgid', 'getegid', 'getgroups', 'umask'] as const;
const RIGHTS = ['setuid', 'seteuid', 'setgid', 'setegid', 'setgroups', 'initgroups'];
const functions = process as unknown as Functions;

export function substituteIdentity(context: ProcessContext): void {
  for (const name of FACTS) {
    substitute(context, name, (original, args) => {
      const target = context.target();
      if (target === undefined) return original(...args);
      if (name !== 'umask') return target.callSync('fact', name);
      const mask = target.scope.umask ?? target.callSync('fact', name);
      return args[0] === undefined ? mask : setMask(original, args[0], target, mask);
    });
  }
  for (const name of RIGHTS) {
    substitute(context, name, (original, args) => {
      // What is no user or group at all is Node's to refuse.
      const given = Array.from({ length: original.length }, (_, at) => args[at]);
      if (context.target() === undefined || !given.every(isName)) return original(...args);
      throw shared(`process.${name}`, 'start `elsewhere serve` as that user instead');
    });
  }
  substitutePlatform(context, 'platform');
  substitutePlatform(context, 'arch');
  substituteKill(context);
}

function substitute(
  context: ProcessContext,
  name: string,
  run: (original: AnyFunction, args: unknown[]) => unknown,
): void {
  const original = functions[name];
  // Windows lacks most of them.
  if (original === undefined) return;
  context.replace(
    functions,
    name,
    likeOriginal(original, (...args: unknown[]) => run(original, args)),
  );
}

function isName(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isName);
  return typeof value === 'string' || (typeof value === 'number' && value >>> 0 === value);
}

/** Kept in the scope, and sent along with whatever it makes: the agent's own mask is every client's. */
function setMask(original: AnyFunction, mask: unknown, { scope }: ProcessTarget, before: unknown) {
  const wanted =
    typeof mask === 'string' && /^[0-7]+$/.test(mask) ? Number.parseInt(mask, 8) : mask;
  const valid =
    typeof wanted === 'number' && wanted >= 0 && wanted < 2 ** 32 && Number.isInteger(wanted);
  // Node's own check throws for what is no mask, and changes nothing then. A whole program has files here, too.
  if (!valid || scope.isDefault) original(mask);
  scope.umask = Number(wanted) & 0o777;
  return before;
}

function shared(what: string, instead: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_UNSUPPORTED',
    `${what} would change the agent for all its clients: ${instead}`,
  );
}

function substitutePlatform(context: ProcessContext, name: 'platform' | 'arch'): void {
  const here = process[name];
  context.redefine(process, name, {
    configurable: true,
    enumerable: true,
    get: () => {
      const target = context.target();
      return target === undefined || target.scope.isDefault ? here : target.peer[name];
    },
  });
}

function substituteKill(context: ProcessContext): void {
  substitute(context, 'kill', (original, args) => {
    const target = context.target();
    const [pid, signal] = args as [number, string | number | undefined];
    if (target === undefined || target.scope.isDefault || isOurs(pid)) return original(...args);
    target.callSync('kill', pid, signal);
    return true;
  });
}

/** This process, its parent, and its group, which 0 means. What is no number is Node's to refuse. */
function isOurs(pid: unknown): boolean {
  // Node takes '12' for 12, too.
  const number = Number(pid);
  return (
    !Number.isInteger(number) || number === 0 || number === process.pid || number === process.ppid
  );
}

/** The agent's own functions, taken before anything could be substituted there. */
const here: Functions = Object.fromEntries(
  FACTS.map((name) => [name, functions[name]?.bind(process)]),
);
const killHere = process.kill.bind(process);

export function fact(name: string): unknown {
  const known = Object.hasOwn(here, name) ? here[name] : undefined;
  if (known === undefined)
    throw new ElsewhereError(
      'ERR_ELSEWHERE_UNSUPPORTED',
      `process.${name} is not a function of the far side's Node`,
    );
  return known();
}

export function kill(pid: number, signal: string | number | undefined): void {
  killHere(pid, signal);
}
