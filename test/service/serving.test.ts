/** How a service is served: names, turns, its own say about access, what is told of failures. */
import assert from 'node:assert/strict';
import {
  connect,
  connectPair,
  discover,
  oneway,
  remoteAccess,
  remoteReflect,
  type ServeOptions,
  Service,
  type ServiceFailure,
  serve,
  serveRegistry,
  timed,
  type Use,
} from '../../src/index.ts';
import { suite } from '../kit/suite.ts';

const test = suite('service/serving', { limit: 20_000 });

class CalcService extends Service {
  static override exposed = ['add', 'fail', 'tell', 'maker'] as const;
  add(a: number, b: number): number {
    return a + b;
  }
  fail(): never {
    throw new RangeError('no');
  }
  maker(): CalcService {
    return new CalcService();
  }
}

class Named extends CalcService {
  static override serviceName = 'REKEN';
  static override aliases = ['rekenaar', 'calculator'];
}

test('a service has the names of its class: clients see them, and registries get them', async () => {
  for (const [service, names] of [
    [CalcService, ['Calc']],
    [new Named(), ['REKEN', 'rekenaar', 'calculator']],
    [{ add: () => 1 }, []],
    [() => new Named(), ['REKEN', 'rekenaar', 'calculator']],
  ] as const) {
    const { near, far } = await connectPair({ service });
    assert.deepEqual(near.peer.services, names);
    await near.close();
    await far.close();
  }
  const registry = await serveRegistry();
  const choice = { registry: registry.url };
  await assert.rejects(serve({ service: {}, register: choice }), {
    code: 'ERR_ELSEWHERE_ARGUMENT',
    message: /register: \{ name \}/,
  });
  const far = await serve({ service: Named, register: choice });
  for (const name of ['reken', 'rekenaar', 'calculator'])
    assert.equal((await discover(name, choice))[0]?.url, far.url);
  const conn = await connect<Named>('elsewhere:Rekenaar', choice);
  assert.equal(await conn.root.add(1, 2), 3);
  await conn.close();
  await far.close();
  assert.deepEqual(await discover('reken', choice), []);
  await registry.close();
});

test('services are chosen by tags, and say under which address clients reach them', async () => {
  const registry = await serveRegistry();
  const choice = { registry: registry.url };
  const register = { name: 'BOX', ...choice };
  const one = await serve({ register: { ...register, tags: ['gpu', 'big'] } });
  const url = 'ws://build.example:4000/';
  const two = await serve({ register: { ...register, tags: ['big'], url } });
  const found = (tags: string[]) => discover('box', { ...choice, tags });
  assert.deepEqual(
    (await found(['big'])).map((endpoint) => endpoint.url),
    [`${url}#${two.token}`, one.url],
  );
  assert.deepEqual(
    (await found(['big', 'gpu'])).map((endpoint) => endpoint.url),
    [one.url],
  );
  assert.deepEqual(await found(['small']), []);
  await assert.rejects(connect('elsewhere:BOX', { ...choice, tags: ['small'] }), {
    code: 'ERR_ELSEWHERE_CONNECT',
  });
  for (const server of [one, two, registry]) await server.close();
});

/** Counts how many calls run at once. */
class Busy extends Service {
  static override exposed = ['work', 'size', 'begun'] as const;
  static now = 0;
  static most = 0;
  static names: string[] = [];
  size = 1;
  begun = Busy.names;
  async work(name: string, ms = 5): Promise<string> {
    Busy.names.push(name);
    Busy.most = Math.max(Busy.most, ++Busy.now);
    await new Promise((resolve) => setTimeout(resolve, ms));
    Busy.now--;
    if (name === 'bad') throw new Error('bad');
    return name;
  }
}

test('only so many calls of one client run at once; the others wait in their order', async () => {
  const { near, far } = await connectPair<Busy>({ service: Busy, concurrency: 3 });
  const names = Array.from({ length: 30 }, (_, index) => (index === 7 ? 'bad' : `${index}`));
  const calls = names.map((name) => near.root.work(name));
  // What is no call waits for nobody.
  assert.equal(await near.root.size, 1);
  assert.ok(Busy.names.length <= 3, `${Busy.names.length} had begun`);
  const answers = await Promise.allSettled(calls);
  assert.deepEqual(
    answers.map(({ status }) => status),
    names.map((name) => (name === 'bad' ? 'rejected' : 'fulfilled')),
  );
  assert.equal(Busy.most, 3);
  assert.deepEqual(Busy.names, names);
  await near.close();
  await far.close();
});

test('a call that is given up while it waits never begins', async () => {
  const { near, far } = await connectPair<Busy>({ service: Busy, concurrency: 1 });
  const first = near.root.work('first', 100);
  await assert.rejects(timed(near.root.work, 20)('given up'), { code: 'ERR_ELSEWHERE_TIMEOUT' });
  const last = near.root.work('last');
  assert.deepEqual(await Promise.all([first, last]), ['first', 'last']);
  assert.ok(!Busy.names.includes('given up'));
  await near.close();
  await far.close();
  for (const concurrency of [0, 1.5, -1])
    await assert.rejects(connectPair({ service: Busy, concurrency }), {
      code: 'ERR_ELSEWHERE_ARGUMENT',
    });
});

class Vault extends Service {
  static override exposed = ['listed'] as const;
  static asked: string[] = [];
  listed = 1;
  secret = 2;
  notes: Record<string, number> = { a: 1 };
  open(): string {
    return 'open';
  }
  [remoteAccess](name: string, use: Use): boolean | undefined {
    Vault.asked.push(`${use} ${name}`);
    if (name === 'secret') return false;
    if (name === 'listed') return use === 'get' ? undefined : use === 'set';
    if (name === 'notes') return use === 'delete' || use === 'get';
    return name === 'open' || name === 'toString' || name === 'constructor';
  }
}

test('an object may decide itself what of it is used', async () => {
  const { near, far } = await connectPair({ service: Vault });
  const root = near.root as never as Record<string, (...args: unknown[]) => unknown>;
  assert.equal(await root['open']?.(), 'open');
  assert.equal(await root['listed'], 1);
  await remoteReflect.set(root, 'listed', 5);
  assert.equal(await root['listed'], 5);
  assert.deepEqual(await root['notes'], { a: 1 });
  assert.equal(await remoteReflect.deleteProperty(root, 'notes'), true);
  const none = { code: 'ERR_ELSEWHERE_NO_METHOD' };
  for (const name of ['secret', 'notes', 'toString', 'constructor', 'onConnect'])
    await assert.rejects(remoteReflect.get(root, name), none, name);
  await assert.rejects(remoteReflect.set(root, 'secret', 1), none);
  await assert.rejects(remoteReflect.deleteProperty(root, 'secret'), none);
  assert.deepEqual((await remoteReflect.ownKeys(root)).sort(), ['listed', 'open']);
  assert.ok(!Vault.asked.some((use) => use.endsWith('constructor')));
  await near.close();
  await far.close();
});

class Failing extends CalcService {
  tell(): never {
    throw new Error('in vain');
  }
  override onDisconnect(): never {
    throw new Error('at the end');
  }
}

async function failing(options: ServeOptions = {}) {
  const { near, far } = await connectPair<Failing>({ service: Failing, ...options });
  const failures: string[] = [];
  far.on('failure', ({ operation, path, error }: ServiceFailure, { peer }) =>
    failures.push(`${operation} ${path} ${(error as Error).message} ${peer.pid === process.pid}`),
  );
  return { near, far, failures };
}

test('what fails at a service is told to the server, also where nobody waits for the answer', async () => {
  const { near, far, failures } = await failing();
  await assert.rejects(near.root.fail(), { message: 'no' });
  await oneway(near.root.tell)();
  await assert.rejects((near.root as never as { x(): Promise<void> }).x(), {
    code: 'ERR_ELSEWHERE_NO_METHOD',
  });
  await near.close();
  await far.close();
  assert.deepEqual(failures, [
    'call fail no true',
    'call tell in vain true',
    'call x the other side offers no member named "x" true',
    'disconnect  at the end true',
  ]);
});

test('errors of services show where they were thrown only if they are told to', async () => {
  for (const stacks of [false, true]) {
    const { near, far } = await failing({ stacks });
    for (const call of [() => near.root.fail(), () => near.root.maker().fail()])
      await assert.rejects(call as () => Promise<never>, (error: Error) => {
        assert.equal((error.stack ?? '').includes('serving.test'), true);
        assert.equal((error.stack ?? '').includes('--- far side, memory ---'), stacks);
        return true;
      });
    await near.close();
    await far.close();
  }
});

test.run();
