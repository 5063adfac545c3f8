/** Facts about this process, as told to the peer. */
import { originals } from '../base/originals.ts';
import { packageVersion } from '../base/version.ts';
import type { PeerInfo } from '../connection/channel.ts';

export function selfInfo(): PeerInfo {
  return {
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    pid: process.pid,
    hostname: originals.os.hostname(),
    cwd: originals.process.cwd(),
    version: packageVersion,
  };
}
