/** `deploy` to several hosts at once, over real OpenSSH servers, and commands beside them: nothing is left there. */
import assert from 'node:assert/strict';
import fs, { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Deployment, deploy, withRemote } from '../../src/index.ts';
import { cliFile } from '../kit/agent.ts';
import { sshdMissing, startTestSshd, type TestSshd } from '../kit/sshd.ts';
import { suite } from '../kit/suite.ts';

const test = suite('service/deploy-ssh', { limit: 60_000, fileLimit: 120_000 });
const missing = sshdMissing();
const command = `exec:${process.execPath} ${cliFile} serve --stdio`;
let hosts: TestSshd[] = [];
let ssh: { args: string[]; node: string };
const folders: string[] = [];

test.before(async () => {
  if (missing !== undefined) return;
  hosts = await Promise.all([startTestSshd(), startTestSshd()]);
  // Each host's key is among those that are offered.
  ssh = { args: hosts.flatMap(({ args }) => args), node: process.execPath };
  for (const _ of hosts) folders.push(mkdtempSync(`${tmpdir()}/elsewhere-host-`));
});
test.after(() => {
  for (const host of hosts) host.stop();
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const targets = (): string[] => hosts.map(({ url }, index) => `${url}${folders[index]}`);

/** What an agent could have left. */
const traces = (): string[] =>
  [tmpdir(), homedir()].flatMap((folder) =>
    readdirSync(folder).filter((name) => /^\.?elsewhere(?!-(?:agent|sshd|host|repl))/.test(name)),
  );

async function gone(pids: readonly number[]): Promise<void> {
  while (pids.some((pid) => fs.existsSync(`/proc/${pid}`))) await sleep(10);
}

test('several hosts and a command at once: each works where it is, one is lost alone, none leaves a trace', async ({
  skip,
}) => {
  if (missing !== undefined) return skip(missing);
  const before = traces();
  const fleet: Deployment = await deploy([...targets(), command], { ssh });
  const pids = fleet.connections.map((conn) => conn.peer.pid);
  assert.equal(new Set([...pids, process.pid]).size, 4);
  assert.deepEqual(
    fleet.connections.map((conn) => conn.peer.cwd),
    [...folders, process.cwd()],
  );
  const names = await Promise.all(
    fleet.connections.slice(0, 2).map((conn, index) =>
      withRemote(conn, { except: ['stdio'] }, async () => {
        fs.writeFileSync('mine', `${index}`);
        return `${await fs.promises.readFile('mine', 'utf8')} ${await conn.eval('process.pid')}`;
      }),
    ),
  );
  assert.deepEqual(
    names,
    [0, 1].map((index) => `${index} ${pids[index]}`),
  );
  const [first, second, third] = fleet.connections;
  process.kill(first?.peer.pid as number, 'SIGKILL');
  assert.match(String(await first?.closed), /ended|lost/i);
  await assert.rejects(async () => first?.eval('1'), /ended|lost|closed/i);
  assert.deepEqual(await Promise.all([second, third].map((conn) => conn?.eval('1'))), [1, 1]);
  await fleet.close();
  await gone(pids);
  for (const folder of folders) assert.deepEqual(readdirSync(folder), ['mine']);
  assert.deepEqual(traces(), before);
});

test('a host that refuses, or a command that fails, ends the others, and each is named', async ({
  skip,
}) => {
  if (missing !== undefined) return skip(missing);
  await assert.rejects(
    deploy([...targets(), 'ssh://127.0.0.1:1', 'exec:exit 3'], { ssh }),
    ({ message, errors }: AggregateError) => {
      assert.match(message, /2 of 4 agents/);
      assert.match(String(errors[0]), /127\.0\.0\.1:1.*refused/s);
      return errors.every(({ code }) => code === 'ERR_ELSEWHERE_CONNECT');
    },
  );
  while (readdirSync('/proc').some(isAgent)) await sleep(10);
});

/** A node whose folder is one of the hosts'. */
function isAgent(pid: string): boolean {
  try {
    const [folder, program] = ['cwd', 'exe'].map((name) => fs.readlinkSync(`/proc/${pid}/${name}`));
    return folders.includes(String(folder)) && program === fs.realpathSync(process.execPath);
  } catch {
    return false;
  }
}

test.run();
