/** Whose rights, and which processes: users, groups, signals. */
import nodeFs from 'node:fs';
import { ElsewhereError } from '../../src/base/errors.ts';
import { lastWords } from '../../src/base/last-words.ts';
import { likeOriginal } from '../../src/base/shape.ts';
import type { Credential, ProcessContext, ProcessTarget } from './api.ts';

type AnyFunction = (...args: unknown[]) => unknown;
type Functions = Record<string, AnyFunction | undefined>;

const FACTS = ['getuid', 'geteuid', 'getgid', 'getegid', 'getgroups', 'umask'] as const;
/** With what each argument is. */
const RIGHTS: Readonly<Record<string, readonly (Credential | undefined)[]>> = {
  setuid: ['User'],
  seteuid: ['User'],
  setgid: ['Group'],
  setegid: ['Group'],
  setgroups: ['Group'],
  // The user's name is only looked for in the lists of groups.
  initgroups: [undefined, 'Group'],
};
const functions = process as unknown as Functions;

export function substituteIdentity(context: ProcessContext): void {
  for (const name of FACTS) {
    substitute(context, name, (original, args) => {
      const target = context.target();
      if (target === undefined) return original.apply(process, args);
      if (name !== 'umask') return target.callSync('fact', name);
      const mask = target.scope.umask ?? target.callSync('fact', name);
      return args[0] === undefined ? mask : setMask(original, args[0], target, mask);
    });
  }
  for (const name of Object.keys(RIGHTS)) {
    const valid = (value: unknown): boolean =>
      name === 'setgroups' ? Array.isArray(value) && value.every(isName) : isName(value);
    substitute(context, name, (original, args) => {
      const target = context.target();
      if (target === undefined) return original.apply(process, args);
      // What is no user or group at all is Node's to refuse.
      const given = Array.from({ length: original.length }, (_, at) => args[at]);
      if (!given.every(valid)) return original(...args);
      if (!target.callSync('change', name, given)) refuseChange(target, name, given);
      return undefined;
    });
  }
  substitutePlatform(context, 'platform');
  substitutePlatform(context, 'arch');
  substituteKill(context);
  substitute(context, 'execve', (original, args) => {
    for (const words of lastWords) words();
    return original(...args);
  });
}

/** Unknown names come first, as in Node. */
function refuseChange(target: ProcessTarget, name: string, given: readonly unknown[]): never {
  for (const [at, kind] of (RIGHTS[name] ?? []).entries())
    if (kind !== undefined) checkKnown(target, kind, given[at]);
  throw shared(
    `process.${name}`,
    'start `elsewhere serve` as that user, or with --isolate, which gives each client a process of its own',
  );
}

/** A name that nobody has there is an error of its own. */
function checkKnown(target: ProcessTarget, kind: Credential, given: unknown): void {
  for (const name of [given].flat()) {
    if (typeof name !== 'string' || target.callSync('known', kind, name)) continue;
    throw Object.assign(new Error(`${kind} identifier does not exist: ${name}`), {
      code: 'ERR_UNKNOWN_CREDENTIAL',
    });
  }
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
    if (target === undefined) return original.apply(process, args);
    const [pid, signal] = args as [number, string | number | undefined];
    if (target.scope.isDefault || isOurs(pid)) return original(...args);
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
  [...FACTS, ...Object.keys(RIGHTS)].map((name) => [name, functions[name]?.bind(process)]),
);
const killHere = process.kill.bind(process);

export function fact(name: string): unknown {
  const known = FACTS.some((one) => one === name) ? here[name] : undefined;
  if (known === undefined)
    throw new ElsewhereError(
      'ERR_ELSEWHERE_UNSUPPORTED',
      `process.${name} is not a function of the far side's Node`,
    );
  return known();
}

/** Node's own errors: EPERM, users that are not known. */
export function change(name: string, given: readonly unknown[]): void {
  if (!Object.hasOwn(RIGHTS, name) || here[name] === undefined)
    throw new TypeError(`process.${name} is not a function of the far side's Node`);
  here[name](...given);
}

const CREDENTIALS: Readonly<Record<Credential, string>> = {
  User: '/etc/passwd',
  Group: '/etc/group',
};

/** Users of a directory service are not in these files: then it is said that they are unknown. */
export function known(kind: Credential, name: string): boolean {
  const lines = nodeFs.readFileSync(CREDENTIALS[kind], 'utf8').split('\n');
  return lines.some((line) => line.startsWith(`${name}:`));
}

export function kill(pid: number, signal: string | number | undefined): void {
  killHere(pid, signal);
}
