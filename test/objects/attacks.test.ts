/** What a hostile peer may try on objects: each row is refused in its own way, and changes nothing of this process. */
import assert from 'node:assert/strict';
import { IncomingCall } from '../../src/connection/calls.ts';
import { MethodTable } from '../../src/connection/methods.ts';
import { Service } from '../../src/index.ts';
import { DO, Operation, RELEASE } from '../../src/objects/operation.ts';
import { ObjectSession } from '../../src/objects/session.ts';
import { serveService } from '../../src/service/service.ts';
import { connectedPeers } from '../connection/peers.ts';
import { assertIntact, intrinsics } from '../kit/intact.ts';
import { suite } from '../kit/suite.ts';

const test = suite('objects/attacks');

let touched = 0;
class Base extends Service {
  inherited(): number {
    return ++touched;
  }
}
class Victim extends Base {
  static override exposed = ['add', 'list', 'secretless', 'items'] as const;
  _private = 1;
  add(a: number, b: number): number {
    return a + b;
  }
  list(): object {
    return [{ name: 'x' }];
  }
  get secretless(): number {
    return 7;
  }
  get loud(): number {
    return ++touched;
  }
  *items(): Generator<number> {
    yield 1;
  }
  static statically(): number {
    return ++touched;
  }
  override toString(): string {
    touched++;
    return 'v';
  }
}

/** The receiving end, as a peer's frames reach it. */
function newVictim(): { ask(...message: unknown[]): Promise<unknown>; methods: MethodTable } {
  const methods = new MethodTable();
  const objects = new ObjectSession({
    methods,
    description: 'attacker',
    cancel: () => undefined,
    request: () => {
      throw new Error('nothing is asked back');
    },
    notify: () => undefined,
    hold: () => undefined,
    release: () => undefined,
  });
  serveService(objects, { source: Victim, peer: { id: 'x' }, ended: () => undefined });
  const lane = connectedPeers().near.main;
  let number = 0;
  const ask = async (...message: unknown[]): Promise<unknown> => {
    const call = number++;
    const answer = await Promise.resolve()
      .then(() =>
        methods.invoke(DO, [[call, call, ...message]], new IncomingCall(call, lane, undefined)),
      )
      .catch((error: unknown) => {
        throw plain(error);
      });
    return plain(answer);
  };
  return { ask, methods };
}

/** Sealed for the wire, as the test sees it. */
function plain(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'refer' in value && 'value' in value
    ? value.value
    : value;
}

const NAMES = [
  ...['constructor', '__proto__', 'prototype', 'valueOf', 'toString', 'toLocaleString'],
  ...['hasOwnProperty', 'isPrototypeOf', 'propertyIsEnumerable', '__defineGetter__'],
  ...['__defineSetter__', '__lookupGetter__', '__lookupSetter__', 'then', 'catch', 'finally'],
  ...['toJSON', 'inspect', 'call', 'apply', 'bind', 'caller', 'callee', 'arguments', 'length'],
  ...['name', 'inherited', 'loud', '_private', 'statically', 'onConnect', 'exposed', ''],
  ...['a\0b', 'ａdd', 'add ', 'x'.repeat(1_000_000)],
];
const OPERATIONS = [
  Operation.GET,
  Operation.CALL,
  Operation.CONSTRUCT,
  Operation.SET,
  Operation.DELETE,
];
const NO_METHOD = { code: 'ERR_ELSEWHERE_NO_METHOD' };

/** [what, target, path, operation, params, what it fails with] */
type Row = readonly [string, unknown, unknown, unknown, unknown, object];
const ROWS: readonly Row[] = [
  ...NAMES.flatMap((name) =>
    OPERATIONS.map(
      (operation): Row => [
        `${operation} ${JSON.stringify(name.slice(0, 30))}`,
        'root',
        [name],
        operation,
        [],
        NO_METHOD,
      ],
    ),
  ),
  ...[
    ['add', 'constructor'],
    ['add', 'constructor', 'constructor'],
    ['add', 'bind', 'constructor'],
    ['add', 'call'],
    ['secretless', 'constructor'],
    ['secretless', 'toFixed'],
  ].map((path): Row => [`path ${path.join('.')}`, 'root', path, Operation.CALL, [], NO_METHOD]),
  ['set an exposed name', 'root', ['add'], Operation.SET, [1], NO_METHOD],
  ['delete an exposed name', 'root', ['add'], Operation.DELETE, [], NO_METHOD],
  ['new on a method', 'root', ['add'], Operation.CONSTRUCT, [], NO_METHOD],
  ['copy of the service', 'root', [], Operation.COPY, [], NO_METHOD],
  ['iterate the service', 'root', [], Operation.ITERATE, [1], NO_METHOD],
  ['next of no cursor', 'root', [], Operation.NEXT, [1], NO_METHOD],
  ['an unknown operation', 'root', ['add'], 99, [], NO_METHOD],
  ['an operation by name', 'root', ['add'], 'CALL', [], NO_METHOD],
  ['modules', 'modules', ['fs', 'readFileSync'], Operation.CALL, ['/etc/passwd'], NO_METHOD],
  ['global', 'global', ['process', 'exit'], Operation.CALL, [], NO_METHOD],
  ['namespace', 'namespace', ['x'], Operation.GET, [], NO_METHOD],
  ['a root of Object', 'constructor', [], Operation.GET, [], NO_METHOD],
  ...[7, 1, -1, 0.5, Number.NaN, 2 ** 53, 65_536, Number.POSITIVE_INFINITY].map(
    (id): Row => [`id ${id}`, id, [], Operation.GET, [], { code: 'ERR_ELSEWHERE_BAD_REFERENCE' }],
  ),
  [
    'a target that is an object',
    {},
    [],
    Operation.GET,
    [],
    { code: 'ERR_ELSEWHERE_BAD_REFERENCE' },
  ],
  ['a path that is no list', 'root', 'add', Operation.CALL, [], TypeError],
  ['a path of numbers', 'root', [1], Operation.CALL, [], TypeError],
  ['a path of objects', 'root', [{ toString: 'add' }], Operation.CALL, [], TypeError],
  ['params that are no list', 'root', ['add'], Operation.CALL, { length: 2 }, TypeError],
];

test(`${ROWS.length} attacks are refused, each in its way`, async () => {
  const { ask } = newVictim();
  const before = intrinsics();
  for (const [what, target, path, operation, params, expected] of ROWS) {
    const start = performance.now();
    await assert.rejects(ask(target, path, operation, params), expected, what);
    assert.ok(performance.now() - start < 200, `${what} took too long`);
  }
  assert.equal(touched, 0, 'nothing of the service ran');
  assertIntact(before);
  assert.equal(await ask('root', ['add'], Operation.CALL, [1, 2]), 3, 'and it still serves');
});

test('absent and hidden names read alike', async () => {
  const { ask } = newVictim();
  const message = async (name: string): Promise<string> =>
    ask('root', [name], Operation.CALL, []).then(
      () => '',
      (error: Error) => error.message.replace(name, 'NAME'),
    );
  assert.equal(await message('inherited'), await message('nowhere'));
  assert.equal(await ask('root', ['loud'], Operation.HAS, []), false);
  assert.deepEqual(await ask('root', [], Operation.KEYS, []), [
    'add',
    'list',
    'secretless',
    'items',
  ]);
});

test('a result is reached by its own members only', async () => {
  const { ask } = newVictim();
  await ask('root', ['list'], Operation.CALL, []);
  assert.equal(await ask([0], ['0', 'name'], Operation.GET, []), 'x');
  for (const path of [['map'], ['constructor'], ['0', 'hasOwnProperty'], ['0', '__proto__']])
    await assert.rejects(ask([0], path, Operation.CALL, []), NO_METHOD, path.join('.'));
});

test('releasing what one does not have, too often, or with nonsense, changes nothing', async () => {
  const { ask, methods } = newVictim();
  const [cursor] = (await ask('root', ['items'], Operation.CALL, []).then(() =>
    ask([0], [], Operation.ITERATE, [0]),
  )) as [number];
  for (const pair of [
    [cursor, -1],
    [cursor, Number.NaN],
    [cursor, 0.5],
    [cursor, '1'],
    [cursor + 1, 1],
    [-1, 1],
    ['x', 1],
    [null, null],
  ])
    methods.invoke(RELEASE, [0, ...pair], undefined);
  assert.deepEqual(await ask(cursor, [], Operation.NEXT, [5]), [[], true]);
  methods.invoke(RELEASE, [0, cursor, 2 ** 31], undefined);
  methods.invoke(RELEASE, [0, cursor, 1], undefined);
  await assert.rejects(ask(cursor, [], Operation.NEXT, [1]), {
    code: 'ERR_ELSEWHERE_BAD_REFERENCE',
  });
});

test.run();
