/**
 * The attack list of the threat model, rows of the agent's door (A), of services (C) and of a hostile agent (D): which test
 * has which row, by words of it, or why there is none.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../kit/agent.ts';
import { suite } from '../kit/suite.ts';

const test = suite('security/attack-list');

type Row =
  | readonly [what: string, file: string, words: string]
  | readonly [what: string, why: string];

const ROWS: Readonly<Record<string, Row>> = {
  A1: ['calls before the handshake is over', 'session/bad-input', 'is told why and cut off'],
  A2: ['wrong tokens', 'session/bad-input', 'a wrong token is one clear line'],
  A3: ['timing of the comparison', 'security/auth', 'proofs are compared whole'],
  A4: ['a handshake sent again', 'session/door', 'lets nobody in again'],
  A5: ['its own proof sent back', 'session/hostile-agent', 'mirrors what the client sends'],
  A6: ['an impostor without the token', 'session/hostile-agent', 'without a proof of the token'],
  A7: ['another version', 'session/hostile-agent', 'another version'],
  A8: ['listening beyond loopback', 'session/tls', 'beyond loopback only TLS is served'],
  A9: ['no token given', 'security/auth', 'tokens and nonces are random and long enough'],
  A10: ['a token that others can read', 'cli/commands', '0o644'],
  A11: ['other users of the machine', 'session/door', 'a unix socket is its owner’s'],
  A12: ['slow handshakes', 'session/hostile-agent', 'or half of a hello, is dropped in time'],
  A13: ['many connections that prove nothing', 'session/hostile-agent', 'more than 64 links'],
  A14: ['guessing passwords', 'session/login', 'ten tries in a minute'],
  A15: ['impossible resumptions', 'session/attach', 'an impossible count'],
  A16: ['another’s session', 'session/login', 'a session belongs to who began it'],
  A17: ['names that write lines of a log', 'session/door', 'nor drive its terminal'],
  A18: [
    'entries of a registry that are not true',
    'a registry is an agent with a service: whoever has its token may enter names, nobody else is let in',
  ],
  A19: ['the token in arguments', 'session/bad-input', 'the token is in no argument list'],
  A20: ['options in place of a host', 'session/ssh', 'an option is no host'],
  C1: ['names of builtins', 'objects/attacks', '__lookupSetter__'],
  C2: ['symbols', 'a path is a list of strings: no symbol can be written on the wire'],
  C3: ['paths through methods', 'objects/attacks', "['add', 'bind', 'constructor']"],
  C4: ['private, inherited and static members', 'objects/attacks', "'statically'"],
  C5: ['getters that nobody exposes', 'objects/attacks', 'nothing of the service ran'],
  C6: ['changing members', 'objects/attacks', 'set an exposed name'],
  C7: ['names that are none', 'objects/attacks', 'a path of objects'],
  C8: ['many arguments, new', 'objects/attacks', 'new on a method'],
  C9: ['guessed ids', 'objects/hostile', 'C9 ids of another session'],
  C10: ['releases of all kinds', 'objects/attacks', 'releasing what one does not have'],
  C11: ['ids of calls', 'connection/hostile-frames', 'ends the link'],
  C12: ['answers that nobody asked for', 'connection/hostile-frames', 'ends the link'],
  C13: ['keys that pollute', 'wire/guard', 'a key named __proto__'],
  C14: ['merging what came', 'objects/hostile', 'C14 spread and assign'],
  C15: ['thenables', 'objects/hostile', 'C15 a thenable'],
  C16: ['forged errors', 'objects/hostile', 'C16 a forged name and code'],
  C17: ['bombs and cycles', 'objects/hostile', 'C17 a bomb of shared parts'],
  C18: ['odd objects', 'objects/hostile', 'C18 an invalid date'],
  C19: ['odd numbers', 'objects/hostile', 'C19 large integers'],
  C20: ['odd text', 'objects/round-trip', 'text of any units stays as it is'],
  C21: ['deep callbacks', 'objects/hostile', 'C21 callbacks that call back'],
  C22: ['iterations left open', 'objects/hostile', 'C22 an iteration that nobody finishes'],
  C23: ['secrets in errors', 'objects/hostile', 'C23 a failure of a service'],
  C24: ['functions where text is meant', 'service/exposure', 'intercept sees every request'],
  D1: ['calls of the agent', 'objects/hostile', 'D1, D17 an agent reaches nothing'],
  D2: ['functions that it was not given', 'objects/hostile', 'D2, D3 a callback works while'],
  D3: ['callbacks without end', 'objects/hostile', 'D2, D3 a callback works while'],
  D4: [
    'answers of the wrong kind',
    'patches/hostile-answers',
    'functions that an agent answers with',
  ],
  D5: ['answers too large', 'objects/extent', 'no answer to a substituted function may bring more'],
  D6: ['names that lead elsewhere', 'service/transfer', 'names of a hostile far side'],
  D7: ['links in downloads', 'service/transfer', 'D7 nothing is written through a link'],
  D8: ['its environment', 'patches/process', 'never taken from the far side'],
  D9: ['escapes for the terminal', 'its output is raw, as that of ssh; our own lines: D11'],
  D10: ['hostile errors', 'wire/guard', 'own properties of an error never reach a setter'],
  D11: ['hostile references', 'objects/hostile', 'D11 names that an agent gives'],
  D12: [
    'names resolved falsely',
    'scope/isolation',
    'interleaved scopes never touch the wrong side',
  ],
  D13: [
    'targets of its choice',
    'the far side opens nothing here: a server’s slots are streams of the client',
  ],
  D14: ['no answer', 'objects/limits', 'a deadline is kept on both sides'],
  D15: ['no answer to a blocked thread', 'connection/blocking-watch', 'suite('],
  D16: ['closing again and again', 'session/attach', 'told why it ended'],
  D17: ['code that comes back', 'objects/hostile', 'D1, D17 an agent reaches nothing'],
  D18: ['copies too large', 'objects/extent', 'obtain copies what is within its limit'],
  D19: ['what callbacks show', 'objects/hostile', 'D19 a callback shows nothing'],
};

for (const [id, [what, place, words]] of Object.entries(ROWS)) {
  test(`${id}: ${what}`, () => {
    if (words === undefined) return assert.match(place, /\w+ \w+/, 'a reason');
    const source = readFileSync(join(repository, 'test', `${place}.test.ts`), 'utf8');
    assert.ok(source.includes(words), `${place} says nothing of "${words}"`);
  });
}

test.run();
