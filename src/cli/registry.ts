/** `elsewhere registry`: names of services and where they are. */
import { originals } from '../base/originals.ts';
import { listServices, watch } from '../registry/client.ts';
import type { Endpoint } from '../registry/registry.ts';
import { serveRegistry } from '../registry/server.ts';
import { optional, parseLine } from './args.ts';
import type { Command } from './command.ts';
import { UsageError } from './usage.ts';

const HELP = `elsewhere registry: serves names of services, or lists what is registered

  elsewhere registry [--listen URL] [--lease SECONDS]
  elsewhere registry list [URL] [--json]
  elsewhere registry watch [URL] [--json]    what is registered, then each change

The URL of a registry is printed to stdout, and read from ELSEWHERE_REGISTRY; it may also be nats://HOST:PORT. Whoever has it may register services, and
connect to all that are registered. An entry that is not renewed is forgotten after its lease (default 15 s).`;

export const registryCommand: Command = {
  name: 'registry',
  summary: 'names of services and where they are',
  help: HELP,
  async run(argv) {
    const { values, positionals } = parseLine(argv, {
      listen: { type: 'string' },
      lease: { type: 'string' },
      json: { type: 'boolean' },
    });
    const [action, url] = positionals;
    if (action === 'list') return list(url, values['json'] === true);
    if (action === 'watch') return follow(url, values['json'] === true);
    if (action !== undefined) throw new UsageError(`registry cannot ${JSON.stringify(action)}`);
    const listen = optional(values['listen']);
    const lease = Number(optional(values['lease']) ?? 15) * 1000;
    if (!(lease > 0)) throw new UsageError('--lease needs a number of seconds');
    const server = await serveRegistry({ ...(listen === undefined ? {} : { listen }), lease });
    originals.process.stdout.write(`${server.url}\n`);
    return new Promise((resolve, reject) => {
      const end = (): void => void server.close().then(() => resolve(0), reject);
      process.once('SIGINT', end);
      process.once('SIGTERM', end);
    });
  },
};

async function follow(registry: string | undefined, json: boolean): Promise<number> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  process.once('SIGTERM', () => stop.abort());
  const choice = { signal: stop.signal, ...(registry === undefined ? {} : { registry }) };
  try {
    for await (const event of watch(undefined, choice)) {
      const { type, endpoint } = event;
      const text = `${type === 'added' ? '+' : '-'} ${lineOf(endpoint)}`;
      originals.process.stdout.write(json ? `${JSON.stringify(event)}\n` : text);
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  return 0;
}

async function list(registry: string | undefined, json: boolean): Promise<number> {
  const entries = await listServices(registry === undefined ? {} : { registry });
  const lines = entries.map(lineOf).join('');
  originals.process.stdout.write(json ? `${JSON.stringify(entries)}\n` : lines);
  return 0;
}

/** The token stays out of terminals. */
function lineOf({ name, hostname, pid, url, tags }: Endpoint): string {
  const more = tags.length === 0 ? '' : `  ${tags.join(',')}`;
  return `${name}  ${hostname}  ${pid}  ${url.replace(/#.*$/, '')}${more}\n`;
}
