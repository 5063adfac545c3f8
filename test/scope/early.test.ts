// What a program takes out of Node before its first scope, where elsewhere is preloaded.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules, createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { forwardEarly } from '../../patches/early.ts';
import { patches } from '../../patches/index.ts';
import { isForwarded } from '../../src/base/forwards.ts';
import { install, setPatches, uninstall } from '../../src/scope/installer.ts';
import { repository, startAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('scope/early');
const require = createRequire(import.meta.url);

type Place = readonly [object: object, key: PropertyKey, name: string];

/** All functions that a program can take out of Node's modules, with their values now. */
function taken(): Map<Place, unknown> {
  const found = new Map<Place, unknown>();
  const add = (object: object, name: string): void => {
    for (const key of Reflect.ownKeys(object)) {
      const value: unknown = Object.getOwnPropertyDescriptor(object, key)?.value;
      if (typeof value === 'function') found.set([object, key, `${name}.${String(key)}`], value);
    }
  };
  for (const name of builtinModules) {
    // Deprecated ones, and those that are only a part of others.
    if (/^(?:_|punycode|sys|module|process|inspector|trace_events|wasi|test)/.test(name)) continue;
    const exports: unknown = require(name);
    if (typeof exports === 'object' && exports !== null) add(exports, name);
  }
  add(process, 'process');
  add(globalThis, 'globalThis');
  return found;
}

test('all that is substituted where programs find it has a forward', () => {
  const before = taken();
  forwardEarly();
  setPatches(patches);
  install();
  const changed = [...before].filter(
    ([[object, key], value]) => Reflect.get(object, key) !== value,
  );
  uninstall();
  // These lead to the binding's two functions, which are forwarded.
  const below = new Set(['dns/promises.lookup', 'dns/promises.lookupService']);
  const names = changed.map(([[, , name]]) => name);
  for (const some of ['fs.opendir', 'os.hostname', 'process.cwd', 'fs/promises.readdir'])
    assert.ok(names.includes(some), some);
  const missing = changed.filter(
    ([[object, key, name]]) => !below.has(name) && !isForwarded(object, key),
  );
  assert.deepEqual(
    missing.map(([[, , name]]) => name),
    [],
  );
});

test('forwards look like what they lead to', async () => {
  const { opendir, realpath } = require('node:fs') as typeof import('node:fs');
  const { hrtime } = process;
  assert.ok(isForwarded(process, 'hrtime'));
  assert.equal(opendir.name, 'opendir');
  assert.equal(opendir.length, 3);
  assert.equal(opendir, (await import('node:fs')).opendir);
  assert.match(opendir.toString(), /^function opendir\(/);
  assert.equal(realpath.native.length, 3);
  assert.equal(typeof hrtime.bigint(), 'bigint');
});

/** What an unmodified program may do before it knows of scopes; prints what it sees in one. */
const PROGRAM = `
const { opendirSync, promises: { readdir }, realpathSync: { native } } = require('node:fs');
const { hostname, homedir } = require('node:os');
const { lookup } = require('node:dns/promises');
const { cwd, chdir } = process;
const { fetch } = globalThis;
const write = process.stdout.write.bind(process.stdout);
const fs = require('node:fs');
const removed = [];
const { rmSync } = fs;
fs.rmSync = function (...args) { removed.push(args[0]); return rmSync.apply(this, args); };
fs.readFile(__filename, () => main());

async function main() {
  const { connect, withRemote, captureStdio, uninstall } = require('elsewhere');
  const conn = await connect(process.argv[2]);
  const said = {};
  said.before = [cwd(), opendirSync('.').readSync()?.name ?? null];
  await withRemote(conn, { stdio: 'local' }, async () => {
    said.cwd = cwd();
    fs.mkdirSync('made');
    said.names = (await readdir('.')).join();
    const folder = opendirSync('.');
    said.opened = folder.readSync().name;
    folder.closeSync();
    said.native = native('made');
    fs.rmSync('made', { recursive: true });
    said.left = (await readdir('.')).length;
    chdir('/');
    said.root = cwd();
    said.found = (await lookup('localhost')).family;
    hostname();
    homedir();
  });
  said.captured = (await captureStdio(async () => { write('by a reference'); })).stdout;
  said.removed = removed.join();
  said.stillWrapped = fs.rmSync !== rmSync;
  uninstall();
  said.after = [cwd(), fs.opendirSync === opendirSync, fs.rmSync !== rmSync];
  await conn.close();
  process.stdout.write(JSON.stringify(said));
}
`;

for (const flag of ['--import', '--require']) {
  test(`functions taken out early are remote in a scope, and wrappers stay: ${flag}`, async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'early-')));
    const agent = await startAgent();
    try {
      const file = join(folder, 'app.cjs');
      const index = JSON.stringify(join(repository, 'dist', 'index.js'));
      writeFileSync(file, PROGRAM.replace(`'elsewhere'`, index));
      const register = join(repository, 'dist', 'register.js');
      const preload = flag === '--import' ? pathToFileURL(register).href : register;
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--no-warnings', flag, preload, file, agent.url],
        { cwd: folder },
      );
      assert.deepEqual(JSON.parse(stdout), {
        before: [folder, 'app.cjs'],
        cwd: agent.folder,
        names: 'made',
        opened: 'made',
        native: join(agent.folder, 'made'),
        left: 0,
        root: '/',
        found: 4,
        captured: 'by a reference',
        removed: 'made',
        stillWrapped: true,
        after: [folder, true, true],
      });
    } finally {
      await agent.stop();
      rmSync(folder, { recursive: true });
    }
  });
}

test.run();
