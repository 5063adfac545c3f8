/**
 * The preload: `node --import elsewhere/register app.js` sees to it that what a program takes out of Node's modules
 * early is also remote in a scope; under `elsewhere run` it makes the far side the scope of the whole program. It runs in
 * every process, so it loads nothing but that; and no module of Node by an import, since these are shown to loaders that
 * a program brings along.
 */
import { forwardEarly } from '../patches/early.ts';
import { RUN_VARIABLE, TRACE_VARIABLE } from './cli/run-environment.ts';
import type * as Program from './program.ts';
import type { ProgramOptions } from './scope/with-remote.ts';

if (process.env[TRACE_VARIABLE] === '1') program().traceProgram();
const settings = process.env[RUN_VARIABLE];
const url = process.env['ELSEWHERE_URL'];
if (settings === undefined || url === undefined) forwardEarly();
else program().enterProgram(url, JSON.parse(settings) as ProgramOptions);

/** At once: whoever preloads with --require does not wait for promises. */
function program(): typeof Program {
  const { createRequire } = process.getBuiltinModule('node:module');
  return createRequire(import.meta.url)('./program.js') as typeof Program;
}
