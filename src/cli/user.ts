/** `elsewhere user`: the list of users that `elsewhere serve --users` lets in. */
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { originals } from '../base/originals.ts';
import {
  checkName,
  emptyList,
  parseList,
  type UserList,
  withoutUser,
  withUser,
} from '../security/users.ts';
import { readPrivateFile } from '../session/private-file.ts';
import { parseLine } from './args.ts';
import type { Command } from './command.ts';
import { UsageError } from './usage.ts';

const HELP = `elsewhere user: users with passwords, for \`elsewhere serve --users FILE\`

  elsewhere user add FILE NAME      also changes a password; it is asked for, or read from standard input
  elsewhere user remove FILE NAME
  elsewhere user list FILE

The file is made at the first use, yours alone (mode 600). It holds no passwords but keys made of them (scrypt); keep it
as private as a token all the same. A running agent reads it again at each login. Clients: ws://NAME@host:port/#PASSWORD.`;

export const userCommand: Command = {
  name: 'user',
  summary: 'users with passwords, for serve --users',
  help: HELP,
  async run(argv) {
    const [action, file, name, ...more] = parseLine(argv, {}).positionals;
    if (action === 'list' && file !== undefined && name === undefined) return list(file);
    if (file === undefined || name === undefined || more.length > 0)
      throw new UsageError('user needs an action, a file and a name');
    if (action === 'add') return add(file, name);
    if (action === 'remove') return remove(file, name);
    throw new UsageError(`user cannot ${JSON.stringify(action)}: add, remove or list`);
  },
};

async function add(file: string, name: string): Promise<number> {
  checkName(name);
  const known = read(file);
  write(file, withUser(known, name, await askPassword(`password for ${name}: `)));
  return 0;
}

function remove(file: string, name: string): number {
  const known = read(file);
  if (!Object.hasOwn(known.users, name))
    throw new UsageError(`there is no user ${name} in ${file}`);
  write(file, withoutUser(known, name));
  return 0;
}

function list(file: string): number {
  for (const name of Object.keys(read(file).users).sort())
    originals.process.stdout.write(`${name}\n`);
  return 0;
}

function read(file: string): UserList {
  return originals.fs.existsSync(file) ? parseList(readPrivateFile(file), file) : emptyList();
}

/** In one step: an agent that reads it meanwhile finds the old one or the new one. */
function write(file: string, users: UserList): void {
  const { fs } = originals;
  const part = `${file}.${randomBytes(4).toString('hex')}.part`;
  fs.writeFileSync(part, `${JSON.stringify(users, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  fs.renameSync(part, file);
}

/** The first line; at a terminal what is typed does not show. */
function askPassword(question: string): Promise<string> {
  const { stdin, stderr } = originals.process;
  if (stdin.isTTY) stderr.write(question);
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: unseen, terminal: stdin.isTTY === true });
  return new Promise((resolve, reject) => {
    lines.once('line', (line) => {
      if (stdin.isTTY) stderr.write('\n');
      resolve(line);
      lines.close();
    });
    lines.once('close', () => reject(new UsageError('no password was given')));
  });
}
