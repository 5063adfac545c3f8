// `elsewhere proxy` under programs that people set a proxy in: curl, a browser, npm. What they ask for, only the far side knows.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cliFile, runProgram, type TestAgent } from '../kit/agent.ts';
import * as certificates from '../kit/certificates.ts';
import { suite } from '../kit/suite.ts';
import { curl, curlVersion, knowsNames, ONLY_THERE, startNamedAgent } from './stage.ts';

const test = suite('proxy/programs', { limit: 90_000, fileLimit: 180_000 });
const folder = mkdtempSync(join(tmpdir(), 'elsewhere-proxied-'));
const servers: Server[] = [];
let agent: TestAgent;
let command: ChildProcess;
const ports = { socks: 0, http: 0, site: 0, secure: 0, registry: 0 };

test.before(async ({ skip }) => {
  if (!knowsNames) skip('a hosts file for the agent alone needs root');
  agent = await startNamedAgent();
  const args = [cliFile, 'proxy', agent.url, '--json', '--socks', '0', '--http', '0'];
  command = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => command.kill('SIGKILL'));
  const [line] = await once(command.stdout ?? command, 'data');
  const at = JSON.parse(String(line)) as Record<'socks' | 'http', AddressInfo>;
  [ports.socks, ports.http] = [at.socks.port, at.http.port];
  const page: http.RequestListener = ({ method, headers, url }, response) =>
    response.end(`<title>t</title><p>${method} ${url} of ${headers.host}</p>`);
  ports.site = await listening(http.createServer(page));
  ports.secure = await listening(https.createServer(certificates.agent, page));
});
test.after(async () => {
  rmSync(folder, { recursive: true, force: true });
  for (const server of servers) server.close();
  command?.kill('SIGTERM');
  await agent?.stop();
});

async function listening(server: Server): Promise<number> {
  servers.push(server.listen(0, '127.0.0.9'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const site = (): string => `${ONLY_THERE}:${ports.site}`;
const body = (place: string, method = 'GET'): string =>
  `<title>t</title><p>${method} /x of ${place}</p>`;

test('curl: http, https and SOCKS, by options and by its environment', async ({ skip }) => {
  if ((await curlVersion()) === undefined) skip('there is no curl');
  const url = `http://${site()}/x`;
  const [byHttp, bySocks] = [
    `http://127.0.0.1:${ports.http}`,
    `socks5h://127.0.0.1:${ports.socks}`,
  ];
  for (const way of [byHttp, bySocks]) {
    assert.equal((await curl(url, '-x', way)).stdout, body(site()));
    assert.equal((await curl(url, '-x', way, '-d', 'data')).stdout, body(site(), 'POST'));
    const ca = join(folder, 'ca.pem');
    writeFileSync(ca, certificates.authority);
    // Its certificate is for localhost: over there that is the agent's.
    const secure = `localhost:${ports.secure}`;
    const there = ['--connect-to', `${secure}:${ONLY_THERE}:${ports.secure}`, '--cacert', ca];
    assert.equal(
      (await curl(`https://${secure}/x`, '-x', way, '--noproxy', '', ...there)).stdout,
      body(secure),
    );
    const { stdout } = await runProgram('curl', ['-sS', '--max-time', '8', url], {
      env: { all_proxy: way, http_proxy: way, no_proxy: '', NO_PROXY: '' },
    });
    assert.equal(stdout, body(site()));
  }
});

const browser = ['chromium', 'google-chrome', 'chrome'].find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined,
);

test('a browser: by HTTP, and by the PAC file, which says SOCKS first', async ({ skip }) => {
  if (browser === undefined) return skip('there is no chromium');
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ];
  const pages = await Promise.all(
    [
      `--proxy-server=http://127.0.0.1:${ports.http}`,
      `--proxy-pac-url=http://127.0.0.1:${ports.http}/proxy.pac`,
    ].map((way, at) =>
      runProgram(browser, [
        ...flags,
        `--user-data-dir=${join(folder, `profile-${at}`)}`,
        way,
        '--dump-dom',
        `http://${site()}/x`,
      ]),
    ),
  );
  for (const { stdout, stderr } of pages)
    assert.ok(stdout.includes(`<p>GET /x of ${site()}</p>`), `${stdout}\n${stderr}`);
});

test('npm install from a registry that only the far side reaches', async () => {
  const tarball = makePackage();
  const dist = { integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}` };
  const asked: string[] = [];
  const registry = http.createServer(({ url, headers }, response) => {
    asked.push(url ?? '');
    if (url === '/tiny/-/tiny-1.0.0.tgz') return void response.end(tarball);
    if (url !== '/tiny') return void response.writeHead(404).end('{}');
    const version = {
      name: 'tiny',
      version: '1.0.0',
      dist: { ...dist, tarball: `http://${headers.host}/tiny/-/tiny-1.0.0.tgz` },
    };
    const tags = { latest: '1.0.0' };
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ name: 'tiny', 'dist-tags': tags, versions: { '1.0.0': version } }),
    );
  });
  ports.registry = await listening(registry);
  const project = join(folder, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  const settings = {
    registry: `http://${ONLY_THERE}:${ports.registry}/`,
    proxy: `http://127.0.0.1:${ports.http}`,
    noproxy: '',
    cache: join(folder, 'npm-cache'),
    audit: 'false',
    fund: 'false',
    'update-notifier': 'false',
    'fetch-retries': '0',
  };
  const args = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const { code, stdout, stderr } = await runProgram('npm', ['install', 'tiny', ...args], {
    cwd: project,
    env: { NO_PROXY: '', no_proxy: '' },
  });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.deepEqual(asked, ['/tiny', '/tiny/-/tiny-1.0.0.tgz']);
  const installed = readFileSync(join(project, 'node_modules', 'tiny', 'index.js'), 'utf8');
  assert.equal(installed, 'module.exports = 42;\n');
});

function makePackage(): Buffer {
  const at = join(folder, 'tiny', 'package');
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, 'package.json'), '{ "name": "tiny", "version": "1.0.0" }');
  writeFileSync(join(at, 'index.js'), 'module.exports = 42;\n');
  execFileSync('tar', ['-czf', '../tiny.tgz', 'package'], { cwd: join(folder, 'tiny') });
  return readFileSync(join(folder, 'tiny.tgz'));
}

test.run();
