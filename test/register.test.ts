// The preload runs in every process: what it loads is counted, since times say little on a busy machine.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { repository } from './kit/agent.ts';
import { suite } from './kit/suite.ts';

const test = suite('register');
const register = join(repository, 'dist', 'register.js');

function run(code: string, ...flags: string[]): string {
  const { ELSEWHERE_RUN: _run, ELSEWHERE_URL: _url, NODE_OPTIONS: _options, ...env } = process.env;
  const child = spawnSync(process.execPath, [...flags, '-e', code], { encoding: 'utf8', env });
  assert.equal(child.status, 0, child.stderr);
  assert.equal(child.stderr, '');
  return child.stdout;
}

/** The files that load with this one. */
function closure(file: string, found: Set<string> = new Set()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(
    /^(?:import|export) .*?['"](\.[^'"]+)['"];$/gm,
  ))
    closure(join(dirname(file), name), found);
  return found;
}

test('neither TLS nor the inspector is loaded before there is a scope', () => {
  const code = 'process.stdout.write(JSON.stringify(process.moduleLoadList))';
  // From Node 24 on HTTP loads some of it by itself.
  const plain = new Set(JSON.parse(run(`require('node:http');${code}`)) as string[]);
  const loaded = (JSON.parse(run(code, '--import', register)) as string[])
    .filter((name) => !plain.has(name))
    .map((name) => name.replace('NativeModule ', ''));
  for (const name of ['tls', '_tls_wrap', 'https', 'inspector'])
    assert.ok(!loaded.includes(name), `${name} is loaded`);
});

test('what carries calls is left out, as long as no program runs in a scope', () => {
  const files = [...closure(register)];
  const text = files.map((file) => readFileSync(file, 'utf8'));
  assert.ok(files.length > 3, files.join());
  for (const unwanted of ['class Lane ', 'class Packr ', 'class NearSession '])
    assert.ok(!text.some((code) => code.includes(unwanted)), unwanted);
  const size = text.reduce((sum, { length }) => sum + length, 0);
  assert.ok(size < 560_000, `${size} characters`);
});

test('the dispatchers are in place, for --import and --require', () => {
  const installed = 'process.stdout.write(String(Symbol.for("elsewhere.installed") in globalThis))';
  for (const flag of ['--import', '--require'])
    assert.equal(run(installed, flag, register), 'true');
  assert.equal(run(installed), 'false');
});

test.run();
