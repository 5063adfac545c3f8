/** What stands between two sockets at the least: Node's own pipe, each way. Each connection is dialled on to `port`. */
import { type AddressInfo, connect, createServer } from 'node:net';

const port = Number(process.argv[2]);

const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
  const far = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true });
  for (const socket of [near, far])
    socket.on('error', () => {
      near.destroy();
      far.destroy();
    });
  near.on('close', () => far.destroy());
  near.pipe(far);
  far.pipe(near);
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.once('disconnect', () => process.exit());
