/**
 * Classic mode: code of the client, run by the agent with all that the agent may do. Only for who authenticated, and
 * only where `serve` allows it. Values go both ways by value.
 */
import { builtinModules, createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { runInThisContext } from 'node:vm';
import { ElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';
import type { FarSession } from '../session/far-session.ts';
import { serveRedirections } from './redirect.ts';

/** What code of one client sees beside the globals: names that stay from call to call. */
interface Workplace {
  readonly require: NodeJS.Require;
  readonly namespace: Record<string, unknown>;
}

type Compiled = (
  require: NodeJS.Require,
  namespace: Record<string, unknown>,
  args: readonly unknown[],
) => unknown;

/** Adds the operations of classic mode to a session. */
export function serveClassic(session: FarSession): void {
  const redirected = serveRedirections(session);
  let workplace: Workplace | undefined;
  const run = (form: string, redirection: unknown, args: readonly unknown[]): unknown => {
    workplace ??= newWorkplace();
    const { require, namespace } = workplace;
    const compiled = compile(form);
    return redirected(redirection, () => compiled(require, namespace, args));
  };
  session.methods.addCall('classic.eval', ([source, id]) =>
    run(`async () => (${text(source)}\n)`, id, []),
  );
  session.methods.addCall('classic.execute', ([source, id]) =>
    run(`async () => { ${text(source)}\n}`, id, []),
  );
  session.methods.addCall('classic.run', ([source, args, id]) => {
    if (!Array.isArray(args)) throw new TypeError('the arguments of run must be a list');
    return run(`async (...args) => (${text(source)}\n)(...args)`, id, args);
  });
}

/** Refuses them with one clear sentence. */
export function refuseClassic(session: FarSession): void {
  const refuse = (): never => {
    throw new ElsewhereError(
      'ERR_ELSEWHERE_DENIED',
      'the agent does not allow code of its clients: it was started without classic mode',
    );
  };
  for (const name of ['eval', 'execute', 'run']) session.methods.addCall(`classic.${name}`, refuse);
}

function newWorkplace(): Workplace {
  // Modules are found as from a file in the agent's working directory.
  const require = createRequire(pathToFileURL(`${originals.process.cwd()}/`));
  return { require, namespace: Object.create(builtins(require)) };
}

/** Globals that are called as a module is; what one expects of the name is the global. */
const KEPT = ['process', 'console'];

/** Node's modules by their names, as in `node -p` and the REPL; a name that the client assigns is its own from then on. */
function builtins(require: NodeJS.Require): object {
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

/** `with` makes the names of the namespace readable without naming it; the client's own code says whether it is strict. */
function compile(form: string): Compiled {
  const body = `(function (require, namespace, args) { with (namespace) { return (${form})(...args); } })`;
  return runInThisContext(body, { filename: 'elsewhere-client-code' }) as Compiled;
}

function text(source: unknown): string {
  if (typeof source !== 'string') throw new TypeError('the code must be a string');
  return source;
}
