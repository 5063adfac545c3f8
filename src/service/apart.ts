/** The process of one session (see session/isolation.ts), and what it is told. */
import { ElsewhereError, isElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';
import type { AnyPatch } from '../patch.ts';
import type { AgentSession } from '../session/far-session.ts';
import type { Admission } from '../session/handshake.ts';
import { ISOLATION_PIPE, type Order, packed, unpacked } from '../session/isolation.ts';
import { listenPipe } from '../transport/pipe.ts';
import type { Transport } from '../transport/transport.ts';
import { Kind, MAX_PACKET } from '../wire/message.ts';
import { type FarEndOptions, sessionsHere } from './far-end.ts';
import { auditFile } from './records.ts';
import { loadService, type ServiceChoice } from './service-file.ts';

/** Milliseconds for calls under way when this process alone is told to stop. */
const DRAIN = 4000;

interface ApartSettings extends Omit<FarEndOptions, 'service' | 'intercept' | 'failed' | 'alone'> {
  readonly service: string | undefined;
}

/** Throws ERR_ELSEWHERE_ARGUMENT for what cannot be had in another process. */
export function settingsApart(
  options: Omit<FarEndOptions, 'service' | 'intercept'> &
    ServiceChoice & { readonly jsonRpc?: boolean },
): ApartSettings {
  const { classic, policy, grace, heartbeat, service, concurrency, stacks } = options;
  const { trace, audit } = options;
  const unfit =
    options.intercept !== undefined
      ? 'intercept is exported by the module of the service'
      : options.jsonRpc === true
        ? 'jsonRpc is not to be had, since a POST has no connection'
        : service !== undefined && !(service instanceof URL)
          ? "service must be the URL of a module that exports it as service: new URL('./calc.js', import.meta.url)"
          : undefined;
  if (unfit !== undefined)
    throw new ElsewhereError('ERR_ELSEWHERE_ARGUMENT', `with isolate: 'process' ${unfit}`);
  return {
    classic,
    service: (service as URL | undefined)?.href,
    ...(policy === undefined ? {} : { policy }),
    ...(grace === undefined ? {} : { grace }),
    ...(heartbeat === undefined ? {} : { heartbeat }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(stacks === undefined ? {} : { stacks }),
    ...(trace === undefined ? {} : { trace }),
    ...(audit === undefined ? {} : { audit: auditFile(audit) }),
  };
}

/** Serves the one client whose links come over the pipe, and ends with it. */
export function serveApart(patches: readonly AnyPatch[]): void {
  const pipe = new originals.net.Socket({ fd: ISOLATION_PIPE, readable: true, writable: true });
  let session: Promise<AgentSession> | undefined;
  let orders: Transport | undefined;
  const begin = async (order: Order<ApartSettings>): Promise<AgentSession> => {
    if (!('begin' in order)) throw new Error('nothing has begun');
    const { service, ...settings } = order.settings;
    const loaded = service === undefined ? {} : await loadService({ service: new URL(service) });
    const over = (why: string): void => {
      orders?.send(Kind.HELLO, packed(why));
      // What was sent last leaves before the end.
      pipe.end(() => process.exit(0));
    };
    return sessionsHere(patches, { ...settings, ...loaded, alone: true })(order.begin, over);
  };
  const obey = (order: Order<ApartSettings>): void => {
    session ??= begin(order);
    void session.then(
      (one) => {
        if ('close' in order) one.close(order.close);
        if ('drain' in order) one.drain(order.drain, order.ms);
      },
      // No session: behind the refusal.
      () => setImmediate(() => pipe.end(() => process.exit(1))),
    );
  };
  listenPipe({ input: pipe, output: pipe }, (link) => {
    link.setLimit(MAX_PACKET);
    if (orders === undefined) {
      orders = link;
      link.events = packets((body) => obey(unpacked(body)));
    } else
      link.events = packets((body) => {
        link.events = undefined;
        void attach(link, session, unpacked(body));
      });
  });

  // Without its agent nobody reaches it any more.
  pipe.on('close', () => process.exit(0));
  // Ctrl-C goes to all processes of a terminal: the agent says what is to happen.
  process.on('SIGINT', () => undefined);
  process.once('SIGTERM', () => obey({ drain: 'the agent is stopping', ms: DRAIN }));
}

async function attach(
  link: Transport,
  session: Promise<AgentSession> | undefined,
  admission: Admission,
): Promise<void> {
  try {
    await (await session)?.attach(link, admission);
  } catch (error) {
    const { code, message } = isElsewhereError(error)
      ? error
      : new ElsewhereError('ERR_ELSEWHERE_CLOSED', `no service: ${(error as Error).message}`);
    link.send(Kind.REFUSE, packed({ code, message }));
    link.close();
  }
}

function packets(take: (body: Uint8Array) => void): NonNullable<Transport['events']> {
  return { packet: (_kind, body) => take(body), drain: () => undefined, close: () => undefined };
}
