/** What each operation of the patches may answer: row D4 of the attack list, value by value. */
import assert from 'node:assert/strict';
import { patches } from '../../patches/index.ts';
import type { IsAnswer } from '../../src/base/answers.ts';
import { suite } from '../kit/suite.ts';

const test = suite('patches/answers');

const thenable = (then: unknown): object => Object.fromEntries([['then', then]]);
const buffer = (text: string): Buffer => Buffer.from(text);
const stats = new BigInt64Array(18);
const page = [buffer('a\0b'), Uint8Array.of(1, 2), 7];
const address = { address: '127.0.0.1', family: 'IPv4', port: 1 };
const terminal = { isTTY: false, columns: 80, rows: 24 };
const step = { id: 1, live: [[1, buffer('x')]], result: null };
const nothing = undefined;

/** Of each operation: its arguments, as far as the answer depends on them, and what it may give. */
const HONEST: Readonly<Record<string, readonly (readonly [args: unknown[], answer: unknown])[]>> = {
  'fs.access': [[[], nothing]],
  'fs.exists': [[[], true]],
  'fs.kind': [[[], -2]],
  'fs.stat': [[[], stats]],
  'fs.lstat': [[[], stats]],
  'fs.statfs': [[[], new BigInt64Array(8)]],
  'fs.open': [
    [[], [1]],
    [[], [1, stats, buffer('x')]],
  ],
  'fs.close': [[[], nothing]],
  'fs.discard': [[[], nothing]],
  'fs.fstat': [[[], stats]],
  'fs.read': [[[1, 4], buffer('four')]],
  'fs.write': [[[1, buffer('four')], 4]],
  'fs.ftruncate': [[[], nothing]],
  'fs.fsync': [[[], nothing]],
  'fs.fdatasync': [[[], nothing]],
  'fs.fchmod': [[[], nothing]],
  'fs.fchown': [[[], nothing]],
  'fs.futimes': [[[], nothing]],
  'fs.readFile': [
    [[], [buffer('x')]],
    [[], [undefined, [1, stats]]],
  ],
  'fs.advance': [[[], nothing]],
  'fs.drain': [
    [[], [buffer('x'), false]],
    [[], [buffer(''), true]],
  ],
  'fs.writeFile': [[[], nothing]],
  'fs.copyFile': [[[], nothing]],
  'fs.mkdir': [[[], buffer('/x')]],
  'fs.readdir': [
    [[], [buffer('')]],
    [[], [buffer('...\0.a'), Uint8Array.of(1, 2)]],
  ],
  'fs.readdirRecursive': [[[], [buffer('a\0a/..b\0a/.c')]]],
  'fs.glob': [[[], [buffer('../x')]]],
  'fs.opendir': [
    [['/', false], page],
    [
      ['/', true],
      [buffer('a\0a/b'), Uint8Array.of(2, 1)],
    ],
  ],
  'fs.readDirectory': [[[], page]],
  'fs.closeDirectory': [[[], nothing]],
  'fs.mkdtemp': [[[], buffer('/x')]],
  'fs.rename': [[[], nothing]],
  'fs.link': [[[], nothing]],
  'fs.symlink': [[[], nothing]],
  'fs.unlink': [[[], nothing]],
  'fs.rmdir': [[[], nothing]],
  'fs.readlink': [[[], buffer('../x')]],
  'fs.realpath': [
    [[], buffer('/')],
    [[], buffer('/a/...')],
  ],
  'fs.chmod': [[[], nothing]],
  'fs.chown': [[[], nothing]],
  'fs.lchown': [[[], nothing]],
  'fs.utimes': [[[], nothing]],
  'fs.lutimes': [[[], nothing]],
  'fs.watch': [[[], 1]],
  'fs.remove': [[[], nothing]],
  'fs.copyTree': [[[], nothing]],
  'fs.copyStep': [[[], nothing]],
  'os.fact': [
    [['hostname'], 'x'],
    [['cpus'], [{ model: 'x', speed: 1, times: { user: 1 } }]],
    [['userInfo'], { uid: 1, gid: 1, username: 'x', homedir: '/', shell: null }],
    [['networkInterfaces'], { lo: [{ address: '::1', internal: true, cidr: null }] }],
  ],
  'process.directory': [[[], '/']],
  'process.environment': [[[], { PATH: '/bin' }]],
  'process.fact': [
    [['getuid'], 1],
    [['getgroups'], [1]],
  ],
  'process.known': [[[], true]],
  'process.clocks': [[[], { hrtime: 1n, uptime: 1.5 }]],
  'process.kill': [[[], nothing]],
  'process.change': [[[], false]],
  'stdio.info': [[[], [terminal, terminal, terminal]]],
  'stdio.raw': [[[], nothing]],
  'stdio.finish': [[[], nothing]],
  'stdio.take': [[[4], buffer('four')]],
  'stdio.stats': [[[], stats]],
  'dns.lookup': [
    [[], ['127.0.0.1', 'fe80::1%lo']],
    [[], { code: 'ENOTFOUND', errno: -3008 }],
  ],
  'dns.lookupService': [[[], ['a', 'http']]],
  'dns.query': [
    [['queryA'], { results: [['127.0.0.1'], [60]] }],
    [['queryTxt'], { results: [[['x']]] }],
    [['queryMx'], { results: [[{ priority: 1, exchange: 'a' }]] }],
    [['querySoa'], { results: [{ nsname: 'a', serial: 1 }] }],
    [['queryAny'], { results: [[{ type: 'TXT', entries: ['x'] }]] }],
    [[], { code: 'ENOTFOUND' }],
  ],
  'dns.servers': [[[], [['127.0.0.1', 53]]]],
  'dgram.bind': [
    [[], { id: 1, name: address }],
    [[], { code: 'EACCES' }],
  ],
  'dgram.connect': [[[], { local: address, remote: address }]],
  'dgram.disconnect': [[[], { local: address }]],
  'dgram.set': [
    [[], null],
    [[], { code: 'EINVAL' }],
  ],
  'dgram.bufferSize': [[[], 1000]],
  'server.listen': [
    [[], { id: 1, address }],
    [[], { code: 'EADDRINUSE' }],
  ],
  'server.publish': [[[], null]],
  'child_process.spawn': [
    [[], { id: 1, pid: 2 }],
    [[], { error: 'ENOENT' }],
  ],
  'child_process.exit': [[[], { code: 0, signal: '' }]],
  'child_process.kill': [[[], '']],
  'child_process.drop': [[[], nothing]],
  'child_process.run': [[[], step]],
  'child_process.runOn': [[[], step]],
};

/** What decodes, and no operation gives. */
const STRANGE: readonly unknown[] = [
  () => 1,
  Symbol('x'),
  Number.NaN,
  0.5,
  -1e9,
  2 ** 60,
  [[[]]],
  [() => 1],
  [1, 2, 3, 4.5],
  thenable(1),
  { kind: 'nothing', code: 1, address: 1 },
  thenable(() => assert.fail('called')),
  new Map([[1, 2]]),
  new Date(0),
  new BigInt64Array(3),
  new Float64Array(18),
  new Error('x'),
  [{}, {}, {}],
  [undefined],
  { results: [() => 1] },
];
/** Strange enough, but by chance of the kind that some give. */
const ALLOWED: Readonly<Record<string, (value: unknown) => boolean>> = {
  'fs.kind': (value) => value === -1e9,

  'dgram.bufferSize': (value) => typeof value === 'number',
};

const operations = patches.flatMap(({ name, answers }) =>
  Object.entries((answers ?? {}) as Record<string, IsAnswer>).map(
    ([operation, isAnswer]) => [`${name}.${operation}`, isAnswer] as const,
  ),
);

test('each operation has an honest answer here', () => {
  for (const { name, answers, signals } of patches) assert.ok(answers && signals, name);
  assert.deepEqual(operations.map(([name]) => name).sort(), Object.keys(HONEST).sort());
});

for (const [name, isAnswer] of operations) {
  test(`${name}: its own answers are taken, strange ones are not`, () => {
    for (const [args, honest] of HONEST[name] ?? []) {
      assert.ok(isAnswer(honest, args as never), `honest: ${JSON.stringify(args)}`);
      for (const [at, strange] of STRANGE.entries()) {
        if (ALLOWED[name]?.(strange) === true) continue;
        assert.equal(isAnswer(strange, args as never), false, `strange value ${at}`);
      }
    }
  });
}

/** Of the right kind, and yet nothing that an agent of ours says. */
const SLY: readonly (readonly [operation: string, args: unknown[], answer: unknown])[] = [
  ['fs.read', [1, 4], buffer('more than four')],
  ['fs.write', [1, buffer('four')], 5],
  ['fs.drain', [], [buffer(''), false]],
  ['fs.readFile', [], [undefined, undefined]],
  ['fs.readFile', [], [buffer('x'), [1, stats]]],
  ...['..', '.', 'a\0..', '..\0a', 'a\0..\0b', 'a/b', '/etc/x', 'a\0\0b', '\0', 'a\0'].flatMap(
    (names) =>
      [
        ['fs.readdir', [], [buffer(names)]],
        ['fs.opendir', ['/', false], [buffer(names), new Uint8Array(1)]],
      ] as const,
  ),
  ...['..', 'a/../b', 'a/..', '../a', '/etc/x', 'a//b', './a', 'a\0b/../../c', 'a/'].flatMap(
    (names) =>
      [
        ['fs.readdirRecursive', [], [buffer(names)]],
        ['fs.opendir', ['/', true], [buffer(names), new Uint8Array(1)]],
      ] as const,
  ),
  ['fs.readdir', [], [buffer('a'), new Uint8Array(1000)]],
  ...['', 'a', '../a', '/a/../../b', '//a', '/a/', '/a/./b', '/a\0b'].map(
    (path) => ['fs.realpath', [], buffer(path)] as const,
  ),
  ['stdio.take', [4], buffer('more than four')],
  ['stdio.info', [], [terminal]],
  ['dns.lookup', [], ['a.name']],
  ['dns.query', ['queryA'], { results: [['a.name'], [60]] }],
  ['process.environment', [], { PATH: 1 }],
  ['os.fact', ['cpus'], 'text'],
] as never;

test(`${SLY.length} answers of the right kind that would lead astray are refused`, () => {
  for (const [operation, args, answer] of SLY) {
    const isAnswer = operations.find(([name]) => name === operation)?.[1];
    assert.equal(isAnswer?.(answer, args as never), false, `${operation} ${String(answer)}`);
  }
});

test.run();
