// Services by name: who offers one registers, who needs one asks for the name.
//   node 15-registry.js
import { connect, listServices, Service, serve, serveRegistry } from 'elsewhere';

class Greeter extends Service {
  static override exposed = ['greet'] as const;
  greet(name: string): string {
    return `hello ${name}`;
  }
}

const registry = await serveRegistry();
const choice = { registry: registry.url };
const servers = await Promise.all(
  [1, 2].map(() => serve({ service: Greeter, register: { name: 'GREETER', ...choice } })),
);
console.log('registered:', (await listServices(choice)).map(({ name }) => name).join(' '));
const conn = await connect<Greeter>('elsewhere:greeter', choice);
console.log(await conn.root.greet('Ada'));
await conn.close();
for (const server of servers) await server.close();
console.log('left:', (await listServices(choice)).length);
await registry.close();
