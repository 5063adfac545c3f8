/** What the far side may tell of sockets and servers. */
import {
  count,
  either,
  type Kind,
  maybe,
  number,
  oneOf,
  orNull,
  record,
  text,
} from '../../src/base/kind.ts';
import type { Answers, Signals } from '../../src/patch.ts';
import type { Address, NetStreams, Report } from './api.ts';
import type {
  Accepted,
  AcceptFailed,
  Listening,
  Refused,
  ServerCalls,
  ServerStreams,
} from './server/api.ts';

type Told<K extends Report['kind']> = Report & { kind: K };

const address = record<Address>({ address: text, family: text, port: count });
const ends = { kind: oneOf('connected'), local: maybe(address), remote: maybe(address) };

const report: Kind<Report> = either(
  record<Told<'connected'>>({ ...ends, took: number }),
  record<Told<'failed'>>({
    kind: oneOf('failed'),
    code: text,
    syscall: text,
    denied: maybe(text),
    local: maybe(text),
  }),
  either(
    record<{ readonly kind: 'eof' | 'shutdown' }>({ kind: oneOf('eof', 'shutdown') }),
    record<Told<'broken'>>({ kind: oneOf('broken'), code: text, syscall: text }),
  ),
);

export const NET_SIGNALS: Signals<NetStreams> = { connect: report };

export const SERVER_ANSWERS: Answers<ServerCalls> = {
  listen: either(
    record<Listening>({ id: count, address: maybe(address) }),
    record<Refused>({ code: text, address: maybe(text), denied: maybe(text) }),
  ),
  publish: orNull(text),
};

export const SERVER_SIGNALS: Signals<ServerStreams> = {
  hold: record<AcceptFailed>({ code: text }),
  slot: either(record<Accepted>({ ...ends, waiting: count }), report),
};
