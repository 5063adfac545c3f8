// docs/rpyc.md: each file of RPyC's tests has a row, and each test that is named is there.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('service/parity-table');
const page = readFileSync(join(repository, 'docs', 'rpyc.md'), 'utf8');
const rows = page
  .slice(page.indexOf("## RPyC's own tests"))
  .split('\n')
  .filter((line) => /^\| [t(]/.test(line));

const FILES =
  'affinity async attr_access attributes brine classic context_managers custom_service dataclass deploy gdb get_id_pack gevent_server ipv6 magic netref_hierachy numpy oneshot_server race refcount registry remote_exception remoting rpyc_over_rpyc service_pickle splitbrain ssh ssl teleportation threaded_server threads urllib3 win32pipes';

test('each file of tests that RPyC has is in one row', () => {
  const named = rows.flatMap((row) => (row.split('|')[1] ?? '').match(/test_\w+/g) ?? []);
  const files = FILES.split(' ').map((name) => `test_${name}`);
  assert.deepEqual(named.sort(), files.sort());
});

test('each row names a test that is there, or says why there is none', () => {
  for (const row of rows) {
    const named = [...row.matchAll(/`([a-z-]+)\/([a-z*-]+)`/g)];
    assert.ok(named.length > 0 || row.includes('not applicable'), row);
    for (const [, folder = '', file = ''] of named) {
      const places = join(repository, 'test', folder);
      const found =
        file === '*'
          ? readdirSync(places).some((name) => name.endsWith('.test.ts'))
          : existsSync(join(places, `${file}.test.ts`)) || existsSync(join(places, file));
      assert.ok(found, `there is no test ${folder}/${file}`);
    }
  }
});

test.run();
