/** An agent behind a proxy that cuts its links. */
import assert from 'node:assert/strict';
import { type Connection, type ConnectOptions, connect } from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { authority, tlsArguments } from '../kit/certificates.ts';
import { type Chaos, startChaos } from '../kit/chaos.ts';

export interface Stage {
  readonly agent: TestAgent;
  readonly chaos: Chaos;
  readonly conn: Connection;
}

/** An agent behind the proxy; `life` is the mean life of a link in milliseconds. */
export async function onStage(
  scheme: 'ws' | 'wss' | 'tcp' | 'tls',
  choices: { life?: number; seed?: number; grace?: number; agentGrace?: number },
  play: (stage: Stage) => Promise<void>,
): Promise<void> {
  const { life = 0, seed = 1, grace = 60_000, agentGrace = 60 } = choices;
  const isSecure = scheme === 'wss' || scheme === 'tls';
  const agent = await startAgent({
    listen: `${scheme}://127.0.0.1:0`,
    args: ['--grace', String(agentGrace), ...(isSecure ? tlsArguments() : [])],
  });
  const url = new URL(agent.url);
  const chaos = await startChaos({ target: Number(url.port), seed, life });
  url.port = String(chaos.port);
  const conn = await connectPatiently(url.href, {
    grace,
    ...(isSecure ? { tls: { ca: authority } } : {}),
  });
  try {
    await play({ agent, chaos, conn });
  } finally {
    chaos.calm();
    await conn.close();
    await chaos.close();
    await agent.stop();
  }
}

/** The first link is not dialled again by itself. */
async function connectPatiently(url: string, options: ConnectOptions): Promise<Connection> {
  for (;;) {
    try {
      return await connect(url, options);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'ERR_ELSEWHERE_CONNECT');
    }
  }
}
