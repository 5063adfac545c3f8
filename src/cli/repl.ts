/** `elsewhere repl`: an interactive prompt whose lines run on the far side. */
import { join } from 'node:path';
import { originals } from '../base/originals.ts';
import { interact } from '../service/interact.ts';
import { ACCESS_HELP, ACCESS_OPTIONS, connectToAgent } from './agent-access.ts';
import { parseLine } from './args.ts';
import type { Command } from './command.ts';
import { EarlyKeys } from './early-keys.ts';

const HELP = `elsewhere repl: a prompt here whose lines run on the far side

  elsewhere repl [URL] [--token-file FILE] [--tls-psk]

Expressions and statements, over several lines, with await; declared names stay. Tab completes names of the far side.
What the code prints shows here. Ctrl-C gives up what is under way, .exit or Ctrl-D ends it.

  ${ACCESS_HELP}`;

export const replCommand: Command = {
  name: 'repl',
  summary: 'an interactive prompt on the far side',
  help: HELP,
  async run(argv) {
    const { values, positionals } = parseLine(argv, ACCESS_OPTIONS);
    const { stdin, stdout } = originals.process;
    const early = new EarlyKeys(stdin);
    const conn = await connectToAgent(positionals[0], values).catch((error: unknown) => {
      early.end();
      throw error;
    });
    early.handOver();
    const historyFile = join(originals.os.homedir(), '.elsewhere_history');
    try {
      await interact(conn, { ...(stdin.isTTY && stdout.isTTY ? { historyFile } : {}) });
    } finally {
      await conn.close();
    }
    return 0;
  },
};
