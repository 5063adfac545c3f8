// Datagrams of a scope are the far side's. What is compared is what the same code does here.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Connection } from '../../src/index.ts';
import { connect, withLocal, withRemote } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('patches/dgram', { limit: 15_000 });
let agent: TestAgent;
let conn: Connection;
const sockets: dgram.Socket[] = [];

test.before(async () => {
  agent = await startAgent({ listen: 'tcp://127.0.0.1:0' });
  conn = await connect(agent.url);
});
test.after(async () => {
  await conn.close();
  await agent.stop();
});
test.after.each(() => {
  for (const socket of sockets.splice(0)) {
    try {
      socket.close();
    } catch {
      // Closed by its test.
    }
  }
});

const there = <R>(fn: () => R): R => withRemote(conn, { except: ['stdio'] }, fn);

function newSocket(options: dgram.SocketOptions = { type: 'udp4' }): dgram.Socket {
  const socket = dgram.createSocket(options);
  sockets.push(socket);
  return socket;
}

async function bound(address = '127.0.0.1', options?: dgram.SocketOptions): Promise<dgram.Socket> {
  const socket = newSocket(options);
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket;
}

const portOf = (socket: dgram.Socket): number => (socket.address() as AddressInfo).port;

test('datagrams arrive one by one, as they were sent, with who sent them', async () => {
  const far = await there(() => bound());
  const here = await withLocal(() => bound());
  const sizes = [0, 1, 1472, 9000, 65_507];
  const received: number[] = [];
  far.on('message', (bytes, from) => {
    assert.deepEqual(
      [from.address, from.family, from.port, from.size],
      ['127.0.0.1', 'IPv4', portOf(here), bytes.length],
    );
    assert.ok(bytes.every((byte) => byte === bytes.length % 251));
    received.push(bytes.length);
    here.emit('told');
  });
  for (const size of sizes) {
    here.send(Buffer.alloc(size, size % 251), portOf(far), '127.0.0.1');
    await once(here, 'told');
  }
  assert.deepEqual(received, sizes);
});

test('the socket is the agent’s: it answers from its own port', async () => {
  const here = await withLocal(() => bound());
  const far = there(() => newSocket());
  far.send([Buffer.from('two '), Buffer.from('parts')], portOf(here), 'localhost');
  const [bytes, from] = (await once(here, 'message')) as [Buffer, dgram.RemoteInfo];
  assert.equal(String(bytes), 'two parts');
  assert.equal(from.port, portOf(far));
  here.send('answer', from.port, from.address);
  assert.equal(String((await once(far, 'message'))[0]), 'answer');
});

test('both families, connected, with names and errors as here', async () => {
  const talk = async (type: 'udp4' | 'udp6', address: string): Promise<unknown> => {
    const server = await bound(address, { type });
    const client = newSocket({ type });
    client.connect(portOf(server), address);
    await once(client, 'connect');
    client.send('ping');
    const [bytes, from] = (await once(server, 'message')) as [Buffer, dgram.RemoteInfo];
    const names = [from.port === portOf(client), client.remoteAddress().port === portOf(server)];
    const twice = newSocket({ type });
    twice.bind(portOf(server), address);
    const [taken] = (await once(twice, 'error')) as [NodeJS.ErrnoException];
    client.disconnect();
    const outcomes = [
      () => client.remoteAddress(),
      () => newSocket({ type }).address(),
      () => newSocket({ type }).setTTL(8),
      () => newSocket({ type }).getRecvBufferSize(),
      () => server.setTTL(8),
      () => server.setTTL(1000),
      () => server.setBroadcast(true),
      () => server.setMulticastLoopback(true),
      () => server.addMembership('1.2.3'),
      () => server.setRecvBufferSize(10_000) ?? server.getRecvBufferSize() > 0,
    ].map(outcome);
    const number = String(portOf(server));
    const shape = (text: unknown): string => JSON.stringify(text).replaceAll(number, 'PORT');
    return [String(bytes), names, taken.message, Object.entries(taken), outcomes].map(shape);
  };
  for (const [type, address] of [
    ['udp4', '127.0.0.1'],
    ['udp6', '::1'],
  ] as const) {
    const here = await talk(type, address);
    assert.deepEqual(await there(() => talk(type, address)), here);
  }
});

function outcome(fn: () => unknown): unknown {
  try {
    return fn() ?? null;
  } catch (error) {
    const { name, message, code, syscall } = error as NodeJS.ErrnoException;
    return [name, message, code, syscall];
  }
}

test('what cannot be sent is told', async () => {
  const told = async (): Promise<unknown> => {
    const socket = newSocket();
    const big = await new Promise<Error | null>((resolve) => {
      socket.send(Buffer.alloc(70_000), 9, '127.0.0.1', resolve);
    });
    const nowhere = await new Promise<Error | null>((resolve) => {
      socket.send('x', 9, '255.255.255.255', resolve);
    });
    return [big, nowhere].map((error) => [error?.message, Object.entries(error ?? {})]);
  };
  const here = await told();
  assert.deepEqual(await there(told), here);
});

test('multicast over loopback', async () => {
  const talk = async (): Promise<string> => {
    const group = '239.255.7.7';
    const member = newSocket({ type: 'udp4', reuseAddr: true });
    member.bind(0);
    await once(member, 'listening');
    member.addMembership(group, '127.0.0.1');
    member.setMulticastInterface('127.0.0.1');
    member.send('to all', portOf(member), group);
    const [bytes] = (await once(member, 'message')) as [Buffer];
    member.dropMembership(group, '127.0.0.1');
    return String(bytes);
  };
  assert.equal(await there(talk), await talk());
});

test('unref lets go, close frees the port, nothing is left', async () => {
  const socket = await there(() => bound());
  const port = portOf(socket);
  socket.unref().ref();
  await new Promise<void>((resolve) => socket.close(resolve));
  const again = there(() => newSocket());
  again.bind(port, '127.0.0.1');
  await once(again, 'listening');
  again.close();
  await conn.ping();
  await conn.ping();
  assert.equal(conn.stats().streams, 0);
});

test('a descriptor of this process is refused, and UDP can stay here', async () => {
  assert.throws(() => there(() => newSocket().bind({ fd: 1 })), /ERR_|descriptor|Unsupported/);
  const here = await withRemote(conn, { except: ['dgram', 'stdio'] }, () => bound());
  const before = conn.stats().packetsSent;
  here.send('x', 9, '127.0.0.1');
  assert.equal(conn.stats().packetsSent, before);
});

test.run();
