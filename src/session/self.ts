/** Facts about this process, as told to the peer. */
import { createHash, randomBytes } from 'node:crypto';
import { runLocally } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
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
    thread,
    hostname: originals.os.hostname(),
    cwd: originals.process.cwd(),
    version: packageVersion,
    services: [],
  };
}

let thread: string = randomBytes(12).toString('base64url');

/** Everything for this process goes through that thread: who blocks it waits for ever. */
export function standBehind(other: string): void {
  thread = other;
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

/** Throws if the peer is this very thread: it can't answer while it is blocked. */
export function refuseOwnThread(peer: PeerInfo | undefined): void {
  if (peer?.thread === thread) throw ownThread('the agent');
}

/** `what` would have to work while this thread is blocked. */
export function ownThread(what: string): ElsewhereError {
  return new ElsewhereError(
    'ERR_ELSEWHERE_SYNC_DEADLOCK',
    `${what} is in this same thread and its answer needs the event loop, which this blocking call holds: use the asynchronous form, or run ${what} in a process or a thread of its own`,
  );
}

/** Whether that process runs where this one does, as far as can be told. */
export function isOfThisMachine({ hostname, platform, pidSpace: theirs }: PeerInfo): boolean {
  if (theirs !== '') return theirs === pidSpace();
  return platform === process.platform && hostname === originals.os.hostname();
}

/** Ticks of processor time, each of 10 ms (proc(5), all kernels that Node runs on). */
const TICK = 10;
/** Above this share of a processor a process is busy; an idle one that answers heartbeats needs a thousandth. */
const BUSY = 0.05;

/**
 * Tells at each look whether the process has computed since the last one. False also where that cannot be known: where
 * it runs on another machine, or where there is no /proc.
 */
export function busyWatch(peer: () => PeerInfo | undefined): () => boolean {
  let last: { readonly used: number; readonly at: number } | undefined;
  return () => {
    const info = peer();
    const before = last;
    const used = info === undefined ? undefined : processorTime(info);
    last = used === undefined ? undefined : { used, at: performance.now() };
    if (last === undefined || before === undefined) return false;
    const computed = last.used - before.used;
    return computed > TICK && computed > BUSY * (last.at - before.at);
  };
}

/** Milliseconds in all; undefined unless the process runs where this one does. */
function processorTime(peer: PeerInfo): number | undefined {
  const fields = statOf(peer);
  return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) * TICK;
}

/** Whether what that process does can be seen here, and what this one does there. */
export function seesProcess({ pidSpace: theirs }: PeerInfo): boolean {
  return theirs !== '' && theirs === pidSpace();
}

/** What stands behind its name in /proc/PID/stat: its state first. Throws as reading does; undefined elsewhere. */
function readStat(peer: PeerInfo): string[] | undefined {
  if (!seesProcess(peer)) return undefined;
  const stat = runLocally(() => originals.fs.readFileSync(`/proc/${peer.pid}/stat`, 'latin1'));
  // The name is in brackets, and may hold any character.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function statOf(peer: PeerInfo): string[] | undefined {
  try {
    return readStat(peer);
  } catch {
    return undefined;
  }
}

/** True only if the process is known to have ended: nobody needs to wait for it. */
export function hasEnded(peer: PeerInfo): boolean {
  try {
    const state = readStat(peer)?.[0];
    // One that its parent has not noticed yet is a zombie.
    return state === 'Z' || state === 'X';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
