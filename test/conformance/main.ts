/**
 * `npm run conformance -- RUNNER TREE GROUPS [ONLY] [flags of the runner…]`: Node's own test files with the whole program
 * remote. RUNNER is the folder of a runner (`run.mjs`) that takes `--wrap`, TREE one with Node's `test/` in it, as the release
 * that runs has it. An agent is started in TREE, so that relative paths mean the same on both sides.
 * CONFORMANCE_NODE: the Node that runs all; this one by default.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { cliFile } from '../kit/agent.ts';

const [runner, tree, groups, only = 'meaningful', ...flags] = process.argv.slice(2);
if (runner === undefined || tree === undefined || groups === undefined) {
  console.error('usage: npm run conformance -- RUNNER TREE GROUPS [ONLY] [flags of the runner…]');
  process.exit(2);
}
const node = process.env['CONFORMANCE_NODE'] ?? process.execPath;
// Short: the runner's own sockets are in folders of their own.
const folder = mkdtempSync(join(tmpdir(), 'conf-'));
const agent = spawn(node, [cliFile, 'serve', '--listen', `unix:${join(folder, 's')}`], {
  cwd: resolve(tree),
  stdio: ['ignore', 'pipe', 'inherit'],
});
const [line] = (await once(agent.stdout.setEncoding('utf8'), 'data')) as [string];
const wrap = `{node} ${cliFile} run --on ${line.split('\n')[0]} -- {node} {flags} {file}`;
const chosen = ['--tree', resolve(tree), '--node', node, '--group', groups, '--only', only];
const { status } = spawnSync(
  process.execPath,
  [join(resolve(runner), 'run.mjs'), ...chosen, '--wrap', wrap, ...flags],
  { stdio: 'inherit' },
);
agent.kill();
await once(agent, 'exit');
rmSync(folder, { recursive: true, force: true });
process.exitCode = status ?? 1;
