/**
 * JSON-RPC 2.0 (https://www.jsonrpc.org/specification): a service for whoever can send an HTTP POST. The same names exist
 * as for our own clients, and nothing else; data alone comes back, never a reference.
 */
import { MethodTable } from '../connection/methods.ts';
import { isData } from '../objects/access.ts';
import { Exports } from '../objects/exports.ts';
import { Keeper } from '../objects/keeper.ts';
import { Operation } from '../objects/operation.ts';
import type { Reference } from '../objects/types.ts';
import type { Login } from '../session/keyring.ts';
import type { recorder } from './records.ts';
import {
  interceptorOf,
  newService,
  Service,
  type ServicePeer,
  type ServiceSource,
  type ServingOptions,
} from './service.ts';

/** The standard's own numbers; -32000 is "the method failed". */
const Code = {
  PARSE: -32_700,
  REQUEST: -32_600,
  METHOD: -32_601,
  FAILED: -32_000,
} as const;

const MAX_BATCH = 1000;
const MAX_DEPTH = 64;

type Id = string | number | null;
interface Answer {
  readonly jsonrpc: '2.0';
  readonly id: Id;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

export interface JsonRpcOptions {
  readonly source: ServiceSource;
  readonly serving?: ServingOptions;
  /** How its calls are recorded. */
  readonly recorder?: ReturnType<typeof recorder>;
}

/** Answers the body of one POST; undefined where there is nothing to say (notifications). */
export async function answerJsonRpc(
  body: string,
  login: Login,
  options: JsonRpcOptions,
): Promise<string | undefined> {
  let message: unknown;
  try {
    message = JSON.parse(body);
  } catch {
    return JSON.stringify(failure(null, Code.PARSE, 'Parse error'));
  }
  const answers = await withService(options, login, (calls) => answerAll(message, calls));
  return answers === undefined ? undefined : JSON.stringify(answers);
}

interface Calls {
  readonly keeper: Keeper;
  readonly methods: MethodTable;
}

/** A service of the caller's own lives as long as the request. */
async function withService<R>(
  { source, serving = {}, recorder }: JsonRpcOptions,
  login: Login,
  work: (calls: Calls) => Promise<R>,
): Promise<R> {
  const service = newService(source);
  const own = service !== source && service instanceof Service ? service : undefined;
  const peer: ServicePeer = { id: 'http', login, root: nothing() };
  const keeper = new Keeper(new Exports());
  keeper.interceptor = interceptorOf(serving, peer);
  const methods = new MethodTable();
  methods.observer = recorder?.({ id: 'http', login });
  const start = { value: service, used: 0 };
  keeper.roots.set('root', { access: 'listed', start: () => start });
  await own?.onConnect(peer);
  try {
    return await work({ keeper, methods });
  } finally {
    await own?.onDisconnect(peer, new Error('the request is answered'));
  }
}

/** Whoever sends a POST serves nothing. */
function nothing(): Reference {
  return undefined as unknown as Reference;
}

async function answerAll(message: unknown, calls: Calls): Promise<Answer | Answer[] | undefined> {
  if (!Array.isArray(message)) return answerOne(message, calls);
  if (message.length === 0 || message.length > MAX_BATCH)
    return failure(null, Code.REQUEST, 'Invalid Request');
  const answers = await Promise.all(message.map((one) => answerOne(one, calls)));
  const said = answers.filter((answer) => answer !== undefined);
  return said.length === 0 ? undefined : said;
}

async function answerOne(message: unknown, calls: Calls): Promise<Answer | undefined> {
  const { jsonrpc, method, params = [], id } = Object(message) as Record<string, unknown>;
  const isNotification = isRecord(message) && !Object.hasOwn(message, 'id');
  const isSound = jsonrpc === '2.0' && typeof method === 'string' && isRecord(params);
  if (!isSound || !(isNotification || isId(id)))
    return failure(isId(id) ? id : null, Code.REQUEST, 'Invalid Request');
  const answer = await carryOut(calls, method, params, isId(id) ? id : null);
  return isNotification ? undefined : answer;
}

async function carryOut(
  { keeper, methods }: Calls,
  method: string,
  params: object,
  id: Id,
): Promise<Answer> {
  const args = Array.isArray(params) ? params : [params];
  try {
    const result = await methods.observed(`root.${method}`, args, async () => {
      const { value } = await keeper.perform('root', method.split('.'), Operation.CALL, args);
      return (await value) ?? null;
    });
    refuseBehaviour(result, 0);
    return { jsonrpc: '2.0', id, result };
  } catch (error) {
    const { name, message, code } = error as Error & { code?: unknown };
    if (code === 'ERR_ELSEWHERE_NO_METHOD') return failure(id, Code.METHOD, 'Method not found');
    const data = { name, ...(code === undefined ? {} : { code }) };
    return failure(id, Code.FAILED, String(message ?? error), data);
  }
}

/** What has behaviour would show members here that it hides from other clients. */
function refuseBehaviour(value: unknown, depth: number): void {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return;
  if (typeof value === 'number' || value === undefined || value instanceof Date) return;
  if (typeof value !== 'object' || !isData(value) || depth > MAX_DEPTH)
    throw new TypeError('the result is no data that JSON can carry');
  for (const part of Object.values(value)) refuseBehaviour(part, depth + 1);
}

function isId(id: unknown): id is Id {
  return id === null || typeof id === 'string' || typeof id === 'number';
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function failure(id: Id, code: number, message: string, data?: unknown): Answer {
  return { jsonrpc: '2.0', id, error: { code, message, ...(data === undefined ? {} : { data }) } };
}
