/**
 * What `elsewhere run` is about to do: checked with the agent before the program starts, so that mistakes show here. On a
 * connection of its own, which is closed first: the program need not be Node, and an agent may take one client at a time.
 */
import { originals } from '../base/originals.ts';
import { currentScope, knownPatches } from '../scope/installer.ts';
import { type ProgramOptions, withRemote } from '../scope/with-remote.ts';
import { connect } from '../service/connect.ts';
import type { Access } from './agent-access.ts';
import { UsageError } from './usage.ts';

export interface Plan {
  readonly agent: { readonly url: string; readonly hostname: string; readonly node: string };
  readonly program: readonly string[];
  /** The working directory on the far side. */
  readonly cwd: string;
  readonly remote: readonly string[];
  readonly local: readonly string[];
  readonly paths: ProgramOptions['paths'];
  readonly net: ProgramOptions['net'];
  readonly stdio: ProgramOptions['stdio'];
  readonly env: ProgramOptions['env'];
  readonly children: ProgramOptions['children'];
}

/** Also gives the options back with the directory made absolute. Rejects as `connect`, `withRemote` and `chdir` do. */
export async function prepare(
  url: string,
  access: Access,
  given: ProgramOptions,
  program: readonly string[],
): Promise<{ plan: Plan; options: ProgramOptions }> {
  const conn = await connect(url, access);
  try {
    const cwd = withRemote(conn, { stdio: 'local' }, () => startDirectory(given.cwd));
    const options = given.cwd === undefined ? given : { ...given, cwd };
    const { hostname, node } = conn.peer;
    const names = knownPatches().map(({ name }) => name);
    const remote = withRemote(conn, options, () =>
      names.filter((name) => currentScope()?.target(name) !== undefined),
    );
    const plan: Plan = {
      agent: { url: url.replace(/#.*/, ''), hostname, node },
      program,
      cwd,
      remote,
      local: names.filter((name) => !remote.includes(name)),
      paths: options.paths,
      net: options.net,
      stdio: options.stdio,
      env: options.env,
      children: options.children,
    };
    return { plan, options };
  } finally {
    await conn.close();
  }
}

/** Asks the far side only if there is something to ask. */
function startDirectory(cwd: string | undefined): string {
  try {
    if (cwd !== undefined) process.chdir(cwd);
    return process.cwd();
  } catch (error) {
    throw new UsageError(`--cwd: ${(error as Error).message}`);
  }
}

export function print(plan: Plan, json: boolean): number {
  const { stdout } = originals.process;
  stdout.write(`${json ? JSON.stringify(plan) : describe(plan)}\n`);
  return 0;
}

function describe(plan: Plan): string {
  const { agent, paths = {}, net = {} } = plan;
  const lines: [string, string][] = [
    ['agent', `${agent.url} (${agent.hostname}, Node ${agent.node})`],
    ['program', plan.program.join(' ')],
    ['directory', plan.cwd],
    ['remote', plan.remote.join(', ')],
    ['local', plan.local.join(', ')],
    ...(['local', 'remote', 'deny'] as const).flatMap((rule) =>
      (paths[rule] ?? []).map((glob): [string, string] => [`${rule} path`, glob]),
    ),
    ...Object.entries(paths.map ?? {}).map(([from, to]): [string, string] => [
      'mapped path',
      `${from} is ${to} there`,
    ]),
    ...(['local', 'remote', 'deny'] as const).flatMap((rule) =>
      (net[rule] ?? []).map((place): [string, string] => [`${rule} place`, place]),
    ),
    ['stdio', String(plan.stdio)],
    ['env', String(plan.env)],
    ['children', String(plan.children)],
  ];
  return lines.map(([name, text]) => `${`${name}:`.padEnd(13)}${text || 'nothing'}`).join('\n');
}
