/**
 * node:os in a scope tells of the far machine. Constants stay local: they are numbers of this process's own system, and
 * code uses them with local calls (EOL, devNull, constants). Functions are replaced on the module's exports, since
 * lib/os.js keeps the native functions to itself.
 */
import nodeOs from 'node:os';
import {
  bytes,
  count,
  either,
  flag,
  integer,
  type Kind,
  listOf,
  nothing,
  number,
  oneOf,
  orNull,
  record,
  recordOf,
  text,
} from '../src/base/kind.ts';
import { likeOriginal } from '../src/base/shape.ts';
import { isAsStarted } from '../src/base/start-environment.ts';
import {
  type AnyPatch,
  type CoverageTable,
  definePatch,
  type LocalContext,
  type RemoteHalf,
} from '../src/patch.ts';

interface OsApi {
  /** What the function of that name returns there. */
  fact(name: string, args: unknown[]): unknown;
}

type OsFunction = (...args: unknown[]) => unknown;

/** Where each export of node:os goes, and why it stays where it does. */
export const OS_TABLE: CoverageTable = {
  arch: 'remote',
  availableParallelism: 'remote',
  cpus: 'remote',
  endianness: 'remote',
  freemem: 'remote',
  getPriority: 'remote',
  homedir: 'remote',
  hostname: 'remote',
  loadavg: 'remote',
  machine: 'remote',
  networkInterfaces: 'remote',
  platform: 'remote',
  release: 'remote',
  setPriority: 'remote',
  tmpdir: 'remote',
  totalmem: 'remote',
  type: 'remote',
  uptime: 'remote',
  userInfo: 'remote',
  version: 'remote',
  EOL: 'local: a constant of this system, for text written here',
  constants:
    'local: numbers of this system, used with local calls; errors arrive with local numbers',
  devNull: 'local: a constant of this system',
};

const words = either(text, bytes);

/** What each function returns there; text where nothing else is said. */
const FACTS: Readonly<Record<string, Kind<unknown>>> = {
  availableParallelism: count,
  cpus: listOf(
    record<nodeOs.CpuInfo>({
      model: text,
      speed: number,
      times: recordOf(number) as Kind<nodeOs.CpuInfo['times']>,
    }),
  ),
  endianness: oneOf('BE', 'LE'),
  freemem: number,
  getPriority: integer,
  loadavg: listOf(number),
  networkInterfaces: recordOf(listOf(recordOf(either(either(text, number, flag), orNull(text))))),
  setPriority: nothing,
  totalmem: number,
  uptime: number,
  userInfo: record<object>({
    uid: integer,
    gid: integer,
    username: words,
    homedir: words,
    shell: orNull(words),
  } as object),
};

/** Node makes these directories of the environment: where the program has set it, that is what it wants. */
const BY_ENVIRONMENT: Readonly<Record<string, readonly string[]>> = {
  homedir: ['HOME'],
  tmpdir: ['TMPDIR', 'TMP', 'TEMP'],
};

function isChosen(name: string): boolean {
  return (
    BY_ENVIRONMENT[name]?.some((variable) => !isAsStarted(variable, ownEnvironment[variable])) ??
    false
  );
}
const ownEnvironment = process.env;

/** Asked once for each connection: what a machine does not change while it runs. */
const FIXED = new Set([
  'arch',
  'availableParallelism',
  'endianness',
  'machine',
  'platform',
  'release',
  'totalmem',
  'type',
  'version',
]);
const REMOTE = Object.keys(OS_TABLE).filter((name) => OS_TABLE[name] === 'remote');

function local(context: LocalContext<OsApi>): void {
  const fixed = new WeakMap<object, Map<string, unknown>>();
  for (const name of REMOTE) {
    const original = (nodeOs as unknown as Record<string, OsFunction | undefined>)[name];
    // Older Nodes lack some.
    if (original === undefined) continue;
    const dispatch: OsFunction = (...args) => {
      const target = context.target();
      if (target === undefined || isChosen(name)) return original.apply(nodeOs, args);
      if (!FIXED.has(name)) return target.callSync('fact', name, args);
      const known = fixed.get(target.connection) ?? new Map<string, unknown>();
      fixed.set(target.connection, known);
      if (!known.has(name)) known.set(name, target.callSync('fact', name, args));
      return known.get(name);
    };
    context.replace(
      nodeOs as unknown as Record<string, OsFunction>,
      name,
      primitive(original, dispatch),
    );
  }
}

/** `${os.hostname}` is the host name: the conversion must ask the dispatcher, not the original. */
function primitive(original: OsFunction, dispatch: OsFunction): OsFunction {
  const shaped = likeOriginal(original, dispatch);
  if (Object.hasOwn(original, Symbol.toPrimitive)) {
    const descriptor = Object.getOwnPropertyDescriptor(original, Symbol.toPrimitive);
    Object.defineProperty(shaped, Symbol.toPrimitive, { ...descriptor, value: () => shaped() });
  }
  return shaped;
}

/** The agent's own functions, taken before anything could be substituted there. */
const here: Readonly<Record<string, OsFunction>> = Object.fromEntries(
  REMOTE.flatMap((name) => {
    const fn = (nodeOs as unknown as Record<string, OsFunction | undefined>)[name];
    return fn === undefined ? [] : [[name, fn]];
  }),
);

function remote(): RemoteHalf<OsApi> {
  return {
    calls: {
      fact: (name, args) => {
        if (!Object.hasOwn(here, name))
          throw new TypeError(`os.${name} is not a function of the far side's Node`);
        return (here[name] as OsFunction)(...args);
      },
    },
  };
}

export const osPatch: AnyPatch = definePatch<OsApi>({
  name: 'os',
  coverage: { os: OS_TABLE },
  answers: {
    fact: (answer, [name]): answer is unknown => (FACTS[name] ?? text)(answer),
  },
  signals: {},
  local,
  remote,
});
