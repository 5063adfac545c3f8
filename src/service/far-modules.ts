/** Modules and globals of the agent, for clients that may use all of it. */
import { builtinModules, createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { constants, runInThisContext } from 'node:vm';
import { originals } from '../base/originals.ts';
import { byRef } from '../objects/marks.ts';
import type { ObjectSession } from '../objects/session.ts';

export interface FarModules {
  readonly require: NodeJS.Require;
  readonly importModule: (specifier: string) => Promise<unknown>;
  readonly filename: string;
}

/** Modules are found as from a file in the agent's working directory. */
export function farModules(): FarModules {
  const filename = join(originals.process.cwd(), '[elsewhere]');
  const require = createRequire(pathToFileURL(filename));
  const importModule = runInThisContext('(specifier) => import(specifier)', {
    filename,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }) as (specifier: string) => Promise<unknown>;
  return { require, importModule, filename };
}

/** Globals that are called as a module is; what one expects of the name is the global. */
const KEPT = ['process', 'console'];

/** Node's modules by their names, as in `node -p` and the REPL; a name that the client assigns is its own from then on. */
export function builtins(require: NodeJS.Require): object {
  const names = builtinModules.filter((name) => /^[a-z]\w*$/.test(name) && !KEPT.includes(name));
  const getters = names.map((name): [string, PropertyDescriptor] => [
    name,
    {
      get: () => require(`node:${name}`),
      set(this: object, value: unknown) {
        Object.defineProperty(this, name, {
          value,
          writable: true,
          enumerable: true,
          configurable: true,
        });
      },
    },
  ]);
  return Object.defineProperties({}, Object.fromEntries(getters));
}

/** `conn.modules`, `conn.global` and `conn.namespace`. */
export function serveModules(
  objects: ObjectSession,
  modules: () => FarModules,
  namespace: () => object,
): void {
  objects.addRoot('modules', {
    access: 'open',
    has: (specifier) => isThere(modules(), specifier),
    start: (path) => {
      const [specifier] = path;
      if (specifier === undefined) throw new TypeError('conn.modules needs the name of a module');
      const loaded = load(modules(), specifier);
      const start = (value: unknown) => ({ value: whole(value), used: 1 });
      return loaded instanceof Promise ? loaded.then(start) : start(loaded);
    },
  });
  objects.addRoot('global', { access: 'open', start: () => ({ value: globalThis, used: 0 }) });
  objects.addRoot('namespace', { access: 'open', start: () => ({ value: namespace(), used: 0 }) });
}

/** A module goes by reference, though it may look like data. */
function whole(value: unknown): unknown {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
    ? byRef(value)
    : value;
}

/** Found, not loaded. */
function isThere({ require }: FarModules, specifier: string): boolean {
  try {
    require.resolve(specifier);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'ERR_PACKAGE_PATH_NOT_EXPORTED';
  }
}

/** What `require` cannot give, since it awaits at its top level or has a condition for `import` alone. */
const ONLY_IMPORTED = new Set([
  'ERR_REQUIRE_ESM',
  'ERR_REQUIRE_ASYNC_MODULE',
  'ERR_PACKAGE_PATH_NOT_EXPORTED',
  'ERR_REQUIRE_CYCLE_MODULE',
]);

function load({ require, importModule }: FarModules, specifier: string): unknown {
  try {
    return require(specifier);
  } catch (error) {
    if (!ONLY_IMPORTED.has((error as { code?: string }).code ?? '')) throw error;
    return importModule(specifier);
  }
}
