/** spawnSync, execSync and execFileSync on the far side: in place of the native function under all three. */
import { knownError } from '../../src/base/system-errors.ts';
import type { ChildTarget, SyncLaunch, SyncResult, SyncStep } from './api.ts';
import type { NativeSpawn } from './binding.ts';
import { errnoOf, signalName } from './errno.ts';
import { launchOf } from './launch.ts';
import { planStdio, type StdioPlan } from './stdio.ts';

/** What lib/internal/child_process.js hands to the native function. */
export interface SyncOptions extends NativeSpawn {
  readonly env?: object | undefined;
  envPairs?: string[] | undefined;
  readonly timeout?: number | undefined;
  readonly maxBuffer?: number | undefined;
  readonly killSignal?: number | undefined;
}

interface NativeResult {
  error?: number;
  readonly status: number | null;
  readonly signal: string | null;
  readonly output: (Uint8Array | null)[] | null;
  readonly pid: number;
}

export function runFar(target: ChildTarget, options: SyncOptions): NativeResult {
  const plans = options.stdio.map((entry) => planStdio(target, entry));
  try {
    let step = target.callSync('run', syncLaunch(target, options, plans));
    show(step, plans);
    while (step.result === null) {
      step = target.callSync('runOn', step.id);
      show(step, plans);
    }
    return native(step.result);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || knownError(code) === undefined) throw error;
    return { error: errnoOf(code), status: null, signal: null, output: null, pid: 0 };
  }
}

function syncLaunch(
  target: ChildTarget,
  options: SyncOptions,
  plans: readonly StdioPlan[],
): SyncLaunch {
  return {
    ...launchOf(target, options),
    // An input of this side cannot be read while this thread waits: the child finds its end.
    stdio: plans.map(({ far, input }) => (input === undefined ? far : 'ignore')),
    input: options.stdio.map((entry) => bytesOf(entry.input)),
    live: plans.flatMap(({ output }, index) => (output === undefined ? [] : [index])),
    timeout: options.timeout ?? 0,
    maxBuffer: Number.isFinite(options.maxBuffer) ? (options.maxBuffer ?? 0) : 0,
    killSignal: String(signalName(options.killSignal ?? 0) || 'SIGTERM'),
  };
}

function bytesOf(input: ArrayBufferView | undefined): Uint8Array | null {
  if (input === undefined || input === null) return null;
  return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
}

function show(step: SyncStep, plans: readonly StdioPlan[]): void {
  for (const [index, bytes] of step.live) plans[index]?.output?.write(bytes);
}

function native(result: SyncResult): NativeResult {
  const { error, status, signal, pid } = result;
  const output = result.output?.map((bytes) => (bytes === null ? null : asBuffer(bytes))) ?? null;
  const told = { status, signal, output, pid };
  return error === null ? told : { error: errnoOf(error), ...told };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
