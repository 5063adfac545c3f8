/** Drives a handshake over a transport on the event loop. The blocked thread has its own driver in the sync lane. */
import { ElsewhereError } from '../base/errors.ts';
import type { HandshakePacket, HandshakeStep } from '../connection/handshake-steps.ts';
import type { Transport } from '../transport/transport.ts';
import { Kind, MAX_PACKET } from '../wire/message.ts';

export interface DriveOptions {
  /** Milliseconds until the peer is given up. */
  readonly timeout: number;
  /** 'agent' or 'client': who the peer is, for the messages. */
  readonly who: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Calls `done` once, with an error or with what the handshake returns: without a promise, so that a peer of this very
 * thread can finish while it blocks. On failure the transport is left open: the caller may still send a refusal.
 */
export function driveHandshake<R>(
  transport: Transport,
  steps: Generator<HandshakeStep, R, HandshakePacket>,
  options: DriveOptions,
  done: (error: unknown, result?: R) => void,
): void {
  let settled = false;
  const timer = setTimeout(() => fail(timedOut(transport, options)), options.timeout);
  const aborted = (): void => fail(options.signal?.reason);
  const settle = (): void => {
    settled = true;
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', aborted);
    // Packets that come before the next owner takes over are kept by the transport.
    transport.events = undefined;
  };
  const fail = (error: unknown): void => {
    if (settled) return;
    settle();
    done(error);
  };
  const advance = (packet?: HandshakePacket): void => {
    // Of a busy process whose other links share the pipe of this one.
    if (packet?.kind === Kind.ALIVE) return;
    let result: R;
    try {
      let step = packet === undefined ? steps.next() : steps.next(packet);
      while (step.done !== true && step.value !== 'receive') {
        transport.send(step.value.send.kind, step.value.send.body);
        step = steps.next();
      }
      if (step.done !== true) return;
      // More may come in the same chunk, before the next owner takes over.
      transport.setLimit(MAX_PACKET);
      settle();
      result = step.value;
    } catch (error) {
      return fail(error);
    }
    done(null, result);
  };
  transport.events = {
    packet: (kind, body) => advance({ kind, body }),
    drain: () => undefined,
    close: (error) => fail(closedEarly(transport, options.who, error)),
  };
  options.signal?.addEventListener('abort', aborted);
  if (options.signal?.aborted) return aborted();
  advance();
}

/** The same as a promise. */
export function handshakeDone<R>(
  transport: Transport,
  steps: Generator<HandshakeStep, R, HandshakePacket>,
  options: DriveOptions,
): Promise<R> {
  return new Promise((resolve, reject) => {
    driveHandshake(transport, steps, options, (error, result) => {
      if (result === undefined) reject(error);
      else resolve(result);
    });
  });
}

function timedOut(transport: Transport, options: DriveOptions): ElsewhereError {
  const seconds = options.timeout / 1000;
  return new ElsewhereError(
    'ERR_ELSEWHERE_TIMEOUT',
    `the ${options.who} at ${transport.description} did not answer within ${seconds} s: is it an elsewhere ${options.who}?`,
  );
}

function closedEarly(transport: Transport, who: string, error: Error | undefined): ElsewhereError {
  if (error instanceof ElsewhereError) return error;
  const why = error === undefined ? 'it closed the connection' : error.message;
  return new ElsewhereError(
    'ERR_ELSEWHERE_CONNECT',
    `the ${who} at ${transport.description} did not finish the handshake: ${why}`,
    { cause: error },
  );
}
