/**
 * Sessions that have a process each. The agent lets links in as ever and keeps the secrets of their lanes; then it hands
 * their packets on without a look, over a link of a pipe to the session's process (src/isolated.ts).
 */
import type { ChildProcess } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { deserialize, serialize } from 'node:v8';
import { runDetached } from '../base/context.ts';
import { entryFile } from '../base/entry-file.ts';
import { ElsewhereError, type ElsewhereErrorCode } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { originals } from '../base/originals.ts';
import type { PeerInfo } from '../connection/channel.ts';
import { DEFAULT_GRACE } from '../connection/redial.ts';
import { Mux } from '../transport/mux.ts';
import { relay } from '../transport/relay.ts';
import type { Transport } from '../transport/transport.ts';
import { Kind, MAX_PACKET } from '../wire/message.ts';
import type { OpenSession } from './agent.ts';
import type { AgentSession, Guest } from './far-session.ts';
import type { Admission, LaneName } from './handshake.ts';
import { LaneSecrets } from './lane-secrets.ts';
import { selfInfo } from './self.ts';

/** The pipe to the agent, in the process of a session. */
export const ISOLATION_PIPE = 3;
/** What the first link of the pipe carries, each as a packet of kind HELLO; all other links begin with their admission. */
export type Order<S> =
  | { readonly begin: Guest; readonly settings: S }
  | { readonly close: string }
  | { readonly drain: string; readonly ms: number };

/** Milliseconds for a process to end by itself, after all that it was given time for: its thread may be busy for good. */
const FUSE = 3_000;

export interface IsolationSettings {
  /** Milliseconds. */
  readonly grace?: number | undefined;
}

/** `settings` go to each process, as structured clone carries them. */
export function sessionsApart<S extends IsolationSettings>(settings: S): OpenSession {
  return (guest, onOver) => new IsolatedSession(guest, settings, onOver);
}

/** What is sent to the process, or to the agent. */
export function packed(value: unknown): Uint8Array {
  return serialize(value);
}

export function unpacked<T>(body: Uint8Array): T {
  return deserialize(body) as T;
}

class IsolatedSession implements AgentSession {
  readonly id: string;
  readonly login: Guest['login'];
  readonly peer: PeerInfo;
  readonly #child: ChildProcess;
  readonly #mux: Mux;
  readonly #orders: Transport;
  readonly #secrets = new Map<LaneName, LaneSecrets>();
  readonly #cleanups: (() => void)[] = [];
  readonly #grace: number;
  #links = 0;
  #fuse: NodeJS.Timeout | undefined;
  /** What the process has said at its end. */
  #why: string | undefined;

  /** Throws ERR_ELSEWHERE_UNSUPPORTED for what `verify` granted, if it is no plain data. */
  constructor(guest: Guest, settings: IsolationSettings, onOver: (why: string) => void) {
    this.id = guest.id;
    this.login = guest.login;
    this.peer = guest.login.peer;
    this.#grace = settings.grace ?? DEFAULT_GRACE;
    const begin = beginning(guest, settings);
    this.#child = startProcess();
    const pipe = this.#child.stdio[ISOLATION_PIPE] as Duplex;
    this.#mux = new Mux({ input: pipe, output: pipe, description: 'the process of a session' });
    this.#orders = this.#mux.open();
    this.#orders.send(Kind.HELLO, begin);
    this.#orders.events = {
      packet: (kind, body) => {
        if (kind !== Kind.ALIVE) this.#why = unpacked(body);
      },
      drain: () => undefined,
      close: () => undefined,
    };
    const over = (fate: string): void => {
      if (this.#why === undefined) log(`session ${this.id.slice(0, 8)}: ${fate}`);
      clearTimeout(this.#fuse);
      this.#mux.end(undefined);
      for (const cleanup of this.#cleanups.splice(0).reverse()) cleanup();
      onOver(this.#why ?? fate);
    };
    this.#child.once('error', (error) => over(`there is no process for it: ${error.message}`));
    this.#child.once('close', (code, signal) => over(fateOf(code, signal)));
    this.#watch();
  }

  onEnd(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  secrets(lane: LaneName): readonly Buffer[] | undefined {
    return this.#secrets.get(lane)?.all;
  }

  attach(transport: Transport, admission: Admission): Promise<void> {
    const link = this.#mux.open();
    link.setLimit(MAX_PACKET);
    link.send(Kind.HELLO, packed(admission));
    return new Promise((resolve, reject) => {
      link.events = {
        packet: (kind, body) => {
          if (kind === Kind.ALIVE) return;
          if (kind !== Kind.WELCOME) return reject(unpackedError(body));
          this.#welcomed(admission);
          transport.send(kind, Buffer.from(body));
          relay(transport, link, () => this.#unlinked());
          resolve();
        },
        drain: () => undefined,
        close: () => reject(new ElsewhereError('ERR_ELSEWHERE_CLOSED', 'the session has ended')),
      };
    });
  }

  #welcomed({ lane, proven, next }: Admission): void {
    const secrets = this.#secrets.get(lane) ?? new LaneSecrets();
    this.#secrets.set(lane, secrets);
    secrets.add(proven, next);
    this.#links++;
    clearTimeout(this.#fuse);
  }

  #unlinked(): void {
    this.#links--;
    if (this.#links === 0) this.#watch();
  }

  /** Without links the process ends by itself when the client's grace has passed. */
  #watch(): void {
    this.#endWithin(this.#grace + FUSE);
  }

  #endWithin(ms: number): void {
    clearTimeout(this.#fuse);
    this.#fuse = setTimeout(() => this.#child.kill('SIGKILL'), ms).unref();
  }

  drain(reason: string, ms: number): void {
    this.#order({ drain: reason, ms });
    this.#endWithin(ms + FUSE);
  }

  close(reason: string): void {
    this.#order({ close: reason });
    this.#endWithin(FUSE);
  }

  #order(order: Order<never>): void {
    this.#orders.send(Kind.HELLO, packed(order));
  }
}

function startProcess(): ChildProcess {
  const entry = entryFile('isolated.js');
  return runDetached(() =>
    originals.childProcess.spawn(
      process.execPath,
      [...process.execArgv, entry.pathname, selfInfo().thread],
      {
        stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
      },
    ),
  );
}

function beginning(guest: Guest, settings: IsolationSettings): Uint8Array {
  try {
    return packed({ begin: guest, settings } satisfies Order<IsolationSettings>);
  } catch (error) {
    throw new ElsewhereError(
      'ERR_ELSEWHERE_UNSUPPORTED',
      `what auth.verify grants must be plain data where each client has a process of its own: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function fateOf(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null
    ? `its process ended with exit code ${code}`
    : `its process was ended by ${signal}`;
}

function unpackedError(body: Uint8Array): ElsewhereError {
  const { code, message } = unpacked<{ code: ElsewhereErrorCode; message: string }>(body);
  return new ElsewhereError(code, message);
}
