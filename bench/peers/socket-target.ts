/**
 * What proxied sockets talk to. The first byte of a connection says what it wants: 'e' everything echoed, this byte
 * included; 'u' the bytes that follow, counted, one byte back at each `size`; 'd' `size` bytes at each further byte.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';

const size = Number(process.argv[2]);
const block = Buffer.alloc(256 * 1024, 7);

function download(socket: Socket, left: number): void {
  let rest = left;
  while (rest > 0) {
    const piece = rest >= block.length ? block : block.subarray(0, rest);
    rest -= piece.length;
    if (!socket.write(piece) && rest > 0) {
      socket.once('drain', () => download(socket, rest));
      return;
    }
  }
}

function serve(socket: Socket): void {
  let wanted = '';
  let received = 0;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    let bytes = chunk;
    if (wanted === '') {
      wanted = String.fromCharCode(chunk[0] ?? 0);
      if (wanted !== 'e') bytes = chunk.subarray(1);
    }
    if (wanted === 'e') socket.write(bytes);
    else if (wanted === 'd') for (let i = 0; i < bytes.length; i++) download(socket, size);
    else received += bytes.length;
    while (received >= size) {
      received -= size;
      socket.write('.');
    }
  });
}

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.once('disconnect', () => process.exit());
