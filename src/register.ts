/**
 * The preload: `node --import elsewhere/register app.js` puts the dispatchers in place before the program captures
 * anything; under `elsewhere run` it also makes the far side the scope of the whole program.
 */
import { dirname } from 'node:path';
import { patches } from '../patches/index.ts';
import { originals } from './base/originals.ts';
import { RUN_VARIABLE, TLS_PSK_VARIABLE, TRACE_VARIABLE } from './cli/run-environment.ts';
import { install, setPatches } from './scope/installer.ts';
import { programRules } from './scope/program-rules.ts';
import { enterDefaultScope, type ProgramOptions } from './scope/with-remote.ts';
import { connectBlocking } from './service/connect.ts';
import { startTrace } from './service/trace.ts';

setPatches(patches);
if (process.env[TRACE_VARIABLE] === '1') startTrace(print);
const settings = process.env[RUN_VARIABLE];
const url = process.env['ELSEWHERE_URL'];
if (settings === undefined || url === undefined) install();
else enter(url, JSON.parse(settings) as ProgramOptions);

function enter(agent: string, options: ProgramOptions): void {
  const own = dirname(new URL(import.meta.url).pathname);
  const byToken = process.env[TLS_PSK_VARIABLE] === '1';
  const connection = connectBlocking(agent, byToken ? { tls: { psk: true } } : {});
  enterDefaultScope(connection, { ...options, paths: programRules(options.paths ?? {}, own) });
}

function print(line: string): void {
  try {
    originals.fs.writeSync(2, `elsewhere: ${line}\n`);
  } catch {
    // Nobody reads it, or not fast enough: the program goes on all the same.
  }
}
