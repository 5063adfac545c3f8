/** Instances of classes on the way: registered by value, registered by reference, errors, and what `await using` ends. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  type Connection,
  connect,
  isRemote,
  type Reference,
  registerClass,
} from '../../src/index.ts';
import { repository, startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('objects/classes');
let agent: TestAgent;
let conn: Connection;

class Point {
  x: number;
  next: Point | undefined;
  constructor(x: number, next?: Point) {
    this.x = x;
    this.next = next;
  }
  get double(): number {
    return this.x * 2;
  }
}
class Refused extends Error {
  override name = 'Refused';
  limit = 3;
}
class Printer {
  pages = 0;
}
class Unknown {
  a = 1;
}

declare module '../../src/index.ts' {
  interface ValueClasses {
    point: Point;
  }
}

test.before(async () => {
  agent = await startAgent();
  conn = await connect(agent.url);
  for (const [Class, options] of [
    [Point, {}],
    [Unknown, {}],
    [Refused, {}],
    [Printer, { by: 'reference' }],
  ] as const)
    registerClass(Class, options);
  // The same names over there, other classes.
  writeFileSync(
    join(agent.folder, 'classes.mjs'),
    `import { registerClass } from ${JSON.stringify(join(repository, 'dist', 'index.js'))};
     export class Point { constructor(x) { this.x = x; } get there() { return true; } }
     export class Refused extends Error { name = 'Refused'; }
     export class Printer { print() { return 'printed'; } }
     registerClass(Point); registerClass(Refused); registerClass(Printer, { by: 'reference' });
     export const isPoint = (p) => p instanceof Point && p.there;
     export const make = (x) => { const p = new Point(x); p.next = p; return p; };
     export const fail = () => { throw Object.assign(new Refused('too many'), { code: 'E_MANY', limit: 9 }); };
     export const isRefused = (e) => e instanceof Refused && e.message;
     export const printer = () => new Printer();
     let open = 0;
     export const opened = () => open;
     class Lock { async [Symbol.asyncDispose]() { await null; open--; } held() { return open; } }
     export const lock = () => { open++; return new Lock(); };
     export class Gate { go() {} [Symbol.dispose]() { open--; } constructor() { open++; } }
    `,
  );
  await conn.import('./classes.mjs');
});
test.after(async () => {
  await conn.close();
  await agent.stop();
});

const there = () =>
  conn.modules['./classes.mjs'] as unknown as Reference<
    Record<string, (...args: unknown[]) => unknown>
  >;

test('registered by value: instances on both sides, with shared parts and cycles', async () => {
  assert.equal(await there()['isPoint']?.(new Point(1)), true);
  const point = (await there()['make']?.(21)) as Point;
  assert.ok(point instanceof Point);
  assert.equal(point.double, 42);
  assert.equal(point.next, point);
  const own = new Point(1, new Point(2));
  assert.deepEqual(await conn.run((p: Point) => [p, p.next] as const, own), [own, own.next]);
  // Not known over there: its data.
  assert.deepEqual(
    await conn.run((u: unknown) => Object.getPrototypeOf(u) === Object.prototype, new Unknown()),
    true,
  );
});

test('registered errors are of their class on both sides', async () => {
  const failed = there()['fail']?.() as unknown as Promise<never>;
  const error = await failed.catch((caught: unknown) => caught as Refused);
  assert.ok(error instanceof Refused);
  assert.deepEqual([error.name, error.message, error.limit], ['Refused', 'too many', 9]);
  assert.equal((error as { code?: string }).code, 'E_MANY');
  assert.equal(await there()['isRefused']?.(new Refused('mine')), 'mine');
  // A subclass of one arrives as the nearest that is known.
  class Worse extends Refused {}
  assert.equal(await there()['isRefused']?.(new Worse('worse')), 'worse');
});

test('registered by reference: instanceof asks nobody', async () => {
  const printer: unknown = await there()['printer']?.();
  assert.ok(isRemote(printer));
  const before = conn.stats().packetsSent;
  assert.equal((printer as object) instanceof Printer, true);
  assert.equal((printer as object) instanceof Point, false);
  assert.match(inspect(printer), /^\[Remote Printer #/);
  assert.equal(conn.stats().packetsSent, before);
  assert.equal(((await conn.eval('new (class Other {})()')) as object) instanceof Printer, false);
});

test('a name is given once, and never one of the language', () => {
  for (const [Class, name] of [
    [class extends Point {}, 'Point'],
    [Point, 'TypeError'],
    [class {}, ''],
  ] as const)
    assert.throws(() => registerClass(Class, { name }), { code: 'ERR_ELSEWHERE_ARGUMENT' });
  registerClass(Point);
});

test('await using ends what it stands for over there; using only gives it back', async () => {
  const Gate = there()['Gate'] as unknown as new () => Promise<Reference<{ go(): void }>>;
  {
    await using lock = (await there()['lock']?.()) as Reference<{ held(): number }>;
    assert.equal(await lock.held(), 1);
  }
  assert.equal(await there()['opened']?.(), 0);
  {
    await using gate = await new Gate();
    await gate.go();
    assert.equal(await there()['opened']?.(), 1);
  }
  assert.equal(await there()['opened']?.(), 0, 'also by the blocking symbol');
  {
    using gate = await new Gate();
    await gate.go();
  }
  assert.equal(await there()['opened']?.(), 1);
  await using file = await conn.modules['fs/promises'].open(join(agent.folder, 'classes.mjs'));
  assert.equal(typeof (await file.fd), 'number');
});

test.run();
