/** What the far side may answer to each operation of the dns patch. */
import { isIP } from 'node:net';
import { types } from 'node:util';
import {
  bytes,
  either,
  flag,
  type Kind,
  listOf,
  number,
  record,
  recordOf,
  text,
  tuple,
} from '../../src/base/kind.ts';
import type { Answers } from '../../src/patch.ts';
import type { DnsCalls, LookupFailure, QueryAnswer } from './api.ts';

const address: Kind<string> = (value): value is string => text(value) && isIP(value) !== 0;
const failure = record<LookupFailure>({ code: text, errno: number });
const failed = record<{ readonly code: string }>({ code: text });

const arrayBuffer: Kind<ArrayBufferLike> = (value): value is ArrayBufferLike =>
  types.isAnyArrayBuffer(value);
const field = either(
  either(text, number, flag),
  either(bytes, arrayBuffer),
  listOf(either(text, number)),
);
const entry = recordOf(field);

/** What the binding gives first; most queries list records. */
const FIRST: Readonly<Record<string, Kind<unknown>>> = {
  queryA: listOf(address),
  queryAaaa: listOf(address),
  queryCname: listOf(text),
  queryNs: listOf(text),
  queryPtr: listOf(text),
  getHostByAddr: listOf(text),
  queryTxt: listOf(listOf(text)),
  querySoa: entry,
};
const rest = listOf(either(number, listOf(number)));

function isResults(method: string, { results }: { readonly results: readonly unknown[] }): boolean {
  const first = Object.hasOwn(FIRST, method) ? FIRST[method] : listOf(entry);
  return first?.(results[0]) === true && rest(results.slice(1));
}

const results = record<{ readonly results: readonly unknown[] }>({
  results: (value): value is readonly unknown[] => Array.isArray(value),
});

export const DNS_ANSWERS: Answers<DnsCalls> = {
  lookup: either(listOf(address), failure),
  lookupService: either(tuple<readonly [string, string]>(text, text), failure),
  query: (answer, [method]): answer is QueryAnswer =>
    failed(answer) || (results(answer) && isResults(method, answer)),
  servers: listOf(tuple<[string, number]>(text, number)) as Kind<unknown[]>,
};
