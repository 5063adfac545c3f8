import { LINK_KINDS } from './link-kinds.ts';
import { syncLaneSuite } from './sync-lane-suite.ts';

for (const kind of LINK_KINDS) syncLaneSuite(kind);
