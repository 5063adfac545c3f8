/**
 * `process.env` by the scope's choice: this process's own, the far side's, ours overlaid with the far side's, or an
 * empty one. A scope has a copy that it may change; nobody else sees it.
 */
import nodeFs from 'node:fs';
import { parseEnv } from 'node:util';
import {
  actsOnPrograms,
  describesMachine,
  noteFarEnvironment,
} from '../../src/base/far-environment.ts';
import type { ScopeView } from '../../src/patch.ts';
import type { ProcessContext, ProcessTarget } from './api.ts';

type Environment = NodeJS.ProcessEnv;

/** How a program of `elsewhere run` and its children find their scope, and each other: always this machine's. */
const OWN =
  /^(?:ELSEWHERE_.*|NODE_OPTIONS|NODE_CHANNEL_FD|NODE_CHANNEL_SERIALIZATION_MODE|NODE_UNIQUE_ID)$/;

export function substituteEnvironment(context: ProcessContext): void {
  const environments = new WeakMap<ScopeView, Environment>();
  const real = process.env;
  let own = real;

  const scoped = (): ProcessTarget | undefined => {
    const target = context.target();
    return target === undefined || (target.scope.env ?? 'local') === 'local' ? undefined : target;
  };
  const environmentOf = (target: ProcessTarget): Environment => {
    const { scope } = target;
    let environment = environments.get(scope);
    if (environment === undefined) {
      environment = coercing(startOf(target, own));
      environments.set(scope, environment);
    }
    return environment;
  };

  // Runs after the descriptor is back: what the program itself has assigned stays.
  context.onUninstall(() => {
    if (own !== real) process.env = own;
  });
  context.redefine(process, 'env', {
    configurable: true,
    enumerable: true,
    get: () => {
      const target = scoped();
      return target === undefined ? own : environmentOf(target);
    },
    set: (value: Environment) => {
      const target = scoped();
      if (target === undefined) own = value;
      else environments.set(target.scope, value);
    },
  });
  substituteLoadEnvFile(context);
}

function startOf(target: ProcessTarget, own: Environment): Record<string, string> {
  const { scope } = target;
  const kept = scope.isDefault ? pick(own, (name) => OWN.test(name)) : {};
  if (scope.env === 'none') return kept;
  const far = pick(target.callSync('environment'), (name) => !actsOnPrograms(name));
  noteFarEnvironment(scope, far);
  if (scope.env === 'remote') return { ...far, ...kept };
  return { ...pick(own, () => true), ...pick(far, (name) => !describesMachine(name)), ...kept };
}

function pick(from: Environment, wanted: (name: string) => boolean): Record<string, string> {
  return Object.fromEntries(
    Object.entries(from).filter(
      (pair): pair is [string, string] => pair[1] !== undefined && wanted(pair[0]),
    ),
  );
}

/** Values become strings and names cannot be symbols, as in the real one (src/node_env_var.cc). */
function coercing(values: Record<string, string>): Environment {
  return new Proxy(values, {
    set: (target, name, value) => {
      // Throws for symbols, with V8's own words.
      Reflect.defineProperty(target, `${name as string}`, property(`${value}`));
      return true;
    },
    defineProperty: (target, name, descriptor) =>
      Reflect.defineProperty(target, name, property(`${descriptor.value}`)),
  });
}

function property(value: string): PropertyDescriptor {
  return { value, configurable: true, enumerable: true, writable: true };
}

/** Node reads that file natively: from here. In a scope it is the scope's file, for the scope's environment. */
function substituteLoadEnvFile(context: ProcessContext): void {
  const { loadEnvFile } = process;
  context.replace(process, 'loadEnvFile', function loadEnvFileInScope(path = '.env') {
    const target = context.target();
    if (target === undefined) return loadEnvFile(path);
    // The file system of the scope, whichever that is.
    const values = parseEnv(nodeFs.readFileSync(path, 'utf8')) as Record<string, string>;
    for (const [name, value] of Object.entries(values)) process.env[name] ??= value;
  });
}

/** On the far side: all but the agent's own secrets. */
export function environment(): Record<string, string> {
  return pick(process.env, (name) => !OWN.test(name));
}
