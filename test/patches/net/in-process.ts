/**
 * Both ends of a session in this process, without transport or handshake: for trying the patches on Node's own test
 * files. Values are copied as the wire would and everything arrives later, never inside the call.
 */
import module from 'node:module';
import v8 from 'node:v8';
import { currentContext, LOCAL, runInContext, runLocally, setFallbackContext } from '../../../src/base/context.ts';
import type { ByteStream, StreamHandler } from '../../../src/connection/channel.ts';
import { SessionStream, type StreamPort } from '../../../src/connection/stream.ts';
import type { AnyPatch, LocalContext, RemoteContext, RemoteStream, ScopeView, Target } from '../../../src/patch.ts';

type AnyCalls = Record<string, (...args: never[]) => unknown>;
type AnyStreams = Record<string, (stream: RemoteStream, ...args: never[]) => void>;
type AnyTarget = Target<AnyCalls, AnyStreams>;

const LATENCY = Number(process.env['FAKE_LATENCY'] ?? 0);
const later = (fn: () => void): void => void (LATENCY > 0 ? queue(fn, setTimeoutKept) : queue(fn, setImmediateKept));
const setImmediateKept = setImmediate;
const setTimeoutKept = setTimeout;
const waiting: (() => void)[] = [];
let holds = 0;
let keep: NodeJS.Timeout | undefined;

function queue(fn: () => void, timer: unknown): void {
  if (timer === setTimeoutKept) {
    setTimeoutKept(fn, LATENCY);
    return;
  }
  waiting.push(fn);
  if (waiting.length === 1) setImmediateKept(flush);
}

function flush(): void {
  const batch = waiting.splice(0);
  for (const fn of batch) fn();
}

const copy = <T>(value: T): T => v8.deserialize(v8.serialize(value)) as T;

let nextId = 1;

function pair(method: string, args: unknown[], handler: StreamHandler, opener: (stream: SessionStream, args: unknown[]) => void): ByteStream {
  void method;
  const id = nextId++;
  const port = (other: () => SessionStream): StreamPort => ({
    writable: true,
    data: (_id, bytes) => {
      const kept = Buffer.from(bytes);
      later(() => other().receiveData(kept));
    },
    signal: (_id, value) => {
      const kept = copy(value);
      later(() => other().receiveSignal(kept));
    },
    credit: (_id, bytes) => later(() => other().receiveCredit(bytes)),
    end: () => later(() => other().receiveEnd()),
    reset: (_id, reason) => later(() => other().receiveReset(reason)),
    forget: () => undefined,
  });
  let far: SessionStream;
  const near: SessionStream = new SessionStream(
    id,
    port(() => far),
    handler,
  );
  const sent = copy(args);
  later(() => {
    far = new SessionStream(
      id,
      port(() => near),
      undefined,
    );
    opener(far, sent);
  });
  return near;
}

function fakeTarget(patch: AnyPatch, scope: ScopeView, connection: object): AnyTarget {
  const remoteContext: RemoteContext = {
    session: 's',
    peer: undefined as never,
    signal: () => new AbortController().signal,
    onEnd: () => undefined,
  };
  const half = patch.remote?.(remoteContext);
  const target = {
    scope,
    peer: { node: process.versions.node },
    connection,
    alive: true,
    send(name: string, args: unknown[], done: (error: unknown, value?: unknown) => void) {
      let cancelled = false;
      target.hold();
      const sent = copy(args);
      later(() => {
        void runInContext(LOCAL, async () => (half?.calls as Record<string, (...args: unknown[]) => unknown>)[name]?.(...sent)).then(
          (value) => later(() => {
            target.release();
            if (!cancelled) done(null, copy(value));
          }),
          (error: unknown) => later(() => {
            target.release();
            if (!cancelled) done(error);
          }),
        );
      });
      return () => {
        cancelled = true;
      };
    },
    call: (name: string, ...args: unknown[]) =>
      new Promise((resolve, reject) => {
        target.send(name, args, (error, value) => (error ? reject(error) : resolve(value)));
      }),
    callSync: () => {
      throw new Error('no sync lane here');
    },
    notify: () => undefined,
    open: (name: string, args: unknown[], handler: StreamHandler) =>
      pair(name, args, handler, (stream, sent) => {
        const open = half?.streams?.[name] as unknown as (stream: SessionStream, ...args: unknown[]) => void;
        runInContext(LOCAL, () => open(stream, ...sent));
      }),
    hold() {
      if (++holds === 1) keep = setIntervalKept(() => undefined, 1 << 30);
    },
    release() {
      if (--holds === 0) clearInterval(keep);
    },
    onClosed: () => () => undefined,
  };
  return target as unknown as AnyTarget;
}
const setIntervalKept = setInterval;

/** Installs `patches` with every scope's target in this process; `whole` makes one scope the default of the process. */
export function installInProcess(patches: readonly AnyPatch[], whole: boolean): { newScope(): ScopeView; uninstall(): void } {
  const undo: (() => void)[] = [];
  const targets = new Map<ScopeView, Map<string, AnyTarget>>();
  let ids = 0;
  const newScope = (): ScopeView => {
    const connection = {};
    const scope: ScopeView = {
      id: ++ids,
      isDefault: whole,
      cwd: '/',
      stdio: 'remote',
      run: (fn) => runInContext(scope, fn),
    };
    targets.set(scope, new Map(patches.map((patch) => [patch.name, fakeTarget(patch, scope, connection)])));
    return scope;
  };
  const redefine = (object: object, key: PropertyKey, descriptor: PropertyDescriptor): PropertyDescriptor | undefined => {
    const before = Reflect.getOwnPropertyDescriptor(object, key);
    Object.defineProperty(object, key, descriptor);
    undo.push(() => void (before === undefined ? Reflect.deleteProperty(object, key) : Object.defineProperty(object, key, before)));
    return before;
  };
  for (const patch of patches) {
    const context = {
      target: () => {
        const scope = currentContext() as ScopeView | undefined;
        return scope === undefined ? undefined : targets.get(scope)?.get(patch.name);
      },
      decide: () => undefined,
      scope: () => currentContext() as ScopeView | undefined,
      locally: runLocally,
      replace: (object: object, key: PropertyKey, value: unknown) => {
        const before = Reflect.getOwnPropertyDescriptor(object, key);
        if (before === undefined) throw new Error(`nothing to replace: ${String(key)}`);
        redefine(object, key, { ...before, value });
        return before.value as unknown;
      },
      redefine,
      onUninstall: (fn: () => void) => void undo.push(fn),
    };
    patch.local?.(context as unknown as LocalContext<AnyCalls, AnyStreams>);
  }
  module.syncBuiltinESMExports();
  if (whole) setFallbackContext(newScope());
  return {
    newScope,
    uninstall: () => {
      for (const fn of undo.reverse()) fn();
      module.syncBuiltinESMExports();
    },
  };
}
