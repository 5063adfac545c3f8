/**
 * The fetch patch: Node's built-in undici (fetch, WebSocket, EventSource) keeps one pool of connections for the whole
 * process; in a scope it gets one of the scope's connection, since a pooled socket would answer for the wrong side. Packages
 * named undici share the same global dispatcher and are covered where they use it. undici itself is loaded no sooner
 * than the program needs it (it takes 20 ms). A dispatcher that the program sets later, or
 * that is no plain agent, is left alone, and shared.
 */
import { ROUTE } from '../src/base/route-mark.ts';
import {
  type AnyPatch,
  definePatch,
  type LocalContext,
  type ScopeView,
  type Target,
} from '../src/patch.ts';

type NoCalls = Record<never, never>;
type FetchContext = LocalContext<NoCalls>;
type FetchTarget = Target<NoCalls>;

type Dispatcher = object;
type AgentClass = new (options?: object) => Dispatcher;
type WrapperClass = new (agent: Dispatcher) => Dispatcher;
type Globals = Record<symbol, Dispatcher | undefined>;

/** undici up to 7 (Node 20 to 24) and from 8 (Node 26, which keeps the first for older packages, and defines it last). */
const DISPATCHER_1: symbol = Symbol.for('undici.globalDispatcher.1');
const DISPATCHER_2: symbol = Symbol.for('undici.globalDispatcher.2');

/** What undici makes by itself. Of any other (a mock, one proxy for everything) there can't be another of the same kind. */
const PLAIN: ReadonlySet<string> = new Set(['Agent', 'EnvHttpProxyAgent']);

const globals = globalThis as unknown as Globals;

/** The dispatcher that undici put there; not our accessor that waits for it. */
function dispatcherAt(key: symbol): Dispatcher | undefined {
  return Object.getOwnPropertyDescriptor(globals, key)?.value as Dispatcher | undefined;
}

/** The dispatchers of all scopes whose connections go the same ways. */
interface Pools {
  readonly agent: Dispatcher;
  /** Node 26: what `.1` stands for, a wrapper around the agent. */
  readonly wrapper: Dispatcher | undefined;
}

class Dispatchers {
  readonly #context: FetchContext;
  /** By connection, then by what else tells the ways apart. */
  #pools = new WeakMap<object, Map<string, Pools>>();
  /** The process' own dispatcher, once it is there and ours stands in its place. */
  #own: Pools | undefined;
  readonly #standIns = new WeakSet<Dispatcher>();
  #decided = false;

  constructor(context: FetchContext) {
    this.#context = context;
  }

  /** Ours is in place, or the program's own stays. */
  get decided(): boolean {
    return this.#decided;
  }

  /**
   * Stands in for the process' dispatcher from now on. A second undici that is loaded, of a later kind, puts its own in the
   * place of the first: from then on the scopes have pools of that.
   */
  takeOver(): void {
    const made = dispatcherAt(DISPATCHER_2) ?? dispatcherAt(DISPATCHER_1);
    if (made === undefined || this.#standIns.has(made)) return;
    this.#decided = true;
    if (!PLAIN.has(made.constructor.name)) return;
    const outer = dispatcherAt(DISPATCHER_1);
    this.#own = { agent: made, wrapper: outer === made ? undefined : outer };
    this.#pools = new WeakMap();
    for (const key of [DISPATCHER_1, DISPATCHER_2]) this.#substitute(key);
  }

  #substitute(key: symbol): void {
    const before = dispatcherAt(key);
    if (before === undefined) return;
    const standIn = new Proxy(before, { get: (_target, name) => member(this.#chosen(key), name) });
    globals[key] = standIn;
    this.#standIns.add(standIn);
    this.#context.onUninstall(() => {
      // Unless the program has set one of its own meanwhile.
      if (dispatcherAt(key) === standIn) globals[key] = this.#member(this.#own, key) ?? before;
    });
  }

  #chosen(key: symbol): Dispatcher {
    const target = this.#context.target();
    const pools = target === undefined ? this.#own : this.#poolsOf(target);
    const chosen = this.#member(pools, key);
    if (chosen === undefined) throw new TypeError('undici has no dispatcher');
    return chosen;
  }

  #member(pools: Pools | undefined, key: symbol): Dispatcher | undefined {
    return key === DISPATCHER_1 ? (pools?.wrapper ?? pools?.agent) : pools?.agent;
  }

  /** A pool needs no end: when the connection is over its sockets are, and it holds nothing else. */
  #poolsOf(target: FetchTarget): Pools {
    const { scope, connection } = target;
    const known = this.#pools.get(connection) ?? new Map<string, Pools>();
    this.#pools.set(connection, known);
    let pools = known.get(scope.pool);
    if (pools === undefined && this.#own !== undefined) {
      // undici hands the options of `connect`, symbols included, down to net.connect and tls.connect; so a connection
      // that is made later, from one of its timers, goes where it belongs too.
      pools = this.#another(this.#own, scope);
      known.set(scope.pool, pools);
    }
    if (pools === undefined) throw new TypeError('undici is not loaded');
    return pools;
  }

  #another(like: Pools, scope: ScopeView): Pools {
    const options = optionsOf(like.agent);
    const connect = { ...options.connect, [ROUTE]: scope };
    const agent = new (like.agent.constructor as AgentClass)({ ...options, connect });
    const wrapper =
      like.wrapper === undefined
        ? undefined
        : new (like.wrapper.constructor as WrapperClass)(agent);
    return { agent, wrapper };
  }
}

/** What the program made its agent with, such as certificates and limits: every scope's gets the same. */
function optionsOf(agent: Dispatcher): { connect?: object } {
  const key = Object.getOwnPropertySymbols(agent).find(
    ({ description }) => description === 'options',
  );
  return key === undefined ? {} : (Reflect.get(agent, key) as object);
}

/** Methods must see the dispatcher itself: undici keeps its state under private names. */
function member(dispatcher: Dispatcher, name: string | symbol): unknown {
  const value: unknown = Reflect.get(dispatcher, name, dispatcher);
  return typeof value === 'function' && name !== 'constructor' ? value.bind(dispatcher) : value;
}

function fetchLocal(context: FetchContext): void {
  const dispatchers = new Dispatchers(context);
  dispatchers.takeOver();
  awaitLoading(context, dispatchers);
  if (typeof globalThis.fetch === 'function') wrapFetch(context, dispatchers);
}

/** undici looks for a dispatcher when it is loaded, by whatever path, and only if there is none it makes its own. */
function awaitLoading(context: FetchContext, dispatchers: Dispatchers): void {
  for (const key of [DISPATCHER_1, DISPATCHER_2]) {
    if (dispatcherAt(key) !== undefined) continue;
    const get = (): undefined => afterDefinition(() => dispatchers.takeOver());
    // undici then defines the property anew, as one that cannot be redefined.
    Object.defineProperty(globalThis, key, { get, enumerable: false, configurable: true });
    context.onUninstall(() => {
      if (Object.getOwnPropertyDescriptor(globalThis, key)?.get === get)
        Reflect.deleteProperty(globalThis, key);
    });
  }
}

/**
 * Who looks for a dispatcher and finds none defines one next, and may use it in the same breath: `then` comes in between.
 * Where Object cannot be changed it comes a microtask later.
 */
function afterDefinition(then: () => void): undefined {
  const { defineProperty } = Object;
  const hook: typeof defineProperty = (target, name, descriptor) => {
    const defined = defineProperty(target, name, descriptor);
    if ((target as unknown) === globalThis && name === DISPATCHER_1) done();
    return defined;
  };
  const done = (): void => {
    if (Object.defineProperty === hook) Object.defineProperty = defineProperty;
    then();
  };
  Reflect.set(Object, 'defineProperty', hook);
  queueMicrotask(done);
}

/** The usual path: before the first fetch in a scope, ours is in place. */
function wrapFetch(context: FetchContext, dispatchers: Dispatchers): void {
  const original = globalThis.fetch;
  context.replace(globalThis, 'fetch', function fetch(input, init = undefined) {
    if (!dispatchers.decided && context.target() !== undefined) loadUndici(context, dispatchers);
    return original(input, init);
  });
}

function loadUndici(context: FetchContext, dispatchers: Dispatchers): void {
  context.locally(() => new Request('http://localhost/'));
  dispatchers.takeOver();
}

export const fetchPatch: AnyPatch = definePatch<NoCalls>({
  name: 'fetch',
  requires: ['net'],
  follows: 'net',
  answers: {},
  signals: {},
  local: fetchLocal,
});
