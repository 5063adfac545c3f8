/** Ways in which a service says what it offers, and what sees each request. */
import assert from 'node:assert/strict';
import {
  type Connection,
  connectPair,
  exposed,
  type Intercept,
  isRemote,
  type Reference,
  remoteReflect,
  type ServeOptions,
  Service,
  type ServiceCall,
} from '../../src/index.ts';
import { suite } from '../kit/suite.ts';

const test = suite('service/exposure');
const NO_METHOD = { code: 'ERR_ELSEWHERE_NO_METHOD' };

@exposed
class Note {
  @exposed text: string;
  hidden = 1;
  constructor(text: string) {
    this.text = text;
  }
}
class Plain {
  a = 1;
  b = [2];
}
const told: string[] = [];

class Base extends Service {
  @exposed
  shared(): string {
    return 'base';
  }
}
class Calc extends Base {
  static override exposed = ['listed'] as const;
  @exposed Note = Note;
  @exposed({ as: 'plus' }) add(a: number, b: number): number {
    return a + b;
  }
  @exposed({ oneway: true }) tell(text: string): never {
    told.push(text);
    throw new Error('unheard');
  }
  @exposed({ byValue: true }) async plain(): Promise<Plain[]> {
    return [new Plain()];
  }
  @exposed get size(): number {
    return 7;
  }
  @exposed({ writable: true }) accessor level = 1;
  @exposed accessor fixed = 2;
  listed(): string {
    return 'by name';
  }
  unlisted(): void {}
}

async function using(
  options: ServeOptions,
  work: (
    root: Reference<Record<string, (...args: unknown[]) => unknown>>,
    conn: Connection,
  ) => Promise<void>,
): Promise<void> {
  const { near, far } = await connectPair({ classic: false, ...options });
  try {
    await work(near.root as never, near);
  } finally {
    await near.close();
    await far.close();
  }
}

test('@exposed members, under their names or others, beside listed and inherited ones', () =>
  using({ service: Calc }, async (root) => {
    assert.equal(await root['plus']?.(1, 2), 3);
    assert.equal(await root['listed']?.(), 'by name');
    assert.equal(await root['shared']?.(), 'base');
    assert.equal(await root['size'], 7);
    for (const name of ['add', 'unlisted', 'hidden', 'onConnect'])
      await assert.rejects(async () => root[name]?.(1, 2), NO_METHOD, name);
    assert.deepEqual((await remoteReflect.ownKeys(root)).sort(), [
      ...['Note', 'fixed', 'level', 'listed', 'plain', 'plus', 'shared', 'size', 'tell'],
    ]);
  }));

test('what is writable can be set, and nothing else', () =>
  using({ service: Calc }, async (root) => {
    await remoteReflect.set(root, 'level', 5);
    assert.equal(await root['level'], 5);
    for (const name of ['fixed', 'size', 'plus', 'listed'])
      await assert.rejects(remoteReflect.set(root, name, 1), NO_METHOD, name);
  }));

test('a marked class can be constructed', () =>
  using({ service: Calc }, async (root) => {
    const NoteThere = root['Note'] as unknown as new (text: string) => Promise<Reference<Note>>;
    const note = await new NoteThere('hi');
    assert.ok(isRemote(note));
    assert.equal(await note.text, 'hi');
    await assert.rejects(async () => note.hidden, NO_METHOD);
  }));

test('oneway answers at once; byValue copies', () =>
  using({ service: Calc }, async (root) => {
    assert.equal(await root['tell']?.('x'), undefined);
    assert.deepEqual(told, ['x']);
    assert.deepEqual(await root['plain']?.(), [{ a: 1, b: [2] }]);
  }));

test('static members cannot be marked', () => {
  const mark = exposed as (value: unknown, context: unknown) => void;
  assert.throws(
    () => mark(() => undefined, { kind: 'method', name: 'go', static: true, private: false }),
    { name: 'TypeError', message: /public members of instances, not go/ },
  );
});

test('intercept sees every request, may change arguments, answer, or refuse', async () => {
  const seen: string[] = [];
  const intercept: Intercept = (call, next) => {
    seen.push(`${call.operation} ${call.path.join('.')} ${JSON.stringify(call.args)}`);
    assert.match(call.peer.id, /^[0-9a-f]{32}$/);
    if (call.path[0] === 'listed') throw Object.assign(new Error('not today'), { code: 'E_DAY' });
    if (call.path[0] === 'shared') return 'answered in its place';
    return call.path[0] === 'plus' ? next([...call.args.slice(0, 1), 10]) : next();
  };
  await using({ service: Calc, intercept }, async (root) => {
    assert.equal(await root['plus']?.(1, 2), 11);
    assert.equal(await root['shared']?.(), 'answered in its place');
    await assert.rejects(async () => root['listed']?.(), { code: 'E_DAY' });
    await assert.rejects(async () => root['unlisted']?.(), NO_METHOD);
    const NoteThere = root['Note'] as unknown as new (text: string) => Promise<Reference<Note>>;
    const note = await new NoteThere('hi');
    await note.text;
    assert.deepEqual(seen, [
      'call plus [1,2]',
      'call shared []',
      'call listed []',
      'call unlisted []',
      'construct Note ["hi"]',
      'get text []',
    ]);
  });
});

test('intercept may wait', () => {
  const slow: Intercept = async (call: ServiceCall, next) => {
    await null;
    return next(call.args);
  };
  return using({ service: Calc, intercept: slow }, async (root) => {
    assert.equal(await root['plus']?.(2, 2), 4);
    await assert.rejects(async () => root['nowhere']?.(), NO_METHOD);
  });
});

test.run();
