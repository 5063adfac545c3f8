/** What the far side may answer to each operation of the dgram patch. */
import {
  bytes,
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
import type { Bound, DgramCalls, DgramStreams, Failed, Names, Report, SocketName } from './api.ts';

const name: Kind<SocketName> = record<SocketName>({ address: text, family: text, port: count });
const failed = record<Failed>({ code: text, denied: maybe(text) });
const names = record<Names>({ local: name, remote: maybe(name) });

export const DGRAM_ANSWERS: Answers<DgramCalls> = {
  bind: either(record<Bound>({ id: count, name }), failed),
  connect: either(names, failed),
  disconnect: either(names, failed),
  set: orNull(failed),
  bufferSize: either(
    number,
    record<Failed & { syscall: string }>({
      code: text,
      syscall: text,
      denied: maybe(text),
    }),
  ),
};

type Told<K extends Report['kind']> = Report & { kind: K };

export const DGRAM_SIGNALS: Signals<DgramStreams> = {
  datagrams: either(
    record<Told<'message'>>({ kind: oneOf('message'), bytes, from: name }),
    record<Told<'sent'>>({
      kind: oneOf('sent'),
      number: count,
      failed: maybe(failed),
    }),
    record<Told<'failed'>>({ kind: oneOf('failed'), code: text }),
  ),
};
