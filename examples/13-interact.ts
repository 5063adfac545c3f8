// A prompt here whose lines run there: with a terminal it completes names and keeps a history.
//   node 13-interact.js URL
import { connect, interact } from 'elsewhere';

const conn = await connect(process.argv[2] ?? '');
await interact(conn);
await conn.close();
