/** A PostgreSQL server of its own for a test, where one is installed (Debian's package: postgresql). */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Postgres {
  readonly port: number;
  /** Folder of its unix socket. */
  readonly folder: string;
  stop(): Promise<void>;
}

/** Says why there is none, as a string. */
export async function startPostgres(port: number): Promise<Postgres | string> {
  const programs = folderOfPrograms();
  if (programs === undefined) return 'no PostgreSQL server is installed here';
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? idsOf('nobody') : {};
  if (user === undefined) return 'there is no user nobody to run PostgreSQL as';
  const folder = mkdtempSync(join(tmpdir(), 'elsewhere-postgres-'));
  if (user.uid !== undefined) execFileSync('chown', [`${user.uid}:${user.gid}`, folder]);
  const data = join(folder, 'data');
  const environment = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
  const options = { ...user, cwd: folder, env: environment, stdio: 'ignore' } as const;
  execFileSync(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'test', '--auth=trust', '--no-sync', '-E', 'UTF8'],
    options,
  );
  const server = spawn(
    join(programs, 'postgres'),
    ['-D', data, '-p', `${port}`, '-k', folder, '-h', '127.0.0.1', '-F'],
    options,
  );
  const ended = once(server, 'exit');
  process.on('exit', () => server.kill('SIGKILL'));
  const stop = async (): Promise<void> => {
    // Fast shutdown: its clients are gone or of no matter.
    server.kill('SIGINT');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  while (!isReady(programs, port)) {
    if (server.exitCode !== null) return `PostgreSQL ended with ${server.exitCode}`;
    await sleep(20);
  }
  return { port, folder, stop };
}

function folderOfPrograms(): string | undefined {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) return undefined;
  const folders = readdirSync(root).map((version) => join(root, version, 'bin'));
  return folders.find((folder) => existsSync(join(folder, 'initdb')));
}

function idsOf(name: string): { uid?: number; gid?: number } | undefined {
  try {
    const id = (flag: string): number =>
      Number(
        execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
      );
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}

/** It takes connections before it can do anything with them. */
function isReady(programs: string, port: number): boolean {
  const options = ['-q', '-h', '127.0.0.1', '-p', `${port}`];
  return spawnSync(join(programs, 'pg_isready'), options).status === 0;
}
