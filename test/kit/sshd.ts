/** An sshd of our own on loopback, for one test file. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PLACES = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/usr/bin/sshd'];

export interface TestSshd {
  /** ssh://user@127.0.0.1:port */
  readonly url: string;
  /** Arguments for ssh that use its keys and no configuration of the user. */
  readonly args: readonly string[];
  readonly port: number;
  /** File of the private key. */
  readonly key: string;
  stop(): void;
}

/** Why there can be none here; undefined where it can. */
export function sshdMissing(): string | undefined {
  if (!PLACES.some((place) => existsSync(place))) return 'sshd is not installed';
  if (process.getuid?.() !== 0) return 'an own sshd needs root here';
  return spawnSync('ssh', ['-V']).error === undefined ? undefined : 'ssh is not installed';
}

export async function startTestSshd(): Promise<TestSshd> {
  const folder = mkdtempSync(join(tmpdir(), 'elsewhere-sshd-'));
  for (const name of ['host', 'key'])
    spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)]);
  const port = await freePort();
  const settings = {
    ListenAddress: '127.0.0.1',
    Port: port,
    HostKey: join(folder, 'host'),
    AuthorizedKeysFile: join(folder, 'key.pub'),
    PidFile: 'none',
    StrictModes: 'no',
    UsePAM: 'no',
    PasswordAuthentication: 'no',
    PermitRootLogin: 'prohibit-password',
    LogLevel: 'QUIET',
    Subsystem: 'sftp internal-sftp',
    // Where this node is.
    SetEnv: `PATH=${process.execPath.replace(/\/[^/]*$/, '')}:/usr/bin:/bin`,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  writeFileSync(join(folder, 'config'), `${lines.join('\n')}\n`);
  // sshd keeps its unprivileged half in there, and does not make the folder.
  mkdirSync('/run/sshd', { recursive: true });
  const program = PLACES.find((place) => existsSync(place)) ?? 'sshd';
  const server = spawn(program, ['-D', '-e', '-f', join(folder, 'config')], { stdio: 'ignore' });
  process.on('exit', () => server.kill());
  while (!(await answers(port))) await sleep(20);
  const options = [
    `IdentityFile=${join(folder, 'key')}`,
    'IdentitiesOnly=yes',
    'BatchMode=yes',
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'LogLevel=ERROR',
  ];
  return {
    url: `ssh://${userInfo().username}@127.0.0.1:${port}`,
    port,
    key: join(folder, 'key'),
    args: ['-F', 'none', ...options.flatMap((option) => ['-o', option])],
    stop: () => {
      server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
