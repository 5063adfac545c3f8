/** Finds the command, runs it, and turns what went wrong into one line and an exit code. */
import { ElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';
import { packageVersion } from '../base/version.ts';
import type { Command, CommandContext } from './command.ts';
import { cpCommand } from './cp.ts';
import { doctorCommand } from './doctor.ts';
import { execCommand } from './exec.ts';
import { explainCommand } from './explain.ts';
import { pingCommand } from './ping.ts';
import { proxyCommand } from './proxy.ts';
import { registryCommand } from './registry.ts';
import { relayCommand } from './relay.ts';
import { replCommand } from './repl.ts';
import { runCommand } from './run.ts';
import { serveCommand } from './serve.ts';
import { ExitCode, exitCodeOf, UsageError } from './usage.ts';
import { userCommand } from './user.ts';

const COMMANDS: readonly Command[] = [
  serveCommand,
  runCommand,
  execCommand,
  explainCommand,
  replCommand,
  cpCommand,
  proxyCommand,
  registryCommand,
  relayCommand,
  userCommand,
  pingCommand,
  doctorCommand,
];

export async function main(argv: readonly string[], context: CommandContext): Promise<number> {
  const { stdout, stderr } = originals.process;
  const [name, ...rest] = argv;
  if (name === '--version' || name === '-v') return print(stdout, packageVersion);
  if (name === '--help' || name === '-h' || name === 'help') return print(stdout, overview());
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined) {
    stderr.write(
      `elsewhere: ${name === undefined ? 'which command?' : `there is no command ${JSON.stringify(name)}`}\n\n${overview()}\n`,
    );
    return ExitCode.USAGE;
  }
  if (asksForHelp(rest)) return print(stdout, command.help);
  try {
    return await command.run(rest, context);
  } catch (error) {
    stderr.write(`elsewhere: ${describe(error)}\n`);
    if (error instanceof UsageError) stderr.write(`try: elsewhere ${command.name} --help\n`);
    return exitCodeOf(error);
  }
}

/** Only our own part of the line: behind `--`, or a program's name, help is the program's. */
function asksForHelp(argv: readonly string[]): boolean {
  return argv[0] === '--help' || argv[0] === '-h';
}

/** Our errors speak for themselves; one that came from the far side's code shows where it was thrown. */
function describe(error: unknown): string {
  if (error instanceof ElsewhereError || error instanceof UsageError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function print(stream: NodeJS.WritableStream, text: string): number {
  stream.write(`${text}\n`);
  return ExitCode.OK;
}

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    `elsewhere ${packageVersion}: local code uses another machine's files, sockets and stdio`,
    '',
    'usage: elsewhere COMMAND ...',
    '',
    ...lines,
    '',
    'elsewhere COMMAND --help tells more. elsewhere --version prints the version.',
  ].join('\n');
}
