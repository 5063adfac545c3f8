// Who may come in, and what the service knows of it: users, a word of the program's own, and rules for each request.
//   node 14-logins.js
import { connect, Service, type ServiceCall, type ServicePeer, serve } from 'elsewhere';

class Vault extends Service {
  static override exposed = ['whoAmI', 'open'] as const;
  #peer: ServicePeer | undefined;

  override onConnect(peer: ServicePeer): void {
    this.#peer = peer;
  }
  whoAmI(): string | undefined {
    return this.#peer?.login?.credentials.name;
  }
  open(): string {
    return 'it is open';
  }
}
const users = { ada: 'correct horse', bob: 'battery staple' };
const server = await serve({
  service: Vault,
  classic: false,
  auth: { users, verify: ({ credentials }) => credentials.by === 'user' },
  intercept: ({ path, peer }: ServiceCall, next) => {
    if (path[0] === 'open' && peer.login?.credentials.name !== 'ada')
      throw new Error('only Ada may open it');
    return next();
  },
});
const said = ({ message }: Error): string => message;
for (const [user, token] of Object.entries(users)) {
  await using conn = await connect<Vault>(server.url, { user, token });
  console.log(await conn.root.whoAmI(), '-', await conn.root.open().catch(said));
}
console.log(await connect(server.url, { user: 'ada', token: 'wrong' }).catch(said));
await server.close();
