// A service: a client sees the listed names and nothing else. Both ends serve: the server calls the client back.
//   node 11-services.js
import { connect, Service, type ServicePeer, serve } from 'elsewhere';

type Client = ServicePeer<{ note(text: string): void }>;

class Calc extends Service {
  static override exposed = ['add', 'count'] as const;
  #peer: Client | undefined;

  override onConnect(peer: ServicePeer): void {
    this.#peer = peer as Client;
  }
  async add(a: number, b: number): Promise<number> {
    await this.#peer?.root.note(`adding ${a} and ${b}`);
    return a + b;
  }
  async *count(to: number): AsyncGenerator<number> {
    for (let i = 1; i <= to; i++) yield i;
  }
  secret(): string {
    return 'not listed';
  }
}

const server = await serve({ service: Calc, classic: false });
const conn = await connect<Calc>(server.url, {
  service: { note: (text: string) => console.log('the server says:', text) },
});
console.log('1 + 2 =', await conn.root.add(1, 2));
for await (const n of conn.root.count(3)) console.log('counted', n);
await conn.root.secret().catch((error: Error) => console.log(error.message));
await conn.close();
await server.close();
