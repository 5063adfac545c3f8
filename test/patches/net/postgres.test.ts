// A database driver that knows nothing of scopes: the pg package against a real PostgreSQL server.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import pg from 'pg';
import { type Postgres, startPostgres } from '../../kit/postgres.ts';
import { suite } from '../../kit/suite.ts';
import { threeSides } from '../three-sides.ts';
import { freePort } from './stage.ts';

const test = suite('patches/net postgres', { limit: 30_000 });
const { on, connections } = threeSides(test);
let postgres: Postgres | undefined;

test.before(async ({ skip }) => {
  const started = await startPostgres(await freePort());
  if (typeof started === 'string') skip(started);
  else postgres = started;
});
test.after(() => postgres?.stop());

const options = (): pg.ClientConfig => ({
  host: '127.0.0.1',
  port: postgres?.port ?? 0,
  user: 'test',
  database: 'postgres',
});

async function client<R>(work: (client: pg.Client) => Promise<R>, more?: object): Promise<R> {
  const own = new pg.Client({ ...options(), ...more });
  await own.connect();
  try {
    return await work(own);
  } finally {
    await own.end();
  }
}

test('queries, parameters and types, by an agent’s socket', async () => {
  const before = connections.A.stats().streams;
  const [row, streams] = await on('A', () =>
    client(async (db) => {
      const { rows } = await db.query('select $1::int + 1 as sum, $2::text as text, now() as now', [
        41,
        'naïve ☃',
      ]);
      return [rows[0], connections.A.stats().streams];
    }),
  );
  assert.deepEqual([row.sum, row.text, row.now instanceof Date], [42, 'naïve ☃', true]);
  assert.equal(streams - before, 1);
});

test('a thousand rows, and megabytes in one value', async () => {
  await on('A', () =>
    client(async (db) => {
      const many = await db.query(
        "select n, repeat('x', 100) as x from generate_series(1, 1000) n",
      );
      assert.equal(many.rows.length, 1000);
      assert.equal(many.rows[999].n, 1000);
      const sent = Buffer.alloc(4_000_000, 'elsewhere');
      const { rows } = await db.query('select $1::bytea as back', [sent]);
      assert.ok(sent.equals(rows[0].back));
    }),
  );
});

test('a pool in one scope uses its connections again', async () => {
  const pids = await on('B', async () => {
    const pool = new pg.Pool({ ...options(), max: 5 });
    const ask = async (): Promise<number> =>
      (await pool.query('select pg_backend_pid() as pid')).rows[0].pid;
    const seen = await Promise.all(Array.from({ length: 50 }, ask));
    await pool.end();
    return new Set(seen);
  });
  assert.ok(pids.size >= 1 && pids.size <= 5, `${pids.size} connections`);
});

test('errors are the ones that it gives here', async () => {
  const wrong = (): Promise<unknown[]> =>
    client(async (db) => {
      const failed = (await db.query('select * from nowhere').catch((e: unknown) => e)) as Error;
      const { rows } = await db.query('select 1 as fine');
      return [failed.message, Object.entries(failed), rows];
    });
  assert.deepEqual(await on('A', wrong), await wrong());
  const refused = (): Promise<unknown> =>
    client(async () => 'connected', { port: 1 }).catch((e: Error) => [
      e.message,
      Object.entries(e),
    ]);
  assert.deepEqual(await on('A', refused), await refused());
  const ended = (): Promise<unknown> =>
    client(async (db) => {
      const lost = once(db, 'error');
      const query = db
        .query('select pg_terminate_backend(pg_backend_pid())')
        .catch((e: Error) => e);
      return [((await query) as Error).message, await Promise.race([lost, query]).then(() => true)];
    });
  assert.deepEqual(await on('A', ended), await ended());
});

test('LISTEN and NOTIFY, from one side to another', async () => {
  await on('A', () =>
    client(async (listener) => {
      await listener.query('listen news');
      const heard = once(listener, 'notification');
      await on('B', () => client((db) => db.query("notify news, 'from B'")));
      const [{ payload }] = (await heard) as [pg.Notification];
      assert.equal(payload, 'from B');
    }),
  );
});

test('over its unix socket', async () => {
  const found = await on('A', () =>
    client(async (db) => (await db.query('select inet_client_addr() as address')).rows, {
      host: postgres?.folder,
    }),
  );
  assert.deepEqual(found, [{ address: null }]);
});

test.run();
