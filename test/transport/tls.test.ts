import { byteStreamTests } from './byte-stream.ts';
import { type Links, listenOn } from './links.ts';
import { transportSuite } from './suite.ts';

let links: Links;
const test = transportSuite({ name: 'tls', pair: () => links.pair(), resource: 'TCPSocketWrap' });
test.before(async () => {
  links = await listenOn('tls://127.0.0.1:0');
});
test.after(() => links.close());
byteStreamTests(test, () => links);

test.run();
