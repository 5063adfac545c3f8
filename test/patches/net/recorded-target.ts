/** The near half of the net patch installed alone, its far side played by the test: what it sends is written down. */
import type net from 'node:net';
import type { Dial, NetCalls, NetStreams, Report } from '../../../patches/net/api.ts';
import type { NetTarget } from '../../../patches/net/link.ts';
import { netLocal } from '../../../patches/net/local.ts';
import { runLocally } from '../../../src/base/context.ts';
import type { ByteStream, LocalContext, ScopeView, StreamHandler } from '../../../src/patch.ts';
import { Ledger } from '../../../src/scope/ledger.ts';

/** A stream whose far end is the test. */
export class PlayedStream implements ByteStream {
  readonly id = 1;
  readonly dial: Dial;
  readonly sent: string[] = [];
  /** False once: what `write` answers. */
  room = true;
  buffered = 0;
  paused = false;
  readonly #handler: StreamHandler;
  readonly #leaving: ((error?: Error) => void)[] = [];

  constructor(dial: Dial, handler: StreamHandler) {
    this.dial = dial;
    this.#handler = handler;
  }

  write(bytes: Uint8Array, done?: (error?: Error) => void): boolean {
    this.sent.push(`write ${Buffer.from(bytes)}`);
    if (this.room) process.nextTick(() => done?.());
    else if (done !== undefined) this.#leaving.push(done);
    return this.room;
  }

  signal(value: unknown): void {
    this.sent.push(`signal ${(value as { kind: string }).kind}`);
  }

  end(): void {
    this.sent.push('end');
  }

  reset(reason: string): void {
    this.sent.push(`reset ${reason}`);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  // The far side's part.

  tell(report: Report): void {
    this.#handler.signal?.(report);
  }

  connected(took = 0): void {
    const local = { address: '10.0.0.1', family: 'IPv4', port: 1 };
    this.tell({ kind: 'connected', local, remote: { ...local, port: 2 }, took });
  }

  deliver(text: string | Uint8Array): void {
    this.#handler.data(Buffer.from(text));
  }

  /** What was refused room has left, or is lost. */
  leave(error?: Error): void {
    for (const done of this.#leaving.splice(0)) done(error);
  }

  lose(error: Error): void {
    this.#handler.closed(error);
  }
}

export interface Played {
  readonly streams: PlayedStream[];
  readonly holds: () => number;
  uninstall(): void;
}

/** Every connection made until `uninstall` goes to a played far side. */
export function playFarSide(): Played {
  const streams: PlayedStream[] = [];
  let holds = 0;
  const scope: ScopeView = {
    id: 1,
    isDefault: true,
    denies: false,
    stepwise: false,
    cwd: '/',
    stdio: 'local',
    pool: '',
    forbids: () => undefined,
    run: (fn) => fn(),
  };
  const target = {
    scope,
    peer: { node: '20.19.0' },
    connection: {},
    alive: true,
    open: (_name: string, [dial]: [Dial], handler: StreamHandler) => {
      const stream = new PlayedStream(dial, handler);
      streams.push(stream);
      return stream;
    },
    hold: () => void holds++,
    release: () => void holds--,
  } as unknown as NetTarget;
  const ledger = new Ledger();
  const context: Partial<LocalContext<NetCalls, NetStreams>> = {
    target: () => target,
    route: () => ({ target, run: (fn) => fn() }),
    scope: () => scope,
    locally: runLocally,
    replace: (object, key, value) => ledger.replace(object, key, value),
    redefine: (object, key, descriptor) => ledger.redefine(object, key, descriptor),
    onUninstall: (undo) => ledger.onUninstall(undo),
  };
  netLocal(context as LocalContext<NetCalls, NetStreams>);
  return { streams, holds: () => holds, uninstall: () => ledger.undo() };
}

export function handleOf(socket: net.Socket): { hasRef(): boolean } {
  return (socket as unknown as { _handle: { hasRef(): boolean } })._handle;
}
