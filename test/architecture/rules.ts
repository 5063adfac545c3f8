/** Who may import whom, as data; and the functions that compare a source with it. */
import { posix } from 'node:path';
import type { Import, Source } from './sources.ts';

/** Each may import what stands to its left, and itself. */
const LAYERS = [
  'base',
  'wire',
  'transport',
  'connection',
  'objects',
  'session',
  'service',
  'proxy',
  'relay',
  'registry',
  'cli',
];
/** What hangs beside the layers, and what they add to a layer's list. A part with `type` may be imported as types only. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  security: ['base'],
  'patch.ts': ['base', 'type connection'],
  scope: ['base', 'security', 'patch.ts', 'type connection', 'type session'],
  session: ['security', 'patch.ts'],
  service: ['security', 'patch.ts', 'scope'],
  proxy: ['security', 'scope'],
  relay: ['security'],
  registry: ['security', 'patch.ts', 'scope'],
  cli: ['security', 'patch.ts', 'scope'],
};
/** Composition roots: the only files in src/ that import patches/, and nobody imports them. */
const ROOTS = [
  'index.ts',
  'register.ts',
  'program.ts',
  'agent.ts',
  'isolated.ts',
  'cli.ts',
  'testing.ts',
];
/** What they may import of patches/: the list, and what the public API hands out by itself. */
const FOR_ROOTS = ['patches/index.ts', 'patches/early.ts', 'patches/fs/overlay/index.ts'];
/** What a patch may import besides its own files. */
const FOR_PATCHES = ['src/base', 'src/patch.ts'];

const PATCHABLE = [
  'net',
  'tls',
  'fs',
  'dns',
  'dgram',
  'child_process',
  'http',
  'https',
  'os',
  'process',
];
/** Node's modules that we substitute come from one place, or our own transport is caught by our own patch. */
const PATCHABLE_USERS = /^(?:src\/base\/originals[^/]*\.ts|patches\/.+)$/;
/** No other package may be imported at all. */
const PACKAGES: Readonly<Record<string, RegExp>> = {
  ws: /^src\/transport\/ws[^/]*\.ts$/,
  msgpackr: /^src\/wire\/codec\.ts$/,
  picomatch: /^src\/scope\/path-rules\.ts$/,
};

const MAX_LINES = 400;
const NAMES_THAT_SAY_NOTHING = /(?:^|[/-])(?:utils?|helpers?|common)(?:\.ts$|\/|-)/;

/** What is wrong with this file, as sentences that name it. */
export function violations(source: Source): string[] {
  const { path, lines, imports } = source;
  const found = imports.flatMap((imported) => importViolation(path, imported) ?? []);
  if (lines > MAX_LINES) found.push(`has ${lines} lines: at most ${MAX_LINES}`);
  if (NAMES_THAT_SAY_NOTHING.test(path)) found.push('has a name that says nothing');
  return found.map((text) => `${path} ${text}`);
}

function importViolation(path: string, imported: Import): string | undefined {
  const { specifier } = imported;
  const allowed = specifier.startsWith('.')
    ? mayImportFile(path, posix.join(posix.dirname(path), specifier), imported.typeOnly)
    : mayImportModule(path, imported);
  return allowed
    ? undefined
    : `may not import ${specifier}${imported.typeOnly ? ' (not even types)' : ''}`;
}

function mayImportModule(path: string, { specifier, typeOnly }: Import): boolean {
  const [name = ''] = specifier.replace(/^node:/, '').split('/');
  // Types are erased: nothing of the module is touched.
  if (PATCHABLE.includes(name)) return typeOnly || PATCHABLE_USERS.test(path);
  return specifier.startsWith('node:') || (PACKAGES[specifier]?.test(path) ?? false);
}

function mayImportFile(from: string, to: string, typeOnly: boolean): boolean {
  if (from.startsWith('patches/')) return patchMayImport(from, to);
  const part = partOf(from);
  if (ROOTS.includes(part)) return to.startsWith('src/') || FOR_ROOTS.includes(to);
  const target = to.startsWith('src/') ? partOf(to) : to;
  const list = listOf(part);
  return list.includes(target) || (typeOnly && list.includes(`type ${target}`));
}

/** `src/wire/codec.ts` is of wire, `src/patch.ts` is a part of its own. */
function partOf(path: string): string {
  return path.split('/')[1] ?? '';
}

/** Empty for a folder that is not in the table: its first import, also of its own files, is a violation. */
function listOf(part: string): readonly string[] {
  const place = LAYERS.indexOf(part);
  if (place < 0 && BESIDE[part] === undefined) return [];
  return [part, ...LAYERS.slice(0, Math.max(place, 0)), ...(BESIDE[part] ?? [])];
}

function patchMayImport(from: string, to: string): boolean {
  if (FOR_PATCHES.some((allowed) => to === allowed || to.startsWith(`${allowed}/`))) return true;
  if (from === 'patches/index.ts') return isPatchEntry(to);
  return to.startsWith('patches/') && patchOf(to) === patchOf(from);
}

/** `patches/os.ts` and `patches/net/link.ts` are of os and net. */
function patchOf(path: string): string {
  return (path.split('/')[1] ?? '').replace(/\.ts$/, '');
}

function isPatchEntry(path: string): boolean {
  return /^patches\/(?:[^/]+|[^/]+\/index)\.ts$/.test(path);
}

/** The list, and what the preload needs of them all. */
const BESIDE_PATCHES = ['patches/index.ts', 'patches/early.ts'];

/** The patches that are there but not in the list, folders without an entry among them. */
export function forgottenPatches(sources: readonly Source[]): string[] {
  const list = sources.find(({ path }) => path === 'patches/index.ts');
  const named = new Set(
    list?.imports.map(({ specifier }) => posix.join('patches', specifier)).map(patchOf),
  );
  const there = new Set(
    sources.filter(({ path }) => !BESIDE_PATCHES.includes(path)).map(({ path }) => patchOf(path)),
  );
  const entries = new Set(
    sources
      .map(({ path }) => path)
      .filter(isPatchEntry)
      .map(patchOf),
  );
  const missing = [...there].filter((patch) => !named.has(patch));
  return missing.map((patch) =>
    entries.has(patch)
      ? `patches/index.ts does not name ${patch}`
      : `patches/${patch} has no index.ts`,
  );
}
