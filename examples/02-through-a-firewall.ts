// A page and a line of a host that only the far machine can reach.
//   node 02-through-a-firewall.js URL http://db.internal:8080/ [LINE-PORT]
import { once } from 'node:events';
import { connect as dial } from 'node:net';
import { connect, withRemote } from 'elsewhere';

const [url = '', page = '', linePort] = process.argv.slice(2);

const fetchPage = async (): Promise<string> => (await fetch(page)).text();

async function readLine(): Promise<string> {
  const socket = dial(Number(linePort), new URL(page).hostname);
  const [data] = await once(socket.setEncoding('utf8'), 'data');
  socket.destroy();
  return String(data).trim();
}

const conn = await connect(url);
// The same two lines of code, in the same tick: one goes through the far machine, one does not.
const [through, direct] = await Promise.allSettled([withRemote(conn, fetchPage), fetchPage()]);
console.log(
  'through the far side:',
  through.status === 'fulfilled' ? through.value.trim() : String(through.reason),
);
console.log(
  'directly:            ',
  direct.status === 'fulfilled' ? direct.value.trim() : `failed (${direct.reason.cause?.code})`,
);
if (linePort !== undefined) console.log('a line over a socket:', await withRemote(conn, readLine));
await conn.close();
