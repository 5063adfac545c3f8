import { authority, tlsArguments } from '../kit/certificates.ts';
import { syncLaneSuite } from './sync-lane-suite.ts';

for (const scheme of ['tls', 'wss'])
  syncLaneSuite({
    name: scheme,
    listen: `${scheme}://127.0.0.1:0`,
    args: tlsArguments(),
    options: { tls: { ca: authority } },
  });
