/** Starts a child on the far side in place of Node's native `spawn`. */
import { knownError } from '../../src/base/system-errors.ts';
import type { ChildTarget, Spawned } from './api.ts';
import type { NativePipe, NativeProcess, NativeSpawn } from './binding.ts';
import { errnoOf } from './errno.ts';
import { type Forwarding, forwardInput, forwardOutput } from './forward.ts';
import { launchOf } from './launch.ts';
import { makeRemote } from './pipe-handle.ts';
import { lead } from './process-handle.ts';
import { planStdio, type StdioPlan } from './stdio.ts';

/** Returns 0 or a negative error number, as the native one. */
export function spawnFar(target: ChildTarget, handle: NativeProcess, spawn: NativeSpawn): number {
  let plans: StdioPlan[];
  let answer: Spawned;
  try {
    plans = spawn.stdio.map((entry) => planStdio(target, entry));
    answer = ask(target, spawn, plans);
  } catch (error) {
    // Node closes what it made only for errors that it knows as numbers.
    for (const pipe of pipes(spawn)) pipe?.close();
    handle.close();
    throw error;
  }
  if ('error' in answer) {
    for (const pipe of pipes(spawn)) if (pipe !== undefined) makeRemote(target, pipe, undefined);
    return errnoOf(answer.error);
  }
  const { id, pid } = answer;
  pipes(spawn).forEach((pipe, index) => {
    if (pipe !== undefined) makeRemote(target, pipe, { child: id, index });
  });
  lead(handle, { target, id, pid, forwarded: forwardAll(target, id, plans) });
  return 0;
}

function ask(target: ChildTarget, spawn: NativeSpawn, plans: readonly StdioPlan[]): Spawned {
  const stdio = plans.map((plan) => plan.far);
  try {
    return target.callSync('spawn', launchOf(target, spawn), stdio);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || knownError(code) === undefined) throw error;
    return { error: code };
  }
}

function pipes(spawn: NativeSpawn): (NativePipe | undefined)[] {
  return spawn.stdio.map(({ type, handle }) =>
    type === 'pipe' || type === 'overlapped' ? (handle as NativePipe | undefined) : undefined,
  );
}

function forwardAll(target: ChildTarget, id: number, plans: readonly StdioPlan[]): Forwarding[] {
  return plans.flatMap(({ input, output }, index) => {
    if (input !== undefined) return [forwardInput(target, id, index, input)];
    return output === undefined ? [] : [forwardOutput(target, id, index, output)];
  });
}
