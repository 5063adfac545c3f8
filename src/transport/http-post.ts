/** HTTP POST on the port of a ws: or wss: listener, for who says who he is before anything of the body is read. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { PeerCertificate } from './transport.ts';

/** What an HTTP request says of its sender. */
export interface PostSender {
  /** The `Authorization` header. */
  readonly authorization: string | undefined;
  readonly remote: string;
  readonly certificate: PeerCertificate | undefined;
}

/** Answers to the body; undefined: nothing to say. */
export type PostAnswerer = (body: string) => Promise<string | undefined>;

/** Who may send; undefined turns it away. */
export type PostGate = (sender: PostSender) => Promise<PostAnswerer | undefined>;

const MAX_BODY = 1_048_576;
const HEADERS = { 'Cross-Origin-Resource-Policy': 'same-origin', 'Cache-Control': 'no-store' };

export async function answerPost(
  request: IncomingMessage,
  response: ServerResponse,
  gate: PostGate,
  sender: PostSender,
): Promise<void> {
  // A page can send text/plain to anybody without asking first; this it cannot.
  if (!/^application\/json(?:;|$)/i.test(request.headers['content-type'] ?? ''))
    return end(response, 415);
  const answerer = await gate(sender);
  if (answerer === undefined) {
    response.setHeader('WWW-Authenticate', 'Bearer');
    return end(response, 401);
  }
  const body = await bodyOf(request);
  if (body === undefined) return end(response, 413);
  const answer = await answerer(body);
  if (answer === undefined) return end(response, 204, true);
  response.writeHead(200, { ...HEADERS, 'Content-Type': 'application/json' });
  response.end(answer);
}

/** What was not read stays unread: the connection is of no more use. */
function end(response: ServerResponse, status: number, keep = false): void {
  response.writeHead(status, { ...HEADERS, ...(keep ? {} : { Connection: 'close' }) });
  response.end();
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
