import { type Links, listenOn } from './links.ts';
import { transportSuite } from './suite.ts';

let links: Links;
const test = transportSuite({ name: 'wss', pair: () => links.pair(), resource: 'TCPSocketWrap' });
test.before(async () => {
  links = await listenOn('wss://127.0.0.1:0');
});
test.after(() => links.close());

test.run();
