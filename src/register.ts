/**
 * The preload: `node --import elsewhere/register app.js` puts the dispatchers in place before the program captures
 * anything; under `elsewhere run` it also makes the far side the scope of the whole program. It runs in every process, so
 * it loads what puts dispatchers in place and nothing else.
 */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { patches } from '../patches/index.ts';
import { RUN_VARIABLE, TRACE_VARIABLE } from './cli/run-environment.ts';
import type * as Program from './program.ts';
import { prepare, setPatches } from './scope/installer.ts';
import type { ProgramOptions } from './scope/with-remote.ts';

setPatches(patches);
if (process.env[TRACE_VARIABLE] === '1') program().traceProgram();
const settings = process.env[RUN_VARIABLE];
const url = process.env['ELSEWHERE_URL'];
if (settings === undefined || url === undefined) prepare();
else program().enterProgram(url, JSON.parse(settings) as ProgramOptions, ownFolder());

/** At once: whoever preloads with --require does not wait for promises. */
function program(): typeof Program {
  return createRequire(import.meta.url)('./program.js') as typeof Program;
}

function ownFolder(): string {
  return dirname(new URL(import.meta.url).pathname);
}
