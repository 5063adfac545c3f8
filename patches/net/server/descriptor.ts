/** What a descriptor of this process is. */
import fs from 'node:fs';

export function isSocket(fd: number): boolean {
  try {
    return fs.fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}
