/** The worker behind worker-link.ts: moves packets between a transport and a thread that sleeps. */
import { workerData } from 'node:worker_threads';
import { openTransport } from '../transport/open.ts';
import type { Transport } from '../transport/transport.ts';
import { Kind, MAX_PACKET } from '../wire/message.ts';
import { type FromWorker, ownCopy, type ToWorker, type WorkerStart } from './worker-link.ts';

const { endpoint, timeout, port, signal } = workerData as WorkerStart;

function tell(message: FromWorker, moved: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, moved);
  Atomics.add(signal, 0, 1);
  Atomics.notify(signal, 0);
}

function fail(error: unknown): void {
  const { code, message } = error as { code?: string; message: string };
  tell({ failure: { code: code ?? '', message } });
}

// Whatever goes wrong here: the other thread sleeps until it is told.
process.on('uncaughtException', fail);

function serve(transport: Transport): void {
  transport.events = {
    packet: (kind, bytes) => {
      if (kind === Kind.WELCOME) transport.setLimit(MAX_PACKET);
      const body = ownCopy(bytes);
      tell({ kind, body }, [body.buffer]);
    },
    drain: () => undefined,
    close: (error) => fail(error ?? new Error('the agent closed the blocking link')),
  };
}

function obey(transport: Transport, message: ToWorker): void {
  if (message === 'close') transport.close();
  else transport.send(message.kind, message.head, message.tail);
}

const waiting: ToWorker[] = [];
let opened: Transport | undefined;
port.on('message', (message: ToWorker) => {
  if (opened === undefined) waiting.push(message);
  else obey(opened, message);
});

openTransport(endpoint, { timeout }).then((transport) => {
  opened = transport;
  serve(transport);
  for (const message of waiting.splice(0)) obey(transport, message);
}, fail);
