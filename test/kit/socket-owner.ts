/** Who holds the other end of a loopback connection: the one proof of whose socket it is. */
import fs from 'node:fs';

/** A socket, seen from here. */
export interface Ends {
  readonly localPort?: number | undefined;
  readonly remotePort?: number | undefined;
}

/**
 * The side whose process has the socket at the other end. By the kernel's tables: ports alone do not tell, since the
 * port of a closed socket is soon another's.
 */
export function ownerOf(socket: Ends, pids: ReadonlyMap<string, number>): string {
  const hex = (port = 0): string => port.toString(16).toUpperCase().padStart(4, '0');
  const line = new RegExp(`:${hex(socket.remotePort)} \\S+:${hex(socket.localPort)} .*`);
  const row = line.exec(fs.readFileSync('/proc/net/tcp', 'latin1'))?.[0] ?? '';
  const inode = row.trim().split(/\s+/)[8];
  for (const [side, pid] of pids) if (targetsOf(pid).includes(`socket:[${inode}]`)) return side;
  return `nobody (${row})`;
}

/** How many sockets a process has open. */
export function socketsOf(pid: number): number {
  return targetsOf(pid).filter((target) => target.startsWith('socket:')).length;
}

function targetsOf(pid: number): string[] {
  return fs.readdirSync(`/proc/${pid}/fd`).map((fd) => targetOf(pid, fd));
}

function targetOf(pid: number, fd: string): string {
  try {
    return fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    // Closed meanwhile.
    return '';
  }
}

/** Whether that process listens on the port. */
export function listensOn(pid: number, port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const row = new RegExp(`:${hex} \\S+ 0A (?:\\S+ +){5}(\\d+)`, 'g');
  const tables = ['tcp', 'tcp6'].map((name) => fs.readFileSync(`/proc/net/${name}`, 'latin1'));
  const inodes = tables.flatMap((table) => [...table.matchAll(row)].map(([, inode]) => inode));
  const targets = targetsOf(pid);
  return inodes.some((inode) => targets.includes(`socket:[${inode}]`));
}
