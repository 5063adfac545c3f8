// nats, nodemailer and amqplib know nothing of scopes: on each side they do what they do here, by sockets of that side.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import * as certificates from '../kit/certificates.ts';
import { suite } from '../kit/suite.ts';
import { freePort } from '../patches/net/stage.ts';
import { threeSides } from '../patches/three-sides.ts';
import { everywhere, whose } from './everywhere.ts';
import { hasProgram, packageOf, type Server, startServer } from './packages.ts';

const test = suite('drivers/messages', { limit: 30_000, fileLimit: 60_000 });
const sides = threeSides(test);
let nats: Server | undefined;
const ports = { nats: 0, monitor: 0 };

test.before(async () => {
  [ports.nats, ports.monitor] = await Promise.all([freePort(), freePort()]);
  if (!hasProgram('nats-server')) return;
  const own = ['-a', '127.0.0.1', '-p', `${ports.nats}`, '-m', `${ports.monitor}`];
  nats = await startServer('nats-server', () => own, /Server is ready/);
});
test.after(() => nats?.stop());

interface Nats {
  readonly info: { client_id: number };
  subscribe(subject: string, options?: object): AsyncIterable<Message> & { drain(): Promise<void> };
  publish(subject: string, data?: Uint8Array): void;
  request(subject: string, data: Uint8Array, options?: object): Promise<Message>;
  flush(): Promise<void>;
  drain(): Promise<void>;
}
interface Message {
  readonly data: Uint8Array;
  respond(data: Uint8Array): void;
}

test('nats: requests, a thousand messages in order, nobody who answers', async (context) => {
  const client = packageOf<{ connect(options: object): Promise<Nats> }>(context, 'nats');
  if (nats === undefined) context.skip('there is no nats-server');
  const said = await everywhere(sides, async (side) => {
    const nc = await client.connect({ servers: `127.0.0.1:${ports.nats}` });
    // The server's own page is asked by each side, by its pool of fetch.
    const page = await fetch(`http://127.0.0.1:${ports.monitor}/connz`);
    const { connections } = (await page.json()) as { connections: { cid: number; port: number }[] };
    const { port = 0 } = connections.find(({ cid }) => cid === nc.info.client_id) ?? {};
    const owners = [whose(sides, port, ports.nats)];
    const echo = nc.subscribe(`echo.${side}`);
    const answering = (async () => {
      for await (const message of echo) message.respond(message.data);
    })();
    const sent = new Uint8Array(900_000).fill(7);
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => nc.request(`echo.${side}`, sent, { timeout: 20_000 })),
    );
    const same = answers.every(({ data }) => Buffer.from(data).equals(sent));
    await echo.drain();
    await answering;
    const counted = nc.subscribe(`count.${side}`);
    const numbers: number[] = [];
    const counting = (async () => {
      for await (const { data } of counted) {
        numbers.push(Number(String(Buffer.from(data))));
        if (numbers.length === 1000) return;
      }
    })();
    for (let i = 0; i < 1000; i++) nc.publish(`count.${side}`, Buffer.from(String(i)));
    await counting;
    const inOrder = numbers.every((n, at) => n === at);
    const nobody = await nc
      .request(`nobody.${side}`, sent.subarray(0, 1))
      .catch((e: Error & { code: string }) => [e.name, e.code]);
    await nc.drain();
    return { owners, said: [same, inOrder, nobody] };
  });
  assert.deepEqual((said as unknown[]).slice(0, 2), [true, true]);
});

interface Session {
  readonly remotePort: number;
  readonly secure: boolean;
  readonly user?: string;
}
interface Smtp {
  readonly SMTPServer: new (options: object) => { server: NetServer; close(): void };
}
interface Mailer {
  createTransport(options: object): {
    sendMail(mail: object): Promise<{ accepted: string[]; response: string }>;
    close(): void;
  };
}

test('nodemailer: STARTTLS, a pool, an attachment, a login that is refused', async (context) => {
  const mailer = packageOf<Mailer>(context, 'nodemailer');
  const { SMTPServer } = packageOf<Smtp>(context, 'smtp-server');
  const seen: { owner: string; secure: boolean; size: number }[] = [];
  let port = 0;
  const smtp = new SMTPServer({
    ...certificates.agent,
    onAuth: ({ username, password }: { username: string; password: string }, _: Session, done) =>
      password === 'right' ? done(null, { user: username }) : done(new Error('wrong password')),
    onData: (stream: NodeJS.ReadableStream, session: Session, done: (e: null, s: string) => void) =>
      void text(stream).then((mail) => {
        const owner = whose(sides, session.remotePort, port);
        seen.push({ owner, secure: session.secure, size: mail.length });
        done(null, `kept for ${session.user}`);
      }),
  } as Record<string, unknown> & {
    onAuth: (who: never, session: Session, done: (...answer: unknown[]) => void) => void;
  });
  smtp.server.listen(0, '127.0.0.1');
  await once(smtp.server, 'listening');
  ({ port } = smtp.server.address() as AddressInfo);
  await everywhere(sides, async (side) => {
    const options = {
      host: 'localhost',
      port,
      requireTLS: true,
      tls: { ca: certificates.authority },
    };
    const transport = (pass: string) =>
      mailer.createTransport({
        ...options,
        pool: true,
        maxConnections: 2,
        auth: { user: 'me', pass },
      });
    const good = transport('right');
    const mail = { from: 'a@example.com', to: 'b@example.com', subject: side, text: 'naïve ☃' };
    const attachments = [{ filename: 'x', content: Buffer.alloc(500_000, 'x') }];
    const sent = await Promise.all(
      Array.from({ length: 6 }, () => good.sendMail({ ...mail, attachments })),
    );
    good.close();
    const bad = transport('wrong');
    const refused = await bad
      .sendMail(mail)
      .catch((e: Error & { code: string }) => [e.code, e.message]);
    bad.close();
    const none = mailer.createTransport({ ...options, port: 1 });
    const nobody = await none.sendMail(mail).catch((e: Error) => [e.message, Object.entries(e)]);
    const answers = sent.map(({ response, accepted }) => [response, accepted]);
    return { owners: [side], said: [answers, refused, nobody] };
  });
  smtp.close();
  assert.equal(seen.length, 18);
  for (const side of ['local', 'A', 'B'])
    assert.equal(seen.filter(({ owner }) => owner === side).length, 6, side);
  assert.ok(seen.every(({ secure, size }) => secure && size > 660_000));
});

interface Channel {
  assertQueue(name: string, options?: object): Promise<unknown>;
  sendToQueue(name: string, data: Uint8Array): boolean;
  waitForConfirms(): Promise<void>;
  consume(name: string, on: (message: { content: Buffer }) => void): Promise<unknown>;
  ack(message: { content: Buffer }): void;
  checkQueue(name: string): Promise<unknown>;
  on(event: 'error', listener: () => void): void;
  close(): Promise<void>;
}
interface Amqp {
  connect(url: string): Promise<{
    connection: { stream: Socket };
    createConfirmChannel(): Promise<Channel>;
    close(): Promise<void>;
  }>;
}

test('amqplib: confirmed messages, megabytes, acknowledgements, a queue that is not there', async (context) => {
  const amqp = packageOf<Amqp>(context, 'amqplib');
  const broker = process.env['ELSEWHERE_TEST_AMQP'];
  if (broker === undefined)
    return context.skip('a RabbitMQ takes half a minute to start: ELSEWHERE_TEST_AMQP names none');
  const said = await everywhere(sides, async (side) => {
    const connection = await amqp.connect(broker);
    const { localPort = 0, remotePort = 0 } = connection.connection.stream;
    const owners = [whose(sides, localPort, remotePort)];
    const channel = await connection.createConfirmChannel();
    const queue = `elsewhere ${side} ${process.pid}`;
    await channel.assertQueue(queue, { exclusive: true });
    const sizes = [3_000_000, ...Array.from({ length: 499 }, (_, i) => i + 1)];
    for (const size of sizes) channel.sendToQueue(queue, Buffer.alloc(size, 'x'));
    await channel.waitForConfirms();
    const got: number[] = [];
    await new Promise<void>((resolve) => {
      void channel.consume(queue, (message) => {
        got.push(message.content.length);
        channel.ack(message);
        if (got.length === sizes.length) resolve();
      });
    });
    await channel.close();
    const other = await connection.createConfirmChannel();
    other.on('error', () => undefined);
    const missing = await other
      .checkQueue('nowhere')
      .catch((e: Error & { code: number }) => [e.code, e.message]);
    await connection.close();
    return { owners, said: [got.join() === sizes.join(), missing] };
  });
  assert.equal((said as unknown[])[0], true);
});

test.run();
