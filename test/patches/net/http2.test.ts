// HTTP/2 over sockets of the far side, cleartext: what its native half makes of our answers. Each body runs here and there.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type ConnectionPair, connectPair, withRemote } from '../../../src/index.ts';
import { suite } from '../../kit/suite.ts';

const test = suite('patches/net http2', { limit: 20_000 });
let pair: ConnectionPair;
const folder = fs.mkdtempSync(join(tmpdir(), 'elsewhere-http2-'));
fs.writeFileSync(join(folder, 'sent.txt'), 'the file that is sent');

test.before(async () => {
  pair = await connectPair();
});
test.after(async () => {
  await pair.near.close();
  await pair.far.close();
  fs.rmSync(folder, { recursive: true });
});

type Body = (
  log: (line: string) => void,
  serve: (server: http2.Http2Server) => Promise<number>,
) => Promise<void>;

/** The same lines here and there, in the same order. */
async function same(body: Body): Promise<string[]> {
  const here = await lines(body);
  const there = await withRemote(pair.near, { except: ['stdio'] }, () => lines(body));
  assert.deepEqual(there, here);
  return here;
}

async function lines(body: Body): Promise<string[]> {
  const told: string[] = [];
  const servers: http2.Http2Server[] = [];
  try {
    await body(
      (line) => told.push(line),
      async (server) => {
        servers.push(server);
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        return (server.address() as AddressInfo).port;
      },
    );
  } finally {
    for (const server of servers) server.close();
  }
  return told;
}

test('an answer is sent although its stream is destroyed in the same tick', async () => {
  const told = await same(async (log, serve) => {
    const port = await serve(
      http2.createServer().on('stream', (stream) => {
        stream.on('error', (error) => log(`server stream: ${error.message}`));
        stream.respond({ ':status': 200 });
        stream.write('said before');
        stream.destroy(new Error('on purpose'));
      }),
    );
    const client = http2.connect(`http://127.0.0.1:${port}`);
    const request = client.request();
    request.on('response', (headers) => log(`response ${headers[':status']}`));
    request.on('data', (bytes: Buffer) => log(`data ${bytes}`));
    request.on('error', (error: NodeJS.ErrnoException) => log(`client stream: ${error.message}`));
    await new Promise((resolve) => request.once('close', resolve));
    log(`code ${request.rstCode}`);
    client.destroy();
  });
  assert.ok(told.includes('data said before'), told.join('\n'));
});

test('an upload that is answered before it is read: the end is heard before the reset', async () => {
  await same(async (log, serve) => {
    const port = await serve(
      http2.createServer().on('stream', (stream) => {
        // Both leave in one piece.
        setImmediate(() => {
          stream.respond({ ':status': 400 });
          stream.end();
        });
      }),
    );
    const client = http2.connect(`http://127.0.0.1:${port}`);
    const request = client.request({ ':method': 'POST' });
    request.on('response', (headers) => log(`response ${headers[':status']}`));
    request.on('end', () => {
      log('end');
      client.close();
    });
    request.on('close', () => log('close'));
    request.resume();
    // More than the stream's window: it is never taken whole.
    request.end(Buffer.alloc(400_000));
    await new Promise((resolve) => client.once('close', resolve));
  });
});

test('a flood of pings closes the session', async () => {
  await same(async (log, serve) => {
    const server = http2.createServer();
    const session = once(server, 'session');
    const port = await serve(server);
    const client = net.connect(port, '127.0.0.1');
    client.on('error', () => undefined).resume();
    client.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    client.write(frame(4, Buffer.alloc(0)));
    const [flooded] = (await session) as [http2.ServerHttp2Session];
    const failed = new Promise<Error>((resolve) => flooded.once('error', resolve));
    // Nghttp2 counts what one read brings.
    client.write(Buffer.concat(Array<Buffer>(30_000).fill(frame(6, Buffer.alloc(8)))));
    log((await failed).message);
    client.destroy();
  });
});

test('a session of invalid frames is ended, and its client hears of it when it goes on', async () => {
  await same(async (log, serve) => {
    const port = await serve(http2.createServer({ maxSessionInvalidFrames: 50 }));
    const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }).resume();
    client.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    client.write(frame(4, Buffer.alloc(0)));
    let stream = 1;
    // A status in a request.
    const writing = setInterval(() => {
      client.write(frame(1, Buffer.from([0x88]), 0x05, stream));
      stream += 2;
    }, 1);
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
    clearInterval(writing);
    log(['EPIPE', 'ECONNRESET'].includes(error.code ?? '') ? 'cut off' : String(error));
    client.destroy();
  });
});

test('files of the far side are sent by path and by descriptor, with range, check and trailers', async () => {
  await same(async (log, serve) => {
    const path = join(folder, 'sent.txt');
    const fd = fs.openSync(path, 'r');
    const port = await serve(
      http2.createServer().on('stream', (stream, { ':path': asked }) => {
        if (asked === '/path') return stream.respondWithFile(path, { 'x-as': 'path' });
        if (asked === '/range') return stream.respondWithFile(path, {}, { offset: 4, length: 5 });
        if (asked === '/missing')
          return stream.respondWithFile(`${path}.no`, {}, { onError: ({ code }) => refuse(code) });
        if (asked === '/checked')
          return stream.respondWithFD(
            fd,
            {},
            {
              statCheck: (stats, headers, range) => {
                headers['x-size'] = stats.size;
                range.offset = 2;
              },
            },
          );
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-last': 'yes' }));
        stream.respondWithFD(fd, {}, { waitForTrailers: true });
        log(`sent ${stream.headersSent}`);
        // As in Node: nothing can be added.
        stream.end();
        function refuse(code: unknown): void {
          stream.respond({ ':status': 404, 'x-code': String(code) });
          stream.end();
        }
      }),
    );
    const client = http2.connect(`http://127.0.0.1:${port}`);
    for (const asked of ['/path', '/range', '/missing', '/checked', '/descriptor']) {
      const request = client.request({ ':path': asked });
      const names = [':status', 'content-length', 'x-as', 'x-size', 'x-code'];
      request.on('response', (headers) =>
        log(`${asked} ${names.map((name) => headers[name]).join(' ')}`),
      );
      request.on('trailers', (headers) => log(`trailers ${headers['x-last']}`));
      log(await text(request));
    }
    client.destroy();
    fs.closeSync(fd);
  });
});

function frame(type: number, payload: Buffer, flags = 0, stream = 0): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

test.run();
