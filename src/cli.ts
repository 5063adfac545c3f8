#!/usr/bin/env node
/** The command line: composition root of `elsewhere`. */
import { fileURLToPath } from 'node:url';
import { patches } from '../patches/index.ts';
import { main } from './cli/main.ts';
import { setPatches } from './scope/installer.ts';

setPatches(patches);
// Beside this file, as it was built and as it is packed.
const register = fileURLToPath(new URL('./register.js', import.meta.url));
void main(process.argv.slice(2), { register }).then((code) => {
  process.exitCode = code;
  // Sockets that are still closing must not keep a finished command alive.
  setImmediate(() => process.exit());
});
