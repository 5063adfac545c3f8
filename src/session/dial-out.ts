/** The agent's side of a relay: a control socket that is dialled again when it is lost, and a socket for each link. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { runDetached } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { formatUrl } from '../transport/endpoint.ts';
import { introduce, type RelayRole } from '../transport/introduction.ts';
import { connectEndpoint, reasonOf } from '../transport/open.ts';
import { socketTransport } from '../transport/socket.ts';
import type { Listener, RelayedEndpoint, Transport } from '../transport/transport.ts';

/** Milliseconds between signs of life on the control socket, and until its silence means that it is lost. */
const PACE = 5000;
const SILENCE = 15_000;
/** Milliseconds between dials, growing. */
const SOONEST = 200;
const LATEST = 5000;

/** Resolves when the relay knows us by our name; rejects when the first attempt fails. */
export async function dialOut(
  endpoint: RelayedEndpoint,
  accept: (transport: Transport) => void,
): Promise<Listener> {
  const listener = new DialOut(endpoint, accept);
  await listener.start();
  return listener;
}

class DialOut implements Listener {
  readonly url: string;
  readonly #endpoint: RelayedEndpoint;
  readonly #accept: (transport: Transport) => void;
  /** Who has taken the name may take it again. */
  readonly #id: string = randomBytes(16).toString('hex');
  #control: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pause = SOONEST;
  #closed = false;

  constructor(endpoint: RelayedEndpoint, accept: (transport: Transport) => void) {
    this.#endpoint = endpoint;
    this.#accept = accept;
    this.url = formatUrl(endpoint, undefined);
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#dial('agent', this.#id, (error, control) => {
        if (error !== undefined || control === undefined) return reject(this.#unreachable(error));
        this.#hold(control);
        resolve();
      });
    });
  }

  #unreachable(error: Error | undefined): Error {
    if (error instanceof ElsewhereError) return error;
    const refused = (error as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED';
    const reason = error === undefined ? 'no socket' : reasonOf(error);
    const why = refused ? 'connection refused; start one there with `elsewhere relay`' : reason;
    const message = `the relay at ${this.url} cannot be reached: ${why}`;
    return new ElsewhereError('ERR_ELSEWHERE_CONNECT', message, { cause: error });
  }

  #dial(
    role: RelayRole,
    id: string,
    done: (error: Error | undefined, control?: Control) => void,
  ): void {
    const { relay } = this.#endpoint;
    runDetached(() =>
      connectEndpoint(this.#endpoint, (error, socket) => {
        if (error !== undefined || socket === undefined) return done(error);
        introduce(socket, relay.token, { role, name: relay.name, id }, (refused, lines) => {
          if (refused === undefined) return done(undefined, { socket, lines });
          socket.destroy();
          done(refused);
        });
      }),
    );
  }

  /** Listens to the relay until it falls silent or goes. */
  #hold({ socket, lines }: Control): void {
    if (this.#closed) return void socket.destroy();
    this.#control = socket;
    this.#pause = SOONEST;
    socket.setTimeout(SILENCE, () => socket.destroy());
    const beat = setInterval(() => socket.write('{}\n'), PACE);
    const hear = (): void =>
      lines.next(({ open }) => {
        if (typeof open === 'string') this.#open(open);
        hear();
      });
    hear();
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(beat);
      this.#control = undefined;
      if (this.#closed) return;
      log(`the relay at ${this.url} is lost: dialling it again`);
      this.#again();
    });
  }

  #again(): void {
    this.#timer = setTimeout(() => {
      this.#dial('agent', this.#id, (error, control) => {
        if (control !== undefined) return this.#hold(control);
        if (this.#closed) return;
        log(`the relay at ${this.url} cannot be reached: ${error?.message}`);
        this.#again();
      });
    }, this.#pause);
    this.#pause = Math.min(this.#pause * 2, LATEST);
  }

  #open(id: string): void {
    this.#dial('data', id, (error, control) => {
      if (control === undefined)
        return log(`a client of the relay was not served: ${error?.message}`);
      const { socket, lines } = control;
      lines.release();
      this.#accept(socketTransport(socket, this.url));
      socket.resume();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#control?.destroy();
  }

  ref(): void {
    this.#control?.ref();
    this.#timer?.ref();
  }

  unref(): void {
    this.#control?.unref();
    this.#timer?.unref();
  }
}

interface Control {
  readonly socket: Socket;
  readonly lines: Parameters<Parameters<typeof introduce>[3]>[1];
}
