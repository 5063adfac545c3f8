/** The process of one client of an agent with `isolate: 'process'`: started by it, and gone with the client. */
import { patches } from '../patches/index.ts';
import { knownPatches, setPatches } from './scope/installer.ts';
import { serveApart } from './service/apart.ts';

setPatches(patches);
serveApart(knownPatches());
