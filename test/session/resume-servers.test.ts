// A server of a scope goes on listening and accepting over links that are cut.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { withRemote } from '../../src/index.ts';
import { listensOn } from '../kit/socket-owner.ts';
import { suite } from '../kit/suite.ts';
import { onStage } from './stage.ts';

const test = suite('session/resume servers', { limit: 40_000 });

test('a listening port stays, and every connection to it is answered byte for byte', () =>
  onStage('tcp', { life: 60, seed: 5 }, async ({ agent, chaos, conn }) => {
    const server = withRemote(conn, { stdio: 'local' }, () =>
      net
        .createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket))
        .listen(0, '127.0.0.1'),
    );
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    let answered = 0;
    while (chaos.broken < 10 || answered < 40) {
      const words = `${answered} `.repeat(5_000);
      const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      client.end(words);
      assert.equal(await text(client), words);
      answered++;
    }
    assert.ok(listensOn(agent.process.pid ?? 0, port));
    // The last one's end may still be on its way.
    const open = (): Promise<number> =>
      new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
    while ((await open()) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    server.close();
    await once(server, 'close');
  }));

test.run();
