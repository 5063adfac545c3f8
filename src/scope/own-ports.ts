/**
 * The ports of this machine on which a tree of processes listens, found in the kernel's tables (Linux; elsewhere none is
 * found). Under `elsewhere run` what a program and its children serve here by themselves is reached here.
 */
import { runLocally } from '../base/context.ts';
import { originals } from '../base/originals.ts';

const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];
/** Owners of sockets that were looked for: inodes are not soon given again. */
const MAX_KNOWN = 256;

/** `root` is the pid of the process under which the tree grows. */
export function ownPorts(root: number): (port: number) => boolean {
  const known = new Map<string, boolean>();
  return (port) =>
    runLocally(() =>
      listeners(port).some((inode) => {
        const before = known.get(inode);
        if (before !== undefined) return before;
        if (known.size >= MAX_KNOWN) known.clear();
        const own = treeOf(root).some((pid) => holds(pid, `socket:[${inode}]`));
        known.set(inode, own);
        return own;
      }),
    );
}

/** The inodes of the sockets that listen on a port. */
function listeners(port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode; 0A is LISTEN.
  const row = new RegExp(`:${hex} \\S+ 0A (?:\\S+ +){5}(\\d+)`, 'g');
  return TABLES.flatMap((table) =>
    [...read(table).matchAll(row)].flatMap(([, inode]) => inode ?? []),
  );
}

/** The processes below `root`. */
function treeOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of list('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    // pid (name) state ppid: the name may contain anything.
    const stat = read(`/proc/${pid}/stat`);
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

function holds(pid: number, socket: string): boolean {
  return list(`/proc/${pid}/fd`).some((fd) => {
    try {
      return originals.fs.readlinkSync(`/proc/${pid}/fd/${fd}`) === socket;
    } catch {
      return false;
    }
  });
}

/** Empty for what is not there, or not ours to see. */
function read(path: string): string {
  try {
    return originals.fs.readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return originals.fs.readdirSync(path);
  } catch {
    return [];
  }
}
