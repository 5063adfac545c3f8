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

test('of Node it loads nothing but os, the binding for names, and what loads modules', () => {
  const code = 'process.stdout.write(JSON.stringify(process.moduleLoadList))';
  const plain = new Set(
    JSON.parse(run(code, '--import', 'data:text/javascript,import "node:fs/promises"')) as string[],
  );
  const loaded = (JSON.parse(run(code, '--import', register)) as string[])
    .filter((name) => !plain.has(name))
    .map((name) => name.replace('NativeModule ', ''));
  const known = [
    'os',
    'Internal Binding os',
    'Internal Binding cares_wrap',
    'module',
    'internal/source_map/source_map',
  ];
  assert.deepEqual(
    loaded.filter((name) => !known.includes(name)),
    [],
  );
});

test('the patches are left out, as long as no program runs in a scope', () => {
  const files = [...closure(register)];
  const text = files.map((file) => readFileSync(file, 'utf8'));
  assert.equal(files.length, 2, files.join());
  const size = text.reduce((sum, { length }) => sum + length, 0);
  assert.ok(size < 16_000, `${size} characters`);
});

test.run();
