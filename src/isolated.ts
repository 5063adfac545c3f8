/** The process of one client of an agent with `isolate: 'process'`: started by it, and gone with the client. */
import { patches } from '../patches/index.ts';
import { knownPatches, setPatches } from './scope/installer.ts';
import { serveApart } from './service/apart.ts';
import { standBehind } from './session/self.ts';

setPatches(patches);
standBehind(String(process.argv[2]));
serveApart(knownPatches());
