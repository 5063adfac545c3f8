/** The preload's half for `elsewhere run`: the far side becomes the scope of the whole program. */
import { dirname } from 'node:path';
import { patches } from '../patches/index.ts';
import { originals } from './base/originals.ts';
import { TLS_PSK_VARIABLE } from './cli/run-environment.ts';
import { setPatches } from './scope/installer.ts';
import { programRules } from './scope/program-rules.ts';
import { enterDefaultScope, type ProgramOptions } from './scope/with-remote.ts';
import { connectBlocking } from './service/connect.ts';
import { startTrace } from './service/trace.ts';

setPatches(patches);

export function enterProgram(agent: string, options: ProgramOptions): void {
  const byToken = process.env[TLS_PSK_VARIABLE] === '1';
  const connection = connectBlocking(agent, byToken ? { tls: { psk: true } } : {});
  enterDefaultScope(connection, {
    ...options,
    paths: programRules(options.paths ?? {}, ownFolder()),
  });
}

function ownFolder(): string {
  return dirname(new URL(import.meta.url).pathname);
}

/** Every remote operation is told on standard error. */
export function traceProgram(): void {
  startTrace((line) => {
    try {
      originals.fs.writeSync(2, `elsewhere: ${line}\n`);
    } catch {
      // Nobody reads it, or not fast enough: the program goes on all the same.
    }
  });
}
