/**
 * The far process's clocks. They are read once for each connection and carried on by ours: reading one costs nothing
 * then, differences are exact, and the value is right to half a round trip.
 */
import { likeOriginal } from '../../src/base/shape.ts';
import type { ProcessContext, ProcessTarget } from './api.ts';

interface Offsets {
  /** Nanoseconds. */
  readonly hrtime: bigint;
  /** Seconds. */
  readonly uptime: number;
}

export function substituteClocks(context: ProcessContext): void {
  const { hrtime, uptime } = process;
  const { bigint } = hrtime;
  const offsets = new WeakMap<object, Offsets>();

  /** Undefined where the clocks are this process's: outside scopes, and for a program under `elsewhere run`. */
  const offset = (): Offsets | undefined => {
    const target = context.target();
    if (target === undefined || target.scope.isDefault) return undefined;
    const known = offsets.get(target.connection) ?? measured(target, bigint, uptime);
    offsets.set(target.connection, known);
    return known;
  };

  const now = (): bigint => bigint() + (offset()?.hrtime ?? 0n);
  const substitute = function hrtimeInScope(time?: [number, number]): [number, number] {
    // Node's own check of the argument.
    const local = hrtime(time);
    return offset() === undefined ? local : since(now(), time);
  };
  const shaped = likeOriginal(hrtime, substitute as typeof hrtime);
  Object.defineProperty(shaped, 'bigint', {
    ...Object.getOwnPropertyDescriptor(hrtime, 'bigint'),
    value: likeOriginal(bigint, now),
  });
  context.replace(process, 'hrtime', shaped);
  context.replace(
    process,
    'uptime',
    likeOriginal(uptime, () => uptime() + (offset()?.uptime ?? 0)),
  );
}

function measured(target: ProcessTarget, bigint: () => bigint, uptime: () => number): Offsets {
  const before = bigint();
  const far = target.callSync('clocks');
  const after = bigint();
  const passed = Number(after - before) / 2e9;
  return { hrtime: far.hrtime - (before + after) / 2n, uptime: far.uptime - uptime() + passed };
}

function since(now: bigint, time: [number, number] | undefined): [number, number] {
  const seconds = Number(now / 1_000_000_000n);
  const nanoseconds = Number(now % 1_000_000_000n);
  if (time === undefined) return [seconds, nanoseconds];
  const [fromSeconds, fromNanoseconds] = time;
  const rest = nanoseconds - fromNanoseconds;
  return rest < 0
    ? [seconds - fromSeconds - 1, rest + 1_000_000_000]
    : [seconds - fromSeconds, rest];
}

export function clocks(): { hrtime: bigint; uptime: number } {
  return { hrtime: hrtimeHere(), uptime: uptimeHere() };
}
const hrtimeHere = process.hrtime.bigint;
const uptimeHere = process.uptime;
