// The main job in one run (`npm start`): an agent in a process of its own, and code here that uses its machine's things.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, withRemote } from 'elsewhere';

const cli = fileURLToPath(new URL('./cli.js', import.meta.resolve('elsewhere')));
const folder = mkdtempSync(join(tmpdir(), 'far-machine-'));
writeFileSync(join(folder, 'city.txt'), 'a file in the agent’s folder\n');

const agent = spawn(process.execPath, [cli, 'serve'], {
  cwd: folder,
  stdio: ['ignore', 'pipe', 'ignore'],
});
const [line] = await once(agent.stdout, 'data');
const url = String(line).trim();
console.log(`agent:   process ${agent.pid}, working in ${folder}`);

const conn = await connect(url);
console.log(`client:  process ${process.pid}, working in ${process.cwd()}`);

// A web server here, so that we can see from which process a request comes.
const server = createServer((request, response) =>
  response.end(`you came from port ${request.socket.remotePort}`),
).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

await withRemote(conn, { except: ['stdio'] }, async () => {
  console.log(`\ninside withRemote(conn, fn):`);
  console.log(`  process.cwd()             ${process.cwd()}`);
  console.log(`  readFileSync('city.txt')  ${readFileSync('city.txt', 'utf8').trim()}`);
  writeFileSync('reply.txt', 'written from the client');
  const answer = await (await fetch(`http://127.0.0.1:${port}/`)).text();
  console.log(`  fetch(...)                ${answer}: a socket of process ${agent.pid}`);
});

console.log(`\noutside:`);
console.log(`  process.cwd()             ${process.cwd()}`);
console.log(`  reply.txt over there      ${readFileSync(join(folder, 'reply.txt'), 'utf8')}`);
try {
  readFileSync('city.txt');
} catch (error) {
  console.log(`  readFileSync('city.txt')  ${(error as Error).message}`);
}

server.close();
await conn.close();
agent.kill();
await once(agent, 'exit');
rmSync(folder, { recursive: true });
console.log('\ndone: the agent has ended, nothing is left behind');
