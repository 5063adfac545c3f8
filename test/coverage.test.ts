import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { coveragePage, coverageTables, pageFile } from './kit/coverage-page.ts';
import { suite } from './kit/suite.ts';

const test = suite('coverage');
const require = createRequire(import.meta.url);

test('every export of a covered module is in its table', () => {
  for (const [module, table] of coverageTables()) {
    // What begins with _ is Node's own: on process only.
    const names = Reflect.ownKeys(require(`node:${module}`)).filter(
      (key): key is string => typeof key === 'string' && !key.startsWith('_'),
    );
    const lacking = names.filter((name) => !Object.hasOwn(table, name));
    assert.deepEqual(lacking, [], `node:${module} of ${process.version}`);
  }
});

test('what stays local says why, and what is unsupported says what to do', () => {
  for (const [module, table] of coverageTables()) {
    for (const [name, where] of Object.entries(table))
      assert.match(
        where,
        /^(?:remote(?:: .+)?|(?:local|unsupported): .{3,})$/,
        `${module}.${name}`,
      );
  }
});

test('docs/coverage.md is what the tables say', () => {
  assert.equal(readFileSync(pageFile, 'utf8'), coveragePage(), 'run: npm run coverage-page');
});

test.run();
