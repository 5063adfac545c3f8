/** Whose rights, and which processes: users, groups, signals. */
import { ElsewhereError } from '../../src/base/errors.ts';
import { likeOriginal } from '../../src/base/shape.ts';
import type { ProcessContext } from './api.ts';

type AnyFunction = (...args: unknown[]) => unknown;
type Functions = Record<string, AnyFunction | undefined>;

const FACTS = ['getuid', 'geteuid', 'getgid', 'getegid', 'getgroups', 'umask'];
const RIGHTS = ['setuid', 'seteuid', 'setgid', 'setegid', 'setgroups', 'initgroups'];
const functions = process as unknown as Functions;

export function substituteIdentity(context: ProcessContext): void {
  for (const name of FACTS) {
    substitute(context, name, (original, args) => {
      const target = context.target();
      if (target === undefined) return original(...args);
      if (args[0] !== undefined) return setMask(name, original, args[0], context);
      return target.callSync('fact', name);
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

/** Putting back the mask that is in force changes nothing; any other would be every client's. */
function setMask(
  name: string,
  original: AnyFunction,
  mask: unknown,
  context: ProcessContext,
): unknown {
  const before = context.target()?.callSync('fact', name);
  const wanted =
    typeof mask === 'string' && /^[0-7]+$/.test(mask) ? Number.parseInt(mask, 8) : mask;
  // Node's own check throws for what is no mask, and changes nothing then.
  if (typeof wanted !== 'number' || !(wanted >= 0 && wanted < 2 ** 32 && Number.isInteger(wanted)))
    return original(mask);
  if ((wanted & 0o777) === before) return before;
  throw shared('process.umask', 'give files a mode, or use fs.chmod');
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
