/** The agent as one self-contained file: what `elsewhere serve` is, for machines that have Node and nothing else. */
import { patches } from '../patches/index.ts';
import { main } from './cli/main.ts';
import { setPatches } from './scope/installer.ts';

setPatches(patches);
void main(['serve', ...process.argv.slice(2)], { register: '' }).then((code) => {
  process.exitCode = code;
  setImmediate(() => process.exit());
});
