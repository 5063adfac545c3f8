/**
 * Classic mode: code of the client, run by the agent with all that the agent may do. Only for who authenticated, and
 * only where `serve` allows it. Data goes both ways by value, behaviour by reference.
 */
import { constants, runInThisContext } from 'node:vm';
import { ElsewhereError } from '../base/errors.ts';
import type { IncomingCall } from '../connection/calls.ts';
import { byRef } from '../objects/marks.ts';
import type { ObjectSession } from '../objects/session.ts';
import type { FarSession } from '../session/far-session.ts';
import { builtins, type FarModules, farModules, serveModules } from './far-modules.ts';
import { serveRedirections } from './redirect.ts';
import { explainFreeVariable, functionSource } from './teleport.ts';

/** What code of one client sees beside the globals: names that stay from call to call. */
interface Workplace extends FarModules {
  readonly namespace: Record<string, unknown>;
}

type Compiled = (
  require: NodeJS.Require,
  namespace: Record<string, unknown>,
  ...values: unknown[]
) => unknown;

/** Names of the operations. */
const EVAL = 'classic.eval';
const EXECUTE = 'classic.execute';
const RUN = 'classic.run';
const TELEPORT = 'classic.teleport';
const DELIVER = 'classic.deliver';

/** Adds the operations of classic mode to a session. */
export function serveClassic(session: FarSession, objects: ObjectSession): void {
  const redirected = serveRedirections(session);
  objects.runOpen = redirected;
  let made: Workplace | undefined;
  const workplace = (): Workplace => {
    if (made === undefined) {
      const modules = farModules();
      made = { ...modules, namespace: Object.create(builtins(modules.require)) };
    }
    return made;
  };
  serveModules(objects, workplace, () => workplace().namespace);
  const answer = async (
    call: IncomingCall | undefined,
    redirection: unknown,
    work: () => unknown,
  ): Promise<unknown> => {
    try {
      const value = await redirected(redirection, work);
      // What nobody waits for any more is not handed over.
      return call?.cancelled === true ? null : objects.seal(value, 'open');
    } catch (error) {
      throw objects.seal(error, 'open');
    }
  };
  type Handler = (args: unknown[], place: Workplace, signal: AbortSignal) => unknown;
  const add = (name: string, handler: Handler): void =>
    session.methods.addTellingCall(name, ([sealed], call) => {
      const [redirection, ...args] = objects.open(sealed) as unknown[];
      const { signal } = call as IncomingCall;
      const work = (): unknown => handler(args, workplace(), signal);
      return answer(call, redirection, () => session.methods.observed(name, args, work));
    });
  const evaluated = (place: Workplace, form: string, signal: AbortSignal): unknown =>
    evaluate(place, form, ['signal'], [signal])();
  add(EVAL, ([source], place, signal) =>
    evaluated(place, `async () => (${text(source)}\n)`, signal),
  );
  add(EXECUTE, ([source], place, signal) =>
    evaluated(place, `async () => { ${text(source)}\n}`, signal),
  );
  add(RUN, ([source, ...args], place, signal) =>
    teleported(place, text(source), { signal })(...args),
  );
  add(DELIVER, ([value]) => (isObject(value) ? byRef(value) : value));
  add(TELEPORT, ([source, captures, name], place) => {
    const fn = teleported(place, text(source), record(captures));
    if (typeof name === 'string') place.namespace[name] = fn;
    return fn;
  });
}

/** Refuses them with one clear sentence. */
export function refuseClassic(session: FarSession, objects: ObjectSession): void {
  const refuse = (): never => {
    throw new ElsewhereError(
      'ERR_ELSEWHERE_DENIED',
      'the agent does not allow code of its clients: it was started without classic mode',
    );
  };
  for (const name of [EVAL, EXECUTE, RUN, TELEPORT, DELIVER]) session.methods.addCall(name, refuse);
  for (const name of ['modules', 'global', 'namespace'])
    objects.addRoot(name, { access: 'listed', start: refuse });
}

type Fn = (...args: unknown[]) => unknown;

/** `with` makes the names of the namespace readable without naming it; the client's own code says whether it is strict. */
function evaluate(
  { require, namespace, filename }: Workplace,
  form: string,
  names: readonly string[] = [],
  values: readonly unknown[] = [],
): Fn {
  const body = `(function (require, namespace, ${names.join(', ')}) { with (namespace) { return (${form}); } })`;
  const compiled = runInThisContext(body, {
    filename,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }) as Compiled;
  return compiled(require, namespace, ...values) as Fn;
}

/** A function of the client's, from its source. */
function teleported(place: Workplace, source: string, captures: Record<string, unknown>): Fn {
  const names = Object.keys(captures);
  const fn = functionSource(source, (form) =>
    evaluate(place, form, names, Object.values(captures)),
  );
  return explainFreeVariable(fn);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function text(source: unknown): string {
  if (typeof source !== 'string') throw new TypeError('the code must be a string');
  return source;
}

function record(captures: unknown): Record<string, unknown> {
  if (captures === null || captures === undefined) return {};
  const names = Object.keys(captures);
  if (!names.every((name) => /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)))
    throw new TypeError('captures must be an object of names and values');
  return captures as Record<string, unknown>;
}
