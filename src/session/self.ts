/** Facts about this process, as told to the peer. */
import { createHash } from 'node:crypto';
import { runLocally } from '../base/context.ts';
import { originals } from '../base/originals.ts';
import { packageVersion } from '../base/version.ts';
import type { PeerInfo } from '../connection/channel.ts';

export function selfInfo(): PeerInfo {
  return {
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    pid: process.pid,
    pidSpace: pidSpace(),
    hostname: originals.os.hostname(),
    cwd: originals.process.cwd(),
    version: packageVersion,
  };
}

let known: string | undefined;

/** Linux tells its boot and a process's namespace of pids; elsewhere nothing does. */
function pidSpace(): string {
  known ??= runLocally(() => {
    const { fs } = originals;
    try {
      const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1');
      const namespace = fs.readlinkSync('/proc/self/ns/pid');
      return createHash('sha256').update(boot).update(namespace).digest('base64url').slice(0, 22);
    } catch {
      return '';
    }
  });
  return known;
}

/** Whether that process runs where this one does, as far as can be told. */
export function isOfThisMachine({ hostname, platform, pidSpace: theirs }: PeerInfo): boolean {
  if (theirs !== '') return theirs === pidSpace();
  return platform === process.platform && hostname === originals.os.hostname();
}

/** True only if the process is known to have ended: nobody needs to wait for it. */
export function hasEnded({ pid, pidSpace: theirs }: PeerInfo): boolean {
  if (theirs === '' || theirs !== pidSpace()) return false;
  try {
    const stat = runLocally(() => originals.fs.readFileSync(`/proc/${pid}/stat`, 'latin1'));
    // One that its parent has not noticed yet is a zombie (proc(5): the state follows the name in brackets).
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
