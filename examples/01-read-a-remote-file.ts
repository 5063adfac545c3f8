// A file of the far machine and a file of this one, written and read at the same time by the same code.
//   elsewhere serve                                 (there; prints a URL)
//   node 01-read-a-remote-file.js URL               (here)
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { connect, withRemote } from 'elsewhere';

async function note(): Promise<string> {
  const folder = await mkdtemp(join(process.cwd(), 'note-'));
  const file = join(folder, 'note.txt');
  await writeFile(file, `written on ${hostname()} in ${process.cwd()}`);
  return readFile(file, 'utf8');
}

const conn = await connect(process.argv[2] ?? '');
const [there, here] = await Promise.all([withRemote(conn, note), note()]);
console.log('there:', there);
console.log('here: ', here);
await conn.close();
