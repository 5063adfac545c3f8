/** `elsewhere relay`: where agents that cannot be dialled are met. */
import { originals } from '../base/originals.ts';
import { serveRelay } from '../relay/relay.ts';
import { optional, parseLine } from './args.ts';
import type { Command } from './command.ts';
import { tlsOf, tokenFrom } from './serve-files.ts';
import { UsageError } from './usage.ts';

const HELP = `elsewhere relay: where agents behind a firewall and their clients meet

  elsewhere relay [--listen URL] [--token-file FILE] [--tls-cert FILE --tls-key FILE [--tls-ca FILE]] [--insecure]

  --listen URL       relay://127.0.0.1:PORT (default, any free port); relays://HOST:PORT with a certificate, also
                     beyond this machine
  --token-file FILE  the relay's token, as for \`elsewhere serve\`
  --insecure         allow relay: beyond this machine: anyone on the way can read and change everything

Prints its URL. An agent dials it with \`elsewhere serve --relay URL --name NAME\`, which prints the URL for clients: it leads
to the agent by its name, through the relay. Both must know the relay's token, and the client the agent's as well.`;

export const relayCommand: Command = {
  name: 'relay',
  summary: 'where agents behind a firewall and their clients meet',
  help: HELP,
  async run(argv) {
    const { values, positionals } = parseLine(argv, {
      listen: { type: 'string' },
      'token-file': { type: 'string' },
      'tls-cert': { type: 'string' },
      'tls-key': { type: 'string' },
      'tls-ca': { type: 'string' },
      insecure: { type: 'boolean' },
    });
    if (positionals.length > 0)
      throw new UsageError(`relay takes no ${JSON.stringify(positionals[0])}`);
    const listen = optional(values['listen']);
    const file = optional(values['token-file']);
    const relay = await serveRelay({
      ...(listen === undefined ? {} : { listen }),
      ...(file === undefined ? {} : { token: tokenFrom(file) }),
      ...tlsOf(values),
      insecure: values['insecure'] === true,
    });
    const { stdout } = originals.process;
    stdout.write(`${file === undefined ? relay.url : relay.url.replace(/#.*/, '')}\n`);
    return new Promise((resolve, reject) => {
      const end = (): void => void relay.close().then(() => resolve(0), reject);
      process.once('SIGINT', end);
      process.once('SIGTERM', end);
    });
  },
};
