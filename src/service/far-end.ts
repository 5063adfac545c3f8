/** What an agent serves to a client: the patches' remote halves, classic mode, a service. */
import { DEFAULT_HEARTBEAT } from '../connection/heartbeat.ts';
import { DEFAULT_GRACE } from '../connection/redial.ts';
import { ObjectSession } from '../objects/session.ts';
import type { AnyPatch } from '../patch.ts';
import { type Policy, policyRules } from '../security/policy.ts';
import type { OpenSession } from '../session/agent.ts';
import { FarSession } from '../session/far-session.ts';
import { refuseClassic, serveClassic } from './classic.ts';
import { type RecordOptions, recorder } from './records.ts';
import { type ServiceFailure, type ServingOptions, serveService } from './service.ts';
import type { LoadedService } from './service-file.ts';

export interface FarEndOptions
  extends LoadedService,
    RecordOptions,
    Pick<ServingOptions, 'concurrency' | 'stacks'> {
  readonly classic: boolean;
  readonly policy?: Policy;
  readonly grace?: number;
  readonly heartbeat?: number;
  /** This process serves no other client. Default: false. */
  readonly alone?: boolean;
  /** Hears of what fails at the service. */
  readonly failed?: (failure: ServiceFailure, session: FarSession) => void;
}

/** Sessions of this process. */
export function sessionsHere(patches: readonly AnyPatch[], options: FarEndOptions): OpenSession {
  const rules = policyRules(options.policy);
  const {
    grace = DEFAULT_GRACE,
    heartbeat = DEFAULT_HEARTBEAT,
    service: source,
    alone = false,
  } = options;
  const observer = recorder(options);
  const classic = options.classic ? serveClassic : refuseClassic;
  return (guest, onOver) => {
    const init = { ...guest, patches, rules, grace, heartbeat, alone, onOver };
    const session = new FarSession(init);
    session.methods.observer = observer?.(guest);
    const objects = objectsOf(session);
    classic(session, objects);
    if (source === undefined) return session;
    const { id, core, login } = session;
    const ended = (cleanup: (reason: Error) => void): void =>
      session.onEnd(() => cleanup(core.lost ?? new Error('the session is over')));
    const { failed } = options;
    session.services = serveService(objects, {
      ...{ source, options, ended },
      peer: { id, login },
      ...(failed && { failed: (failure) => failed(failure, session) }),
    });
    return session;
  };
}

function objectsOf(session: FarSession): ObjectSession {
  const { core, methods, peer } = session;
  const objects = new ObjectSession({
    methods,
    description: `client ${peer.hostname}:${peer.pid}`,
    request: (...call) => core.request(...call),
    cancel: (id) => core.cancel(id),
    notify: (method, args) => core.notify(method, args),
    // The agent's listener keeps its process alive, not what it asks of clients.
    hold: () => undefined,
    release: () => undefined,
  });
  session.onEnd(() => objects.end());
  return objects;
}
