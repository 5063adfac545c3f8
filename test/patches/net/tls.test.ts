// TLS over the far side's sockets: it ends here, so the far side carries encrypted bytes only.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { linkOf } from '../../../patches/net/link.ts';
import { type ConnectionPair, connectPair, withRemote } from '../../../src/index.ts';
import { suite } from '../../kit/suite.ts';
import { selfSigned } from './self-signed.ts';

const test = suite('patches/net tls');

let pair: ConnectionPair;
let server: tls.Server;
let port: number;

test.before(async () => {
  pair = await connectPair();
  server = tls.createServer(selfSigned, (peer) => {
    peer.on('error', () => undefined);
    peer.pipe(peer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as net.AddressInfo);
});
test.after(async () => {
  server.close();
  await pair.near.close();
  await pair.far.close();
});

const options = { host: '127.0.0.1', ca: selfSigned.cert, servername: 'localhost' };

const far = <R>(fn: () => R): R => withRemote(pair.near, fn);

function isRemote(socket: net.Socket): boolean {
  const { _handle } = socket as unknown as { _handle: { _parent: object } };
  return linkOf(_handle._parent) !== undefined;
}

async function echoes(socket: tls.TLSSocket): Promise<void> {
  socket.write('hello');
  const [data] = (await once(socket, 'data')) as [Buffer];
  assert.equal(String(data), 'hello');
  socket.destroy();
}

test('verifies the certificate and talks', async () => {
  const socket = withRemote(pair.near, () => tls.connect({ ...options, port }));
  await once(socket, 'secureConnect');
  assert.equal(isRemote(socket), true);
  assert.equal(socket.authorized, true);
  assert.equal(socket.remotePort, port);
  await echoes(socket);
});

test('refuses a certificate that it does not know', async () => {
  const socket = withRemote(pair.near, () => tls.connect({ host: '127.0.0.1', port }));
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'DEPTH_ZERO_SELF_SIGNED_CERT');
});

test('is laid over a socket that is connected already', async () => {
  const raw = withRemote(pair.near, () => net.connect(port, '127.0.0.1'));
  await once(raw, 'connect');
  const socket = tls.connect({ ...options, socket: raw });
  await once(socket, 'secureConnect');
  await echoes(socket);
});

test('moves megabytes', async () => {
  const SIZE = 2_000_000;
  const socket = withRemote(pair.near, () => tls.connect({ ...options, port }));
  let received = 0;
  socket.on('data', (data) => {
    received += data.length;
    if (received === SIZE) socket.end();
  });
  socket.write(Buffer.alloc(SIZE, 'x'));
  await once(socket, 'close');
  assert.equal(received, SIZE);
});

test('hears of a reset as the TLS socket', async () => {
  // A relay in front of the server, since a TLS server cannot reset by itself.
  const front = net.createServer((peer) => {
    const back = net.connect(port, '127.0.0.1');
    peer.pipe(back).pipe(peer);
    for (const side of [peer, back]) side.on('error', () => undefined);
    back.once('close', () => peer.destroy());
    front.once('reset', () => {
      peer.resetAndDestroy();
      back.destroy();
    });
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  const at = (front.address() as net.AddressInfo).port;
  const messages: string[] = [];
  for (const connect of [tls.connect, (o: tls.ConnectionOptions) => far(() => tls.connect(o))]) {
    const socket = connect({ ...options, port: at });
    await once(socket, 'secureConnect');
    socket.resume();
    setImmediate(() => front.emit('reset'));
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    messages.push(error.message);
  }
  front.close();
  assert.deepEqual(messages, ['read ECONNRESET', 'read ECONNRESET']);
});

test('closes when the socket under it was ended first', async () => {
  for (const side of [<R>(fn: () => R): R => fn(), far]) {
    const raw = side(() => net.connect(port, '127.0.0.1'));
    const socket = tls.connect({ ...options, socket: raw });
    await once(socket, 'secureConnect');
    const failed = once(socket, 'error');
    // No TLS record: the server answers with an alert, and closes.
    raw.end(Buffer.alloc(6, 0xff));
    const [error] = (await failed) as [NodeJS.ErrnoException];
    assert.match(error.code ?? '', /^ERR_SSL_.*ALERT/);
    if (!socket.closed) await once(socket, 'close');
  }
});

test('reports a refused connection', async () => {
  const closed = net.createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const free = (closed.address() as net.AddressInfo).port;
  closed.close();
  await once(closed, 'close');
  const socket = withRemote(pair.near, () => tls.connect({ ...options, port: free }));
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.message, `connect ECONNREFUSED 127.0.0.1:${free}`);
});

test('outside a scope stays local', async () => {
  const socket = tls.connect({ ...options, port });
  await once(socket, 'secureConnect');
  assert.equal(isRemote(socket), false);
  await echoes(socket);
});

test.run();
