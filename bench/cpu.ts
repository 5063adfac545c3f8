/** CPU time of processes and all their children, from Linux' /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/** Nanoseconds that these processes and all below them have used; undefined where the system does not tell. */
export function cpuTime(pids: readonly number[]): number | undefined {
  if (process.platform !== 'linux') return undefined;
  let total = 0;
  for (const pid of withChildren(pids)) total += processTime(pid);
  return total;
}

function processTime(pid: number): number {
  let total = 0;
  for (const thread of list(`/proc/${pid}/task`)) {
    // [time on the CPU in ns, time waiting, slices]
    const stat = read(`/proc/${pid}/task/${thread}/schedstat`);
    total += Number(stat.split(' ', 1)[0]);
  }
  return total;
}

function withChildren(pids: readonly number[]): Set<number> {
  const found = new Set<number>();
  const add = (pid: number): void => {
    if (found.has(pid)) return;
    found.add(pid);
    for (const thread of list(`/proc/${pid}/task`)) {
      const children = read(`/proc/${pid}/task/${thread}/children`);
      for (const child of children.split(' ')) if (child !== '') add(Number(child));
    }
  };
  for (const pid of pids) add(pid);
  return found;
}

// A process may end while we look at it.

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
