/** One line of the toolkit's own on stderr, never through a substituted stream, and never fed by a peer unescaped. */
let sink: ((line: string) => void) | undefined;

/** Where lines go; none by default, so that a library stays silent. The command line sets it. */
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
