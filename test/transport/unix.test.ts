import { byteStreamTests } from './byte-stream.ts';
import { type Links, listenOn } from './links.ts';
import { transportSuite } from './suite.ts';

let links: Links;
const test = transportSuite({ name: 'unix', pair: () => links.pair(), resource: 'PipeWrap' });
test.before(async () => {
  links = await listenOn(`unix:/tmp/elsewhere-transport-${process.pid}.sock`);
});
test.after(() => links.close());
byteStreamTests(test, () => links);

test.run();
