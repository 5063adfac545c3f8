/** Whether an attack has left the process as it was. */
import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Own keys of what could be poisoned, with their values. */
export function intrinsics(): readonly (readonly [PropertyKey, unknown])[] {
  return [Object, Function, Array, Map, Set, Promise, Error, String, Number].flatMap((builtin) =>
    [builtin, builtin.prototype as object].flatMap((object) =>
      Reflect.ownKeys(object).map(
        (key) => [key, Object.getOwnPropertyDescriptor(object, key)?.value] as const,
      ),
    ),
  );
}

export function assertIntact(before: ReturnType<typeof intrinsics>): void {
  const after = intrinsics();
  assert.equal(after.length, before.length);
  for (const [i, [key, value]] of after.entries())
    assert.ok(key === before[i]?.[0] && Object.is(value, before[i]?.[1]), String(key));
}

/** Gives the longest time in milliseconds for which the event loop was held up since. */
export function maxDelay(): () => number {
  const histogram = monitorEventLoopDelay({ resolution: 10 });
  histogram.enable();
  return () => {
    histogram.disable();
    return histogram.max / 1e6;
  };
}

/** Gives the milliseconds that this process has worked since: unlike time, it does not grow with other processes. */
export function workTime(): () => number {
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
}
