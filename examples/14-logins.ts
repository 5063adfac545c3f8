// Who may come in, and what the service knows of it: users, a word of the program's own, and rules for each request.
//   node 14-logins.js
import { connect, type Login, Service, type ServiceCall, type ServicePeer, serve } from 'elsewhere';

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

const server = await serve({
  service: Vault,
  classic: false,
  auth: {
    users: { ada: 'correct horse', bob: 'battery staple' },
    verify: ({ credentials }: Login) => credentials.name !== undefined,
  },
  intercept: (call: ServiceCall, next) => {
    if (call.path[0] === 'open' && call.peer.login?.credentials.name !== 'ada')
      throw new Error('only Ada may open it');
    return next();
  },
});
for (const [user, token] of [
  ['ada', 'correct horse'],
  ['bob', 'battery staple'],
] as const) {
  await using conn = await connect<Vault>(server.url, { user, token });
  console.log(
    await conn.root.whoAmI(),
    '-',
    await conn.root.open().catch(({ message }: Error) => message),
  );
}
await connect(server.url, { user: 'ada', token: 'wrong' }).catch((error: Error) =>
  console.log(error.message),
);
await server.close();
