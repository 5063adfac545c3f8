import assert from 'node:assert/strict';
import { mayUpgrade } from '../../src/security/origin.ts';
import { suite } from '../kit/suite.ts';

const test = suite('security/origin');
const PORT = 4000;

type Headers = Partial<Parameters<typeof mayUpgrade>[0]>;
type Rules = Partial<Parameters<typeof mayUpgrade>[1]>;

function admitted(headers: Headers, rules: Rules = {}): boolean {
  return mayUpgrade(
    {
      method: 'GET',
      path: '/',
      host: `127.0.0.1:${PORT}`,
      origin: undefined,
      ...headers,
    },
    { allowedHosts: [], allowedOrigins: [], ...rules },
  );
}

for (const host of [
  '127.0.0.1:4000',
  '127.8.9.1:4000',
  '10.0.0.7:4000',
  'localhost:4000',
  'LocalHost:4000',
  '[::1]:4000',
  '[fe80::1]:4000',
  '[::ffff:127.0.0.1]:4000',
  // Behind `ssh -L` or a proxy the port is another one.
  '127.0.0.1',
  '127.0.0.1:4001',
])
  test(`Host ${host} is let in`, () => assert.equal(admitted({ host }), true));

for (const host of [
  undefined,
  '',
  'attacker.example',
  'attacker.example:4000',
  'localhost.attacker.example:4000',
  '127.0.0.1.attacker.example:4000',
  'attacker.example:4000:127.0.0.1:4000',
  '127.0.0.1:',
  '127.0.0.1:04000x',
  '127.0.0.1:400000',
  '127.0.0.1.:4000',
  'localhost.:4000',
  'xlocalhost:4000',
  '127.0.0.1:4000, attacker.example',
  '127.0.0.1:4000 ',
  ' 127.0.0.1:4000',
  'user@127.0.0.1:4000',
  '2130706433:4000',
  '0x7f.0.0.1:4000',
  '127.1:4000',
  '::1:4000',
  '[::1:4000',
  '[attacker.example]:4000',
  '[]:4000',
  '127。0。0。1:4000',
])
  test(`Host ${JSON.stringify(host)} is refused`, () => assert.equal(admitted({ host }), false));

for (const origin of [
  '',
  'null',
  'file://',
  'chrome-extension://abc',
  'https://evil.example',
  'http://localhost:4000',
  'http://127.0.0.1:4000',
  'http://127.0.0.1.evil.example',
  'HTTPS://PAGE.EXAMPLE',
])
  test(`any Origin is a web page, so it is refused: ${JSON.stringify(origin)}`, () => {
    assert.equal(admitted({ origin }), false);
  });

test('an origin can be allowed, exactly as it is written', () => {
  const rules = { allowedOrigins: ['https://page.example'] };
  assert.equal(admitted({ origin: 'https://page.example' }, rules), true);
  for (const origin of [
    'https://page.example:444',
    'http://page.example',
    'https://a.page.example',
  ])
    assert.equal(admitted({ origin }, rules), false);
  assert.equal(
    admitted({ origin: 'https://page.example', host: 'attacker.example' }, rules),
    false,
  );
});

test('a host name can be allowed, in any case, behind any port', () => {
  const rules = { allowedHosts: ['Agent.Example'] };
  for (const host of ['agent.example', 'AGENT.example:8080'])
    assert.equal(admitted({ host }, rules), true);
  for (const host of ['x.agent.example', 'agent.example.evil', 'agent.example:x'])
    assert.equal(admitted({ host }, rules), false);
});

test('only GET / is a handshake', () => {
  for (const method of ['POST', 'OPTIONS', 'HEAD', 'get', undefined])
    assert.equal(admitted({ method }), false);
  for (const path of ['/x', '//', '/?token=1', '*', 'http://127.0.0.1:4000/', undefined])
    assert.equal(admitted({ path }), false);
});

test.run();
