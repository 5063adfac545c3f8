/** `elsewhere run`: an unmodified program whose files and sockets are the far side's. */
import { originals } from '../base/originals.ts';
import type { ChildrenChoice, EnvChoice, StdioWay } from '../patch.ts';
import { locate } from '../registry/client.ts';
import type { ProgramOptions } from '../scope/with-remote.ts';
import { ACCESS_HELP, ACCESS_OPTIONS, accessOf } from './agent-access.ts';
import {
  agentUrl,
  networkRules,
  type OptionTable,
  optional,
  type ParsedLine,
  pathRules,
  RULE_OPTIONS,
  splitProgram,
  strings,
} from './args.ts';
import type { Command } from './command.ts';
import { prepare, print } from './plan.ts';
import { programEnvironment } from './run-environment.ts';
import { ExitCode, UsageError } from './usage.ts';

const OPTIONS: OptionTable = {
  on: { type: 'string' },
  patch: { type: 'string', multiple: true },
  except: { type: 'string', multiple: true },
  ...RULE_OPTIONS,
  cwd: { type: 'string' },
  env: { type: 'string' },
  stdio: { type: 'string' },
  children: { type: 'string' },
  ...ACCESS_OPTIONS,
  trace: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
};

const HELP = `elsewhere run: runs a program here whose files and sockets are the far side's

  elsewhere run --on URL [options] -- node app.js ...

  --on URL           what \`elsewhere serve\` printed; default ELSEWHERE_URL
  --patch A,B        only these: fs, net, server, dgram, dns, http, fetch, stdio, process, os, child_process
  --except A,B       all but these
  --local GLOB       these paths stay here (repeatable), beside the program's own package and the
                     node_modules from which it is loaded
  --remote GLOB      exceptions from what stays here
  --deny GLOB        these paths fail with EACCES
  --map FROM=TO      paths below FROM are read and written below TO on the far side
  --net-local PLACE  connected to from here (repeatable): db.corp:5432, *.corp, 10.0.0.0/8:443, localhost, unix:/run/x.sock,
                     udp://*. Ports of this machine's loopback on which the program or its children listen always are.
  --net-remote PLACE exceptions from that
  --net-deny PLACE   connecting there fails with EACCES
  --cwd DIR          working directory on the far side; default the agent's
  --env WHOSE        process.env: local (default), remote, none, or merged: local overlaid with the far side's
  --stdio WHERE      local (default), remote, or tee: input from there, output to both
  --children WHERE   follow (default): Node programs that it starts run here and follow it, other commands run on
                     the far side; remote: all run there; local: all run here
  ${ACCESS_HELP}
  --trace            one line on stderr for each remote operation, as strace does (ELSEWHERE_TRACE=1)
  --dry-run          only print what would go where; with --json as JSON

The program's exit code, signals and standard streams are its own.
Exit codes of elsewhere itself: 2 usage, 69 cannot connect, 77 not allowed, 127 no such program.`;

export const runCommand: Command = {
  name: 'run',
  summary: "run a program whose files and sockets are the far side's",
  help: HELP,
  async run(argv, { register }) {
    const { values, program } = splitProgram(argv, OPTIONS);
    const [command, ...args] = program;
    if (command === undefined)
      throw new UsageError('run what? elsewhere run --on URL -- node app.js');
    const access = accessOf(values);
    const url = await locate(agentUrl(optional(values['on'])), access);
    const given = optionsOf(values);
    const { plan, options } = await prepare(url, access, given, program);
    if (values['dry-run'] === true) return print(plan, values['json'] === true);
    const trace = values['trace'] === true;
    const settings = { url, access, register, options, trace };
    const env = programEnvironment(originals.process.env, settings);
    return start(command, args, env);
  },
};

function optionsOf(values: ParsedLine['values']): ProgramOptions {
  const list = (name: string): string[] | undefined => names(values[name]);
  const [patches, except, cwd] = [list('patch'), list('except'), optional(values['cwd'])];
  return {
    stdio: oneOf<StdioWay>('stdio', ['local', 'remote', 'tee'], values),
    env: oneOf<EnvChoice>('env', ['local', 'remote', 'merged', 'none'], values),
    children: oneOf<ChildrenChoice>('children', ['follow', 'remote', 'local'], values),
    ...(patches === undefined ? {} : { patches }),
    ...(except === undefined ? {} : { except }),
    ...(cwd === undefined ? {} : { cwd }),
    paths: pathRules(values),
    net: networkRules(values),
    tree: process.pid,
  };
}

/** The value of an option that has a few; the first is the default. */
function oneOf<T extends string>(
  name: string,
  choices: readonly [T, ...T[]],
  values: ParsedLine['values'],
): T {
  const given = optional(values[name]) ?? choices[0];
  const choice = choices.find((candidate) => candidate === given);
  if (choice === undefined) throw new UsageError(`--${name} is one of ${choices.join(', ')}`);
  return choice;
}

function names(value: Parameters<typeof strings>[0]): string[] | undefined {
  const list = strings(value)
    .flatMap((item) => item.split(','))
    .filter((item) => item !== '');
  return list.length === 0 ? undefined : list;
}

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2', 'SIGQUIT'] as const;

/** Resolves with the program's exit code; a signal that ended it ends us in the same way. */
function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = originals.childProcess.spawn(command, args, { stdio: 'inherit', env });
    const forward = (signal: NodeJS.Signals): void => {
      // Ctrl-C reaches the whole foreground group by itself; a second one would be one too many.
      if (signal !== 'SIGINT' || !originals.process.stdin.isTTY) child.kill(signal);
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') return reject(error);
      originals.process.stderr.write(
        `elsewhere: no program named ${JSON.stringify(command)} here\n`,
      );
      resolve(ExitCode.NOT_FOUND);
    });
    child.on('exit', (code, signal) => {
      for (const name of FORWARDED) process.off(name, forward);
      if (signal === null) return resolve(code ?? ExitCode.FAILED);
      process.kill(process.pid, signal);
      // A signal that we cannot die of (a stopped one, SIGUSR1 of the inspector): the shell's convention instead.
      setTimeout(() => resolve(128 + (originals.os.constants.signals[signal] ?? 0)), 200);
    });
  });
}
