/** One line of the toolkit's own on stderr, never through a substituted stream, and never fed by a peer unescaped. */
import { debuglog } from 'node:util';
import { originals } from './originals.ts';

let sink: ((line: string) => void) | undefined = debuglog('elsewhere').enabled
  ? (line) => originals.process.stderr.write(`ELSEWHERE ${process.pid}: ${line}\n`)
  : undefined;

/** Where lines go. By default a library stays silent, but for NODE_DEBUG=elsewhere. The command line sets it. */
export function setLog(write: ((line: string) => void) | undefined): void {
  sink = write;
}

export function log(line: string): void {
  sink?.(
    line
      .replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .slice(0, 1024),
  );
}
