/** An sshd of our own on loopback, with keys and settings in a folder that goes away: the anchor of comparisons. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2, { type Client, type SFTPWrapper } from 'ssh2';
import { endProcess, type Stage } from './stage.ts';

const PLACES = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/usr/bin/sshd'];
/** The fastest of OpenSSH's ciphers on machines with AES instructions. */
const CIPHER = 'aes128-gcm@openssh.com';

export interface Forwarding {
  readonly port: number;
  readonly pids: readonly number[];
}

export class Sshd {
  readonly #stage: Stage;
  readonly #folder: string;
  readonly #port: number;
  readonly #server: ChildProcess;

  constructor(stage: Stage, folder: string, port: number, server: ChildProcess) {
    this.#stage = stage;
    this.#folder = folder;
    this.#port = port;
    this.#server = server;
  }

  get pid(): number {
    return this.#server.pid ?? 0;
  }

  get port(): number {
    return this.#port;
  }

  /** `ssh -L` to a port of loopback; `through` is a port that leads to sshd. */
  forward(port: number, through: number = this.#port): Promise<Forwarding> {
    return this.#forwarding(through, (local) => ['-L', `127.0.0.1:${local}:127.0.0.1:${port}`]);
  }

  /** `ssh -D`: a SOCKS proxy. */
  dynamic(through: number = this.#port): Promise<Forwarding> {
    return this.#forwarding(through, (local) => ['-D', `127.0.0.1:${local}`]);
  }

  async #forwarding(through: number, flags: (local: number) => string[]): Promise<Forwarding> {
    const local = await freePort();
    const child = spawn('ssh', [
      ...this.#options(),
      ...['-p', String(through), '-N', '-o', 'ExitOnForwardFailure=yes'],
      ...[...flags(local), `${userInfo().username}@127.0.0.1`],
    ]);
    this.#stage.defer(() => endProcess(child));
    await answering(local, child, 'ssh');
    return { port: local, pids: [child.pid ?? 0, this.pid] };
  }

  #options(): string[] {
    const options = [
      `IdentityFile=${join(this.#folder, 'key')}`,
      `Ciphers=${CIPHER}`,
      'IdentitiesOnly=yes',
      'BatchMode=yes',
      'StrictHostKeyChecking=no',
      'UserKnownHostsFile=/dev/null',
      'LogLevel=ERROR',
    ];
    return ['-F', 'none', ...options.flatMap((option) => ['-o', option])];
  }

  /** The ssh2 package's SFTP client, connected. */
  async sftp(): Promise<SFTPWrapper> {
    const client: Client = new ssh2.Client();
    const ready = once(client, 'ready');
    client.connect({
      host: '127.0.0.1',
      port: this.#port,
      username: userInfo().username,
      privateKey: readFileSync(join(this.#folder, 'key')),
      algorithms: { cipher: [CIPHER] },
    });
    await ready;
    // Without it each small request waits 40 ms for an acknowledgement.
    client.setNoDelay(true);
    this.#stage.defer(() => client.end());
    return new Promise((resolve, reject) =>
      client.sftp((error, sftp) => (error === undefined ? resolve(sftp) : reject(error))),
    );
  }

  /** OpenSSH's own `sftp` with one command, over a connection that is up already. */
  async command(): Promise<(batch: string) => Promise<void>> {
    const control = join(this.#folder, 'control');
    const target = `${userInfo().username}@127.0.0.1`;
    const master = spawn('ssh', [
      ...this.#options(),
      ...['-p', String(this.#port), '-M', '-N', '-S', control, target],
    ]);
    this.#stage.defer(() => endProcess(master));
    for (let i = 0; !existsSync(control); i++) {
      if (i === 500) throw new Error('ssh did not open its control socket');
      await sleep(10);
    }
    return async (batch) => {
      const child = spawn(
        'sftp',
        [
          ...this.#options(),
          '-q',
          '-P',
          String(this.#port),
          '-o',
          `ControlPath=${control}`,
          '-b',
          '-',
          target,
        ],
        { stdio: ['pipe', 'ignore', 'inherit'] },
      );
      child.stdin.end(`${batch}\n`);
      const [code] = await once(child, 'exit');
      if (code !== 0) throw new Error(`sftp ended with ${code}: ${batch}`);
    };
  }
}

/** Undefined where there is no sshd to be had; `note` is told why. */
export async function startSshd(
  stage: Stage,
  note: (text: string) => void,
): Promise<Sshd | undefined> {
  const program = PLACES.find((place) => existsSync(place));
  const missing = program === undefined ? 'sshd is not installed' : unfit();
  if (program === undefined || missing !== undefined) {
    note(`no comparison with ssh: ${missing}`);
    return undefined;
  }
  const folder = stage.folder();
  const port = await freePort();
  makeKeys(folder);
  writeFileSync(join(folder, 'config'), config(folder, port));
  // sshd keeps its unprivileged half in there, and does not make the folder.
  mkdirSync('/run/sshd', { recursive: true });
  const child = spawn(program, ['-D', '-e', '-f', join(folder, 'config')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  stage.defer(() => endProcess(child));
  await answering(port, child, 'sshd');
  return new Sshd(stage, folder, port, child);
}

function unfit(): string | undefined {
  if (process.getuid?.() !== 0) return 'an own sshd needs root here';
  const ssh = spawnSync('ssh', ['-V']);
  return ssh.error === undefined ? undefined : 'ssh is not installed';
}

function makeKeys(folder: string): void {
  for (const name of ['host', 'key']) {
    const made = spawnSync('ssh-keygen', [
      '-q',
      '-t',
      'ed25519',
      '-N',
      '',
      '-f',
      join(folder, name),
    ]);
    if (made.status !== 0) throw new Error(`ssh-keygen: ${String(made.stderr)}`);
  }
}

function config(folder: string, port: number): string {
  return [
    'ListenAddress 127.0.0.1',
    `Port ${port}`,
    `HostKey ${join(folder, 'host')}`,
    `AuthorizedKeysFile ${join(folder, 'key.pub')}`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    'AllowTcpForwarding yes',
    'LogLevel QUIET',
    'Subsystem sftp internal-sftp',
    '',
  ].join('\n');
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function answering(port: number, child: ChildProcess, name: string): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    if (await answers(port)) return;
    await sleep(20);
  }
  throw new Error(`${name} does not answer`);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
