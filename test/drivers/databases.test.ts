// ioredis and mysql2 know nothing of scopes: on each side they do what they do here, by sockets of that side.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { runProgram } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';
import { freePort } from '../patches/net/stage.ts';
import { SIDES, threeSides } from '../patches/three-sides.ts';
import { everywhere, whose } from './everywhere.ts';
import { hasProgram, packageOf, type Server, startServer } from './packages.ts';

const test = suite('drivers/databases', { limit: 40_000, fileLimit: 60_000 });
const sides = threeSides(test);
const servers: Server[] = [];
const ports = { redis: 0, mysql: 0 };
let redisFolder = '';

test.before(async () => {
  [ports.redis, ports.mysql] = await Promise.all([freePort(), freePort()]);
  const starts = [
    ...(hasProgram('redis-server') ? [startRedis()] : []),
    ...(hasProgram('mariadbd') ? [startMariadb()] : []),
  ];
  servers.push(...(await Promise.all(starts)));
});
test.after(() => Promise.all(servers.map((server) => server.stop())));

async function startRedis(): Promise<Server> {
  const own = ['--bind', '127.0.0.1', '--save', ''];
  const server = await startServer(
    'redis-server',
    (at) => ['--port', `${ports.redis}`, '--unixsocket', join(at, 'redis.sock'), ...own],
    /Ready to accept/,
  );
  redisFolder = server.folder;
  return server;
}

function startMariadb(): Promise<Server> {
  const common = (at: string): string[] => [
    '--no-defaults',
    `--user=${process.getuid?.() === 0 ? 'root' : process.env['USER']}`,
    `--datadir=${join(at, 'data')}`,
    `--tmpdir=${at}`,
    '--skip-name-resolve',
    '--innodb-log-file-size=4M',
  ];
  return startServer(
    'mariadbd',
    (at) => [
      ...common(at),
      `--port=${ports.mysql}`,
      '--bind-address=127.0.0.1',
      `--socket=${join(at, 'mysql.sock')}`,
      '--innodb-flush-method=nosync',
      '--max-allowed-packet=16M',
    ],
    /ready for connections/,
    async (at) => {
      const how = ['--auth-root-authentication-method=normal', '--skip-test-db'];
      const { code, stderr } = await runProgram('mariadb-install-db', [...common(at), ...how], {
        env: { TMPDIR: at },
      });
      assert.equal(code, 0, stderr);
    },
  );
}

interface Redis extends NodeJS.EventEmitter {
  set(key: string, value: Uint8Array | string): Promise<string>;
  get(key: string): Promise<string>;
  getBuffer(key: string): Promise<Buffer>;
  client(...words: string[]): Promise<string>;
  pipeline(): { incr(key: string): unknown; exec(): Promise<[Error | null, number][]> };
  subscribe(channel: string): Promise<number>;
  publish(channel: string, message: string): Promise<number>;
  duplicate(more?: object): Redis;
  quit(): Promise<string>;
  disconnect(): void;
  connect(): Promise<void>;
}

test('ioredis: big values, pipelines, subscriptions, a connection that is killed', async (context) => {
  const { Redis } = packageOf<{ Redis: new (options: object) => Redis }>(context, 'ioredis');
  if (!hasProgram('redis-server')) context.skip('there is no redis-server');
  const said = await everywhere(sides, async (side) => {
    const redis = new Redis({ host: 'localhost', port: ports.redis });
    const seen = async (): Promise<string> => {
      const [, port] = /\baddr=127\.0\.0\.1:(\d+)/.exec(await redis.client('INFO')) ?? [];
      return whose(sides, Number(port), ports.redis);
    };
    const owners = [await seen()];
    const value = Buffer.alloc(2_000_000, side);
    await redis.set(`big ${side}`, value);
    const same = value.equals(await redis.getBuffer(`big ${side}`));
    const pipeline = redis.pipeline();
    for (let i = 0; i < 1000; i++) pipeline.incr(`count ${side}`);
    const counts = await pipeline.exec();
    const listener = redis.duplicate();
    await listener.subscribe(`news ${side}`);
    const heard = once(listener, 'message');
    await redis.publish(`news ${side}`, 'hello');
    const news = (await heard)[1];
    await listener.quit();
    const id = await redis.client('ID');
    const [back, killer] = [once(redis, 'ready'), redis.duplicate()];
    await killer.client('KILL', 'ID', id);
    await Promise.all([back, killer.quit()]);
    owners.push(await seen());
    const wrong = await redis.client('NONSENSE').catch((e: Error) => [e.name, e.message]);
    await redis.quit();
    return { owners, said: [same, counts.length, counts.at(-1), news, wrong] };
  });
  assert.deepEqual((said as unknown[]).slice(0, 4), [true, 1000, [null, 1000], 'hello']);
});

test('ioredis: over a unix socket; a port where nobody listens', async (context) => {
  const { Redis } = packageOf<{ Redis: new (options: object) => Redis }>(context, 'ioredis');
  if (!hasProgram('redis-server')) context.skip('there is no redis-server');
  const nobody = await freePort();
  for (const side of SIDES)
    await sides.on(side, async () => {
      const redis = new Redis({ path: join(redisFolder, 'redis.sock') });
      assert.match(await redis.client('INFO'), /addr=\S*redis\.sock/);
      await redis.quit();
      const none = new Redis({ port: nobody, lazyConnect: true, retryStrategy: null });
      const failed = once(none, 'error');
      await assert.rejects(none.connect());
      const [{ code, syscall, address, port }] = await failed;
      assert.deepEqual(
        [code, syscall, address, port],
        ['ECONNREFUSED', 'connect', '127.0.0.1', nobody],
      );
    });
});

type Rows = Record<string, unknown>[];
interface Mysql {
  execute(sql: string, values?: unknown[]): Promise<[Rows]>;
  query(sql: string, values?: unknown[]): Promise<[Rows]>;
  getConnection(): Promise<Mysql & { release(): void; beginTransaction(): Promise<void> }>;
  rollback(): Promise<void>;
  end(): Promise<void>;
}

test('mysql2: a pool, prepared statements, megabytes, a transaction, errors', async (context) => {
  const { createPool } = packageOf<{ createPool(options: object): Mysql }>(
    context,
    'mysql2/promise',
  );
  if (!hasProgram('mariadbd')) context.skip('there is no mariadbd');
  const said = await everywhere(sides, async (side) => {
    const pool = createPool({
      host: '127.0.0.1',
      port: ports.mysql,
      user: 'root',
      database: 'mysql',
      connectionLimit: 4,
    });
    const ask = async (): Promise<string> => {
      const own = 'select host from information_schema.processlist where id = connection_id()';
      const [[row]] = await pool.query(`${own} and sleep(0.01) = 0`);
      return whose(sides, Number(String(row?.['host']).split(':')[1]), ports.mysql);
    };
    const owners = await Promise.all(Array.from({ length: 20 }, ask));
    const when = new Date(1e12);
    const [[typed]] = await pool.execute('select ? + 1 as sum, ? as text, ? as moment', [
      41,
      'naïve ☃',
      when,
    ]);
    const sent = Buffer.alloc(4_000_000, side);
    const [[back]] = await pool.query('select ? as bytes', [sent]);
    const same = sent.equals(Buffer.from(back?.['bytes'] as string));
    const db = await pool.getConnection();
    await db.query('create temporary table t (n int) engine=InnoDB');
    await db.beginTransaction();
    await db.query('insert into t select seq from mysql.seq_1_to_1000');
    const [[before]] = await db.query('select count(*) as n from t');
    await db.rollback();
    const [[after]] = await db.query('select count(*) as n from t');
    db.release();
    const wrong = await pool.query('select * from nowhere').catch((e) => Object.entries(e));
    await pool.end();
    return { owners, said: [typed, same, before, after, wrong] };
  });
  assert.deepEqual((said as unknown[]).slice(1, 4), [true, { n: 1000 }, { n: 0 }]);
});

test.run();
