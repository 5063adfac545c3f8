/** What `process` says of the machine in a scope; what it says of the program stays (table.ts has the reasons). */
import { type AnyPatch, definePatch } from '../../src/patch.ts';
import { substituteActivity } from './activity.ts';
import { PROCESS_ANSWERS } from './answers.ts';
import type { ProcessApi } from './api.ts';
import { clocks, substituteClocks } from './clocks.ts';
import { directory, substituteDirectory } from './directory.ts';
import { environment, substituteEnvironment } from './environment.ts';
import { change, fact, kill, known, substituteIdentity } from './identity.ts';
import { PROCESS_TABLE } from './table.ts';

export const processPatch: AnyPatch = definePatch<ProcessApi>({
  name: 'process',
  follows: 'fs',
  coverage: { process: PROCESS_TABLE },
  answers: PROCESS_ANSWERS,
  signals: {},
  local(context) {
    substituteDirectory(context);
    substituteEnvironment(context);
    substituteIdentity(context);
    substituteClocks(context);
    substituteActivity(context);
  },
  remote: ({ policy, alone }) => ({
    calls: {
      directory: (from, to) => directory(policy, from, to),
      environment: () =>
        Object.fromEntries(Object.entries(environment()).filter(([name]) => policy.env(name))),
      fact,
      known,
      clocks,
      change: (name, given) => {
        // A policy holds for the user that the agent was started as.
        if (!alone || policy.restricted) return false;
        change(name, given);
        return true;
      },
      kill: (pid, signal) => {
        // Only without a policy: a client's own children have a way of their own.
        if (policy.restricted) throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' });
        kill(pid, signal);
      },
    },
  }),
});
