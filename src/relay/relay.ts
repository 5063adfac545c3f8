/**
 * A relay: agents that nobody can dial dial it and take a name, clients ask for that name, and the two sockets are spliced.
 * It holds one control socket for each agent, and for each link a pair of sockets whose bytes it does not look at.
 */
import { randomBytes } from 'node:crypto';
import type { Server, Socket } from 'node:net';
import { runDetached } from '../base/context.ts';
import { ElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';
import { checkToken, newToken } from '../security/auth.ts';
import { splice } from '../service/splice.ts';
import { formatUrl, isLoopback, parseEndpoint } from '../transport/endpoint.ts';
import {
  type Introduced,
  type Introduction,
  Lines,
  newRelayNonce,
  ownRelays,
  relayProof,
  sameText,
  type Verdict,
} from '../transport/introduction.ts';
import { serverSettings, type TlsServerOptions } from '../transport/tls.ts';
import { isRelayed, type RelayedEndpoint } from '../transport/transport.ts';

export interface RelayOptions {
  /** relay://HOST:PORT, or relays://HOST:PORT with TLS. Default: loopback, a free port. */
  readonly listen?: string;
  /** Agents and clients must know it. Default: 256 fresh random bits. At least 16 characters. */
  readonly token?: string;
  /** For relays:. */
  readonly tls?: TlsServerOptions;
  /** Allows relay: beyond loopback, where anyone on the way can read and change everything. Default false. */
  readonly insecure?: boolean;
}

/** Milliseconds for a peer to say who it is, and for an agent to answer a client. */
const PATIENCE = 10_000;
const SILENCE = 15_000;
/** A wrong token costs at least this long. */
const REFUSAL_DELAY = 100;
const MAX_STRANGERS = 256;
const MAX_AGENTS = 10_000;

interface Waiting {
  readonly agent: Agent;
  readonly peer: Peer;
}

interface Agent {
  readonly socket: Socket;
  readonly id: string;
}

interface Peer {
  readonly socket: Socket;
  readonly lines: Lines;
  /** The last line before bytes. */
  welcome(): void;
  refuse(error: string, auth?: boolean): void;
}

/** Rejects with ERR_ELSEWHERE_ARGUMENT, _DENIED or _CONNECT. */
export async function serveRelay(options: RelayOptions = {}): Promise<Relay> {
  const relay = new Relay(options);
  await relay.listen();
  return relay;
}

export class Relay {
  readonly token: string;
  readonly #options: RelayOptions;
  readonly #agents = new Map<string, Agent>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #sockets = new Set<Socket>();
  #endpoint: RelayedEndpoint;
  #server: Server | undefined;
  #strangers = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.token = options.token ?? newToken();
    const { listen = 'relay://127.0.0.1:0' } = options;
    const endpoint = parseEndpoint(listen, 'listen');
    if (!isRelayed(endpoint))
      throw new ElsewhereError('ERR_ELSEWHERE_ARGUMENT', 'a relay listens on relay://HOST:PORT');
    if (endpoint.scheme === 'tcp' && !isLoopback(endpoint.host) && options.insecure !== true)
      throw new ElsewhereError(
        'ERR_ELSEWHERE_DENIED',
        `refusing to relay on ${endpoint.host} without TLS: anyone on the way could read and change everything; use relays: with a certificate, or \`insecure\` (--insecure)`,
      );
    checkToken(this.token);
    this.#endpoint = endpoint;
  }

  /** For `elsewhere serve --relay`: it carries the relay's token in its fragment, which never travels. */
  get url(): string {
    const relay = { ...this.#endpoint.relay, token: this.token };
    return formatUrl({ ...this.#endpoint, relay }, '');
  }

  /** The names that are taken. */
  get names(): readonly string[] {
    return [...this.#agents.keys()];
  }

  listen(): Promise<void> {
    const { net, tls } = originals;
    const met = (socket: Socket): void => this.#met(socket);
    const server: Server =
      this.#endpoint.scheme === 'tls'
        ? tls.createServer(
            {
              ...serverSettings(this.#options.tls),
              allowHalfOpen: true,
              handshakeTimeout: PATIENCE,
            },
            met,
          )
        : net.createServer({ allowHalfOpen: true, noDelay: true }, met);
    this.#server = server;
    // Also those that never get through the handshake: whoever closes the relay waits for them.
    server.on('connection', (socket: Socket) => this.#keep(socket));
    return new Promise((resolve, reject) => {
      server.once('error', (error) =>
        reject(
          new ElsewhereError('ERR_ELSEWHERE_CONNECT', `the relay cannot listen: ${error.message}`, {
            cause: error,
          }),
        ),
      );
      const { host, port } = this.#endpoint;
      runDetached(() =>
        server.listen(port, host, () => {
          const address = server.address();
          if (typeof address === 'object' && address !== null)
            this.#endpoint = { ...this.#endpoint, port: address.port };
          ownRelays.add(this.#endpoint.port);
          server.on('error', () => undefined);
          resolve();
        }),
      );
    });
  }

  #keep(socket: Socket): void {
    if (this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #met(socket: Socket): void {
    socket.on('error', () => undefined);
    if (this.#strangers >= MAX_STRANGERS) return void socket.destroy();
    this.#keep(socket);
    this.#strangers++;
    socket.setNoDelay(true);
    socket.setTimeout(PATIENCE, () => socket.destroy());
    let known = false;
    const meet = (): void => {
      if (!known) this.#strangers--;
      known = true;
    };
    socket.once('close', meet);
    const lines = new Lines(socket);
    const nonce = newRelayNonce();
    socket.write(`${JSON.stringify({ nonce })}\n`);
    const introduced = (line: Record<string, unknown>): void => {
      const said = line as unknown as Introduced;
      const nonces = { relay: nonce, peer: String(said.nonce) };
      const about = { role: said.role, name: String(said.name), id: String(said.id) };
      const tell = (verdict: Verdict): void => void socket.write(`${JSON.stringify(verdict)}\n`);
      const refuse = (error: string, auth = false): void => {
        tell({ error, auth });
        socket.destroySoon();
      };
      if (!sameText(relayProof(this.token, 'peer', nonces, about), said.proof)) {
        setTimeout(() => refuse('the relay has another token', true), REFUSAL_DELAY);
        return;
      }
      meet();
      const proof = relayProof(this.token, 'relay', nonces, about);
      this.#introduced(about, { socket, lines, refuse, welcome: () => tell({ proof }) });
    };
    // The greeting says nothing that we need.
    lines.next(() => lines.next(introduced));
  }

  #introduced(about: Introduction, peer: Peer): void {
    if (about.role === 'agent') this.#agent(about, peer);
    else if (about.role === 'client') this.#client(about, peer);
    else this.#data(about, peer);
  }

  #agent({ name, id }: Introduction, peer: Peer): void {
    const before = this.#agents.get(name);
    if (name === '' || this.#agents.size >= MAX_AGENTS)
      return peer.refuse('no such name can be taken');
    if (before !== undefined && before.id !== id)
      return peer.refuse(`another agent has the name ${JSON.stringify(name)} at this relay`);
    before?.socket.destroy();
    const { socket, lines } = peer;
    const agent: Agent = { socket, id };
    this.#agents.set(name, agent);
    socket.once('close', () => {
      if (this.#agents.get(name) === agent) this.#agents.delete(name);
    });
    socket.setTimeout(SILENCE);
    socket.once('end', () => socket.destroy());
    peer.welcome();
    const hear = (): void =>
      lines.next(() => {
        // A sign of life is answered with one.
        socket.write('{}\n');
        hear();
      });
    hear();
  }

  #client({ name }: Introduction, peer: Peer): void {
    const agent = this.#agents.get(name);
    if (agent === undefined)
      return peer.refuse(`no agent named ${JSON.stringify(name)} is at this relay`);
    const id = randomBytes(16).toString('hex');
    this.#waiting.set(id, { agent, peer });
    const timer = setTimeout(() => {
      if (this.#waiting.delete(id))
        peer.refuse(`the agent ${JSON.stringify(name)} does not answer`);
    }, PATIENCE);
    peer.socket.setTimeout(0);
    peer.socket.once('close', () => {
      clearTimeout(timer);
      this.#waiting.delete(id);
    });
    agent.socket.write(`${JSON.stringify({ open: id })}\n`);
  }

  #data({ id }: Introduction, peer: Peer): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return peer.refuse('nobody waits for this');
    this.#waiting.delete(id);
    for (const one of [peer, waiting.peer]) {
      one.lines.release();
      one.socket.setTimeout(0);
      one.welcome();
    }
    splice(peer.socket, waiting.peer.socket);
  }

  close(): Promise<void> {
    ownRelays.delete(this.#endpoint.port);
    return new Promise((resolve) => {
      this.#server?.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
