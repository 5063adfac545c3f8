import assert from 'node:assert/strict';
import fs, { readFileSync as importedReadFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  bindScope,
  type Connection,
  connect,
  currentScope,
  install,
  uninstall,
  withLocal,
  withRemote,
} from '../../src/index.ts';
import { startAgent, type TestAgent } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('scope/with-remote');
let a: TestAgent;
let b: TestAgent;
let connA: Connection;
let connB: Connection;

test.before(async () => {
  [a, b] = await Promise.all([startAgent(), startAgent({ listen: 'tcp://127.0.0.1:0' })]);
  [connA, connB] = await Promise.all([connect(a.url), connect(b.url)]);
});
test.after(async () => {
  await Promise.all([connA.close(), connB.close()]);
  await Promise.all([a.stop(), b.stop()]);
});

const here = process.cwd();

test('returns what the function returns: values, promises, errors', async () => {
  assert.equal(
    withRemote(connA, () => 7),
    7,
  );
  assert.equal(await withRemote(connA, async () => 8), 8);
  assert.throws(
    () =>
      withRemote(connA, () => {
        throw new RangeError('mine');
      }),
    { name: 'RangeError', message: 'mine' },
  );
});

test('inside, across awaits, timers and callbacks, it is the far side; outside, at the same moment, it is not', async () => {
  const inside = withRemote(connA, async () => {
    const seen = [process.cwd()];
    await sleep(5);
    seen.push(process.cwd());
    await new Promise<void>((resolve) =>
      setImmediate(() => {
        seen.push(process.cwd());
        resolve();
      }),
    );
    await new Promise<void>((resolve) =>
      fs.stat('.', () => {
        seen.push(process.cwd());
        resolve();
      }),
    );
    return seen;
  });
  assert.equal(process.cwd(), here);
  assert.deepEqual(await inside, [a.folder, a.folder, a.folder, a.folder]);
  assert.equal(process.cwd(), here);
});

test('scopes nest, and withLocal leaves them', () => {
  withRemote(connA, () => {
    assert.equal(process.cwd(), a.folder);
    withRemote(connB, () => assert.equal(process.cwd(), b.folder));
    withLocal(() => {
      assert.equal(process.cwd(), here);
      assert.equal(currentScope(), undefined);
      withRemote(connB, () => assert.equal(process.cwd(), b.folder));
    });
    assert.equal(process.cwd(), a.folder);
  });
});

test('patches, except and composition choose what goes where', () => {
  withRemote(connA, { patches: ['os'] }, () => assert.equal(process.cwd(), here));
  withRemote(connA, { except: ['fs'] }, () => {
    assert.equal(process.cwd(), here);
    assert.equal(fs.existsSync(join(here, 'package.json')), true);
  });
  fs.writeFileSync(join(a.folder, 'mark'), 'A');
  fs.writeFileSync(join(b.folder, 'mark'), 'B');
  withRemote({ fs: connA, os: connB }, () => {
    assert.equal(fs.readFileSync('mark', 'utf8'), 'A');
    assert.equal(hostname(), connB.peer.hostname);
    withRemote({ fs: connB }, () => assert.equal(fs.readFileSync('mark', 'utf8'), 'B'));
    withRemote({ fs: 'local' }, () => assert.equal(fs.existsSync('mark'), false));
  });
  assert.throws(() => withRemote(connA, { patches: ['fss'] }, () => 1), {
    code: 'ERR_ELSEWHERE_ARGUMENT',
    message: /no patch named "fss"; there are: .*fs/,
  });
  assert.throws(() => withRemote({ fs: {} as never }, () => 1), { code: 'ERR_ELSEWHERE_ARGUMENT' });
});

test('path rules: local, remote, deny, map', () => {
  const paths = { local: [here], deny: ['/etc/**'], map: { '/virtual': a.folder } };
  withRemote(connA, { paths }, () => {
    assert.equal(fs.existsSync(join(here, 'package.json')), true);
    assert.equal(fs.readFileSync('/virtual/mark', 'utf8'), 'A');
    assert.equal(fs.readFileSync('mark', 'utf8'), 'A');
    assert.throws(
      () => fs.readFileSync('/etc/hosts', 'utf8'),
      (error: NodeJS.ErrnoException) => {
        assert.deepEqual([error.code, error.syscall, error.path], ['EACCES', 'open', '/etc/hosts']);
        assert.equal((error.cause as { code: string }).code, 'ERR_ELSEWHERE_DENIED');
        return true;
      },
    );
  });
});

test('bindScope carries a scope to where the function is called', () => {
  const bound = withRemote(connA, () => bindScope(() => process.cwd()));
  assert.equal(bound(), a.folder);
  assert.equal(withRemote(connB, bound), a.folder);
});

test('chdir changes the scope only, and fails as it does here', async () => {
  fs.mkdirSync(join(a.folder, 'sub'));
  await withRemote(connA, async () => {
    process.chdir('sub');
    assert.equal(process.cwd(), join(a.folder, 'sub'));
    await sleep(1);
    fs.writeFileSync('inner', 'x');
    assert.throws(() => process.chdir('nowhere'), {
      code: 'ENOENT',
      errno: -2,
      syscall: 'chdir',
      message: `ENOENT: no such file or directory, chdir '${join(a.folder, 'sub')}' -> 'nowhere'`,
    });
  });
  assert.equal(fs.existsSync(join(a.folder, 'sub', 'inner')), true);
  assert.equal(
    withRemote(connA, () => process.cwd()),
    a.folder,
  );
  assert.equal(process.cwd(), here);
});

test('descriptors and streams remember the scope that opened them', async () => {
  const { fd, stream } = withRemote(connA, () => ({
    fd: fs.openSync('mark', 'r'),
    stream: fs.createReadStream('mark'),
  }));
  const buffer = Buffer.alloc(1);
  assert.equal(fs.readSync(fd, buffer), 1);
  assert.equal(buffer.toString(), 'A');
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  assert.equal(Buffer.concat(chunks).toString(), 'A');
  withRemote(connB, () => fs.closeSync(fd));
  assert.throws(() => fs.readSync(fd, buffer), { code: 'EBADF' });
});

test('modules are loaded from here, whenever and however they are asked for', async () => {
  const { createRequire } = await import('node:module');
  const folder = fs.mkdtempSync(join(here, 'build', 'modules-'));
  fs.writeFileSync(
    join(folder, 'one.cjs'),
    'module.exports = require("./two.cjs") + require("./data.json").n',
  );
  fs.writeFileSync(join(folder, 'two.cjs'), 'module.exports = 40');
  fs.writeFileSync(join(folder, 'data.json'), '{"n": 2}');
  fs.writeFileSync(
    join(folder, 'three.mjs'),
    'export { default } from "./two.cjs"; export const cwd = process.cwd();',
  );
  const require = createRequire(join(folder, 'x.js'));
  await withRemote(connA, async () => {
    assert.equal(require('./one.cjs'), 42);
    const three = await import(join(folder, 'three.mjs'));
    assert.equal(three.default, 40);
    assert.equal(three.cwd, a.folder, 'the code of a module is user code');
    assert.throws(() => require('./missing.cjs'), { code: 'MODULE_NOT_FOUND' });
    assert.equal(fs.existsSync(join(folder, 'one.cjs')), true, 'the agent is on this machine');
    await assert.rejects(import(join(folder, 'missing.mjs')), { code: 'ERR_MODULE_NOT_FOUND' });
  });
  fs.rmSync(folder, { recursive: true });
});

/** Every property of these objects, as descriptors. */
function snapshot(): Map<object, Record<string, PropertyDescriptor>> {
  const net = process.getBuiltinModule?.('node:net') ?? {};
  const binding = (process as unknown as { binding(name: string): object }).binding('fs');
  const objects = [fs, fs.promises, process, console, net, binding];
  return new Map(objects.map((object) => [object, Object.getOwnPropertyDescriptors(object)]));
}

test('uninstall restores every descriptor, ESM bindings too; install puts them back', () => {
  uninstall();
  const before = snapshot();
  const imported = importedReadFileSync;
  install();
  install();
  uninstall();
  uninstall();
  for (const [object, descriptors] of before) {
    const after = Object.getOwnPropertyDescriptors(object) as Record<PropertyKey, unknown>;
    assert.deepEqual(Reflect.ownKeys(after), Reflect.ownKeys(descriptors));
    for (const key of Reflect.ownKeys(descriptors))
      assert.deepEqual(after[key], Reflect.get(descriptors, key), String(key));
  }
  assert.equal(importedReadFileSync, imported);
  install();
  assert.equal(
    withRemote(connA, () => importedReadFileSync('mark', 'utf8')),
    'A',
  );
});

test.run();
