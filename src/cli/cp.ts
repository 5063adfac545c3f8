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

  --resume           keep what has come when it is cut off (NAME.part), and go on with it the next time
  ${ACCESS_HELP}`;

export const cpCommand: Command = {
  name: 'cp',
  summary: 'copy files and folders to or from the far side',
  help: HELP,
  async run(argv) {
    const { values, positionals } = parseLine(argv, {
      on: { type: 'string' },
      resume: { type: 'boolean' },
      ...ACCESS_OPTIONS,
    });
    const [from = '', to = '', ...more] = positionals;
    if (to === '' || more.length > 0 || from.startsWith(':') === to.startsWith(':'))
      throw new UsageError('cp needs two paths, one of them with a colon in front');
    const conn = await connectToAgent(optional(values['on']), values);
    try {
      const { files, bytes, resumed } = await copy(conn, from, to, values['resume'] === true);
      const before = resumed === 0 ? '' : `, of which ${resumed} were there already`;
      originals.process.stderr.write(
        `${files} ${files === 1 ? 'file' : 'files'}, ${bytes} bytes${before}\n`,
      );
    } finally {
      await conn.close();
    }
    return 0;
  },
};

function copy(conn: Connection, from: string, to: string, resume: boolean): Promise<TransferStats> {
  const source = from.replace(/^:/, '');
  const place = to.replace(/^:/, '');
  const target = place === '' || place.endsWith('/') ? join(place, basename(source)) : place;
  const options = { onProgress: progressBar(), resume };
  return from.startsWith(':')
    ? download(conn, source, target, options)
    : upload(conn, source, target, options);
}

/** Milliseconds between two pictures of the bar. */
const PICTURE = 100;
const WIDTH = 24;

/** Only where somebody watches. */
function progressBar(): (bytes: number, path: string, total: number) => void {
  const { stderr } = originals.process;
  let next = 0;
  return (bytes, path, total) => {
    const now = performance.now();
    if (!stderr.isTTY || (now < next && bytes < total)) return;
    next = now + PICTURE;
    const share = total === 0 ? 1 : Math.min(1, bytes / total);
    const bar = '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '.');
    const end = bytes >= total ? '\n' : '';
    stderr.write(
      `\r[${bar}] ${Math.floor(share * 100)} %  ${megabytes(bytes)} of ${megabytes(total)} MB  ${path}\u001b[K${end}`,
    );
  };
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
