// Decisions of a policy, as tables: every spelling of an address, every way around a directory.
import assert from 'node:assert/strict';
import { parseAddress } from '../../src/security/address.ts';
import { policyRules } from '../../src/security/policy.ts';
import { SessionPolicy } from '../../src/session/session-policy.ts';
import { suite } from '../kit/suite.ts';

const test = suite('security/policy');

const ADDRESSES: readonly (readonly [string, string | undefined])[] = [
  ['127.0.0.1', '127.0.0.1'],
  ['::ffff:127.0.0.1', '127.0.0.1'],
  ['::ffff:7f00:1', '127.0.0.1'],
  ['0:0:0:0:0:ffff:7f00:0001', '127.0.0.1'],
  ['64:ff9b::a9fe:a9fe', '169.254.169.254'],
  ['2002:a9fe:a9fe::1', '169.254.169.254'],
  ['0.0.0.0', '127.0.0.1'],
  ['::ffff:0.0.0.0', '127.0.0.1'],
  ['::', '0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1'],
  ['::1', '0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1'],
  ['FE80::1%eth0', '254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.1'],
  ['2130706433', undefined],
  ['0x7f000001', undefined],
  ['0177.0.0.1', undefined],
  ['127.1', undefined],
  ['0', undefined],
  ['', undefined],
  ['LOCALHOST', undefined],
  ['127。0。0。1', undefined],
  ['①②⑦.0.0.1', undefined],
  ['127.0.0.1%eth0', undefined],
  ['127.0.0.256', undefined],
  ['1:2:3:4:5:6:7', undefined],
  ['1:2:3:4:5:6:7:8:9', undefined],
  ['1::2::3', undefined],
  ['::12345', undefined],
  [' 127.0.0.1', undefined],
];

test('addresses are the same in all spellings, and nothing else is one', () => {
  for (const [text, bytes] of ADDRESSES) assert.equal(parseAddress(text)?.join('.'), bytes, text);
});

const METADATA = [
  '169.254.169.254',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  '64:ff9b::a9fe:a9fe',
  'fd00:ec2::254',
  '100.100.100.200',
  '169.254.170.2',
];

const none = (): readonly string[] => [];

test("clouds' metadata addresses are denied without a policy, and by the rule for any host", () => {
  for (const rules of [policyRules(undefined), policyRules({ net: { connect: ['*'] } })]) {
    for (const address of METADATA)
      assert.notEqual(rules.connect(address, 80, none), undefined, address);
    assert.equal(rules.connect('192.0.2.1', 80, none), undefined);
    assert.equal(rules.connect('127.0.0.1', 80, none), undefined);
    assert.match(rules.connect('2852039166', 80, none) ?? '', /no IP address/);
  }
  const asked = policyRules({ net: { connect: ['169.254.169.254:80'] } });
  assert.equal(asked.connect('169.254.169.254', 80, none), undefined);
  assert.notEqual(asked.connect('169.254.169.254', 81, none), undefined);
});

/** rule, address, port, the names it was resolved from, whether it is allowed */
const CONNECTS: readonly (readonly [string, string, number, readonly string[], boolean])[] = [
  ['db.corp:5432', '10.1.2.3', 5432, ['db.corp'], true],
  ['db.corp:5432', '10.1.2.3', 5432, ['DB.CORP.'], true],
  ['db.corp:5432', '10.1.2.3', 5433, ['db.corp'], false],
  ['db.corp:5432', '10.1.2.3', 5432, ['evil.example'], false],
  ['db.corp:5432', '10.1.2.3', 5432, [], false],
  ['*.corp:443', '10.1.2.3', 443, ['a.b.corp'], true],
  ['*.corp:443', '10.1.2.3', 443, ['corp'], false],
  ['*.corp:443', '10.1.2.3', 443, ['evilcorp'], false],
  // A name must not lead to this machine or its link, whoever answers for it.
  ['*.corp', '127.0.0.1', 443, ['a.corp'], false],
  ['*.corp', '::1', 443, ['a.corp'], false],
  ['*.corp', '::ffff:127.0.0.1', 443, ['a.corp'], false],
  ['*.corp', '0.0.0.0', 443, ['a.corp'], false],
  ['*.corp', '169.254.169.254', 443, ['a.corp'], false],
  ['*.corp', 'fe80::1', 443, ['a.corp'], false],
  ['*.corp', '224.0.0.1', 443, ['a.corp'], false],
  ['localhost:80', '127.0.0.1', 80, [], true],
  ['localhost:80', '::1', 80, [], true],
  ['localhost:80', '10.0.0.1', 80, ['localhost'], false],
  ['10.0.0.0/8:*', '10.255.0.1', 1, [], true],
  ['10.0.0.0/8', '11.0.0.1', 1, [], false],
  ['10.0.0.0/8', '::ffff:10.0.0.1', 1, [], true],
  ['0.0.0.0/0:53', '9.9.9.9', 53, [], true],
  ['[2001:db8::]/32:443', '2001:db8::1', 443, [], false],
  ['[2001:db8::/32]:443', '2001:db8:1::1', 443, [], true],
  ['2001:db8::1', '2001:db8::1', 443, [], true],
  ['[::1]:443', '::1', 443, [], true],
  ['*:8000-8999', '192.0.2.1', 8500, [], true],
  ['*:8000-8999', '192.0.2.1', 9000, [], false],
];

test('rules of places', () => {
  for (const [rule, address, port, names, allowed] of CONNECTS) {
    const label = `${rule} ${address}:${port} (${names})`;
    if (rule === '[2001:db8::]/32:443') {
      assert.throws(() => policyRules({ net: { connect: [rule] } }), {
        code: 'ERR_ELSEWHERE_ARGUMENT',
      });
      continue;
    }
    const rules = policyRules({ net: { connect: [rule] } });
    assert.equal(rules.connect(address, port, () => names) === undefined, allowed, label);
  }
  for (const bad of [
    '',
    ':80',
    'a b:80',
    'host:99999',
    'host:9-1',
    '256.1.1.1',
    '10.0.0.0/33',
    'http://x',
    'a..b',
  ])
    assert.throws(
      () => policyRules({ net: { connect: [bad] } }),
      { code: 'ERR_ELSEWHERE_ARGUMENT' },
      bad,
    );
});

test('any interface is more than loopback', () => {
  const loopback = policyRules({ net: { listen: ['127.0.0.1:8080'] } });
  assert.equal(loopback.listen('127.0.0.1', 8080), undefined);
  for (const [address, port] of [
    ['0.0.0.0', 8080],
    ['::', 8080],
    ['192.0.2.1', 8080],
    ['127.0.0.1', 0],
  ] as const)
    assert.notEqual(loopback.listen(address, port), undefined, `${address}:${port}`);
  assert.equal(policyRules({ net: { listen: ['*:8080'] } }).listen('::', 8080), undefined);
});

test('what a policy does not list is denied, and the denial names the rule', () => {
  const rules = policyRules({});
  assert.match(rules.connect('192.0.2.1', 80, none) ?? '', /net\.connect/);
  assert.match(rules.listen('127.0.0.1', 80) ?? '', /net\.listen/);
  assert.match(rules.connectPath('/run/docker.sock') ?? '', /net\.connect/);
  assert.match(rules.listenPath('/run/x') ?? '', /net\.listen/);
  assert.match(rules.read('/etc/passwd') ?? '', /fs\.read/);
  assert.match(rules.write('/etc/passwd') ?? '', /fs\.write/);
  assert.match(rules.spawn('sh') ?? '', /spawn/);
  assert.equal(rules.env('PATH'), false);
});

test('directories, with what is below them and not beside them', () => {
  const rules = policyRules({ fs: { read: ['/data/'], write: ['/data/out'] }, spawn: ['git'] });
  const can = (verdict: string | undefined): boolean => verdict === undefined;
  assert.deepEqual(
    ['/data', '/data/a/b', '/data/out/x', '/database', '/', '/dat'].map((path) =>
      can(rules.read(path)),
    ),
    [true, true, true, false, false, false],
  );
  assert.deepEqual(
    ['/data', '/data/a', '/data/out', '/data/out/x', '/data/outer'].map((path) =>
      can(rules.write(path)),
    ),
    [false, false, true, true, false],
  );
  assert.deepEqual([can(rules.spawn('git')), can(rules.spawn('/tmp/git'))], [true, false]);
  assert.equal(can(policyRules({ fs: { read: ['/'] } }).read('/etc/passwd')), true);
});

test('a name counts for the addresses it was resolved to here, until others push it out', () => {
  const policy = new SessionPolicy(policyRules({ net: { connect: ['db.corp'] } }));
  assert.notEqual(policy.connect('10.0.0.1', 80), undefined);
  policy.resolved('db.corp', ['10.0.0.1']);
  assert.equal(policy.connect('::ffff:10.0.0.1', 80), undefined);
  // Rebinding: the next answer leads elsewhere, and only where a name may lead.
  policy.resolved('db.corp', ['127.0.0.1']);
  assert.notEqual(policy.connect('127.0.0.1', 80), undefined);
  for (let n = 0; n < 5000; n++) policy.resolved('other', [`11.0.${n >> 8}.${n & 255}`]);
  assert.notEqual(policy.connect('10.0.0.1', 80), undefined);
});

test.run();
