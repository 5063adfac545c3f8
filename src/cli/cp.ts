/** `elsewhere cp`: files and folders to and from the far side. */
import { basename, join } from 'node:path';
import { originals } from '../base/originals.ts';
import type { Connection } from '../service/connection.ts';
import { download, type TransferStats, upload } from '../service/transfer.ts';
import { ACCESS_HELP, ACCESS_OPTIONS, connectToAgent } from './agent-access.ts';
import { optional, parseLine } from './args.ts';
import type { Command } from './command.ts';
import { UsageError } from './usage.ts';

const HELP = `elsewhere cp: copies a file or a folder to or from the far side

  elsewhere cp [--on URL] [options] SOURCE :DESTINATION
  elsewhere cp [--on URL] [options] :SOURCE DESTINATION

A colon in front means the far side; relative paths there start in the agent's directory. A destination that ends with /
is a folder to copy into. Files are verified by SHA-256, and appear under their name when they are whole.

  ${ACCESS_HELP}`;

export const cpCommand: Command = {
  name: 'cp',
  summary: 'copy files and folders to or from the far side',
  help: HELP,
  async run(argv) {
    const { values, positionals } = parseLine(argv, {
      on: { type: 'string' },
      ...ACCESS_OPTIONS,
    });
    const [from = '', to = '', ...more] = positionals;
    if (to === '' || more.length > 0 || from.startsWith(':') === to.startsWith(':'))
      throw new UsageError('cp needs two paths, one of them with a colon in front');
    const conn = await connectToAgent(optional(values['on']), values);
    try {
      const { files, bytes } = await copy(conn, from, to);
      originals.process.stderr.write(
        `${files} ${files === 1 ? 'file' : 'files'}, ${bytes} bytes\n`,
      );
    } finally {
      await conn.close();
    }
    return 0;
  },
};

function copy(conn: Connection, from: string, to: string): Promise<TransferStats> {
  const source = from.replace(/^:/, '');
  const place = to.replace(/^:/, '');
  const target = place === '' || place.endsWith('/') ? join(place, basename(source)) : place;
  const options = { onProgress: progress };
  return from.startsWith(':')
    ? download(conn, source, target, options)
    : upload(conn, source, target, options);
}

/** Only where somebody watches. */
function progress(bytes: number, path: string): void {
  const { stderr } = originals.process;
  if (stderr.isTTY) stderr.write(`\r${bytes} bytes  ${path}\u001b[K`);
}
