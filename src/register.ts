/**
 * The preload: `node --import elsewhere/register app.js` puts the dispatchers in place before the program captures
 * anything; under `elsewhere run` it also makes the far side the scope of the whole program.
 */
import { dirname } from 'node:path';
import { patches } from '../patches/index.ts';
import { RUN_VARIABLE } from './cli/run-environment.ts';
import { install, setPatches } from './scope/installer.ts';
import { programRules } from './scope/program-rules.ts';
import { enterDefaultScope, type ProgramOptions } from './scope/with-remote.ts';
import { connectBlocking } from './service/connect.ts';

setPatches(patches);
const settings = process.env[RUN_VARIABLE];
const url = process.env['ELSEWHERE_URL'];
if (settings === undefined || url === undefined) install();
else enter(url, JSON.parse(settings) as ProgramOptions);

function enter(agent: string, options: ProgramOptions): void {
  const own = dirname(new URL(import.meta.url).pathname);
  const connection = connectBlocking(agent);
  enterDefaultScope(connection, { ...options, paths: programRules(options.paths ?? {}, own) });
}
