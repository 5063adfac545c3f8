/** The thread behind worker-link.ts: owns the real links, and relays them to ports of whoever asks. */
import { type MessagePort, workerData } from 'node:worker_threads';
import { StartedAgent } from '../transport/command.ts';
import { isStarted } from '../transport/endpoint.ts';
import { openTransport } from '../transport/open.ts';
import { listenPort } from '../transport/port.ts';
import { relay } from '../transport/relay.ts';
import type { Endpoint, Transport } from '../transport/transport.ts';

/** What the worker is started with. */
export interface RelayStart {
  readonly endpoint: Endpoint;
  readonly timeout: number;
  /** Links are asked for over it; its end is the worker's. */
  readonly port: MessagePort;
  /** The agent in one file, for ssh. */
  readonly agentFile: string;
}

const { endpoint, timeout, port, agentFile } = workerData as RelayStart;
let agent: StartedAgent | undefined;

async function open(): Promise<Transport> {
  if (!isStarted(endpoint)) return openTransport(endpoint, { timeout });
  agent ??= new StartedAgent(endpoint, new URL(agentFile));
  return agent.open();
}

const links = new Set<Transport>();
// Whatever goes wrong here: others sleep until they are told.
process.on('uncaughtException', (error) => {
  for (const link of links) link.destroy(error);
});

listenPort(port, (link) => {
  links.add(link);
  open().then(
    (transport) => relay(link, transport),
    (error: unknown) => link.destroy(error as Error),
  );
});
port.on('close', () => agent?.close());
