// A service for programs of any language: JSON-RPC 2.0 over HTTP, on the same port as for our own clients.
//   node 16-json-rpc.js
import { Service, serve } from 'elsewhere';

class Calc extends Service {
  static override exposed = ['add'] as const;
  add(a: number, b: number): number {
    return a + b;
  }
}

const server = await serve({ service: Calc, classic: false, jsonRpc: true });
const url = server.url.replace('ws:', 'http:').replace(/#.*/, '');
const call = async (body: unknown): Promise<unknown> => {
  const headers = { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  return response.json();
};
console.log(await call({ jsonrpc: '2.0', method: 'add', params: [1, 2], id: 1 }));
console.log(
  await call([
    { jsonrpc: '2.0', method: 'add', params: [3, 4], id: 'a' },
    { jsonrpc: '2.0', method: 'constructor', id: 'b' },
  ]),
);
await server.close();
