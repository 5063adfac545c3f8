import { MessageChannel } from 'node:worker_threads';
import { listenPort, openPort } from '../../src/transport/port.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { transportSuite } from './suite.ts';

const { port1, port2 } = new MessageChannel();
const arrivals: ((transport: Transport) => void)[] = [];

const test = transportSuite({
  name: 'port',
  resource: 'MessagePort',
  pair: async () => {
    const far = new Promise<Transport>((resolve) => arrivals.push(resolve));
    const near = openPort(port1);
    return [near, await far];
  },
});
test.before(() => {
  listenPort(port2, (transport) => arrivals.shift()?.(transport));
});
test.after(() => port1.close());

test.run();
