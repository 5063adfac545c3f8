/** A TCP proxy that is as slow as a long link: so many bytes per second each way, and so many milliseconds until they are there. */
import net from 'node:net';

const [target = '0', rate = '20e6', delay = '10'] = process.argv.slice(2);
const bytesPerMs = Number(rate) / 1000;
/** What leaves as one: a fifth of a millisecond at 20 MB/s. */
const PIECE = 4096;

/** Bytes of one direction of one connection, with the time at which each piece arrives. */
function shape(from: net.Socket, to: net.Socket): void {
  const underWay: { readonly bytes: Buffer; readonly due: number }[] = [];
  let free = 0;
  let isScheduled = false;
  const schedule = (ms: number): void => {
    if (!isScheduled) setTimeout(deliver, Math.max(1, ms));
    isScheduled = true;
  };
  const deliver = (): void => {
    isScheduled = false;
    const now = performance.now();
    const due: Buffer[] = [];
    while (underWay[0] !== undefined && underWay[0].due <= now)
      due.push(underWay.shift()?.bytes as Buffer);
    if (due.length > 0) to.write(Buffer.concat(due));
    if (underWay[0] !== undefined) schedule(underWay[0].due - now);
  };
  from.on('data', (chunk) => {
    for (let at = 0; at < chunk.length; at += PIECE) {
      const bytes = chunk.subarray(at, at + PIECE);
      free = Math.max(free, performance.now()) + bytes.length / bytesPerMs;
      underWay.push({ bytes, due: free + Number(delay) });
    }
    schedule(Number(delay));
  });
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroy());
}

const proxy = net.createServer({ noDelay: true }, (client) => {
  const server = net.connect({ port: Number(target), host: '127.0.0.1', noDelay: true });
  shape(client, server);
  shape(server, client);
});
proxy.listen(0, '127.0.0.1', () => process.send?.((proxy.address() as net.AddressInfo).port));
