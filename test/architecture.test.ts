/** The layers of the house hold: `architecture/rules.ts` is the table. */
import assert from 'node:assert/strict';
import { forgottenPatches, violations } from './architecture/rules.ts';
import { readSources, toSource } from './architecture/sources.ts';
import { suite } from './kit/suite.ts';

const test = suite('architecture');

test('src keeps to the import rule', () => {
  const sources = readSources('src');
  assert.ok(sources.length > 30, 'the sources were found');
  assert.deepEqual(sources.flatMap(violations), []);
});

test('patches keep to the import rule', () => {
  assert.deepEqual(readSources('patches').flatMap(violations), []);
});

test('every patch is named in patches/index.ts', () => {
  assert.deepEqual(forgottenPatches(readSources('patches')), []);
});

/** [file, its text, whether that is allowed] */
const samples: readonly (readonly [string, string, boolean])[] = [
  ['src/connection/lane.ts', `import { encode } from '../wire/codec.ts';`, true],
  ['src/wire/codec.ts', `import { Lane } from '../connection/lane.ts';`, false],
  ['src/wire/codec.ts', `import type { Lane } from '../connection/lane.ts';`, false],
  ['src/wire/codec.ts', `import {\n  a,\n  b,\n} from '../connection/lane.ts';`, false],
  ['src/wire/codec.ts', `export * from '../session/self.ts';`, false],
  ['src/wire/codec.ts', `import '../session/self.ts';`, false],
  ['src/wire/codec.ts', `const self = await import('../session/self.ts');`, false],
  ['src/session/agent.ts', `import { mayUpgrade } from '../security/origin.ts';`, true],
  ['src/transport/ws.ts', `import { mayUpgrade } from '../security/origin.ts';`, false],
  ['src/security/auth.ts', `import { ElsewhereError } from '../base/errors.ts';`, true],
  ['src/security/auth.ts', `import { read } from '../wire/frame.ts';`, false],
  ['src/scope/scope.ts', `import type { Channel } from '../connection/channel.ts';`, true],
  ['src/scope/scope.ts', `import { Channel } from '../connection/channel.ts';`, false],
  ['src/scope/scope.ts', `import type { NearSession } from '../session/near-session.ts';`, true],
  ['src/scope/scope.ts', `import { NearSession } from '../session/near-session.ts';`, false],
  ['src/scope/scope.ts', `import type { Connection } from '../service/connection.ts';`, false],
  ['src/session/agent.ts', `import { Scope } from '../scope/scope.ts';`, false],
  ['src/service/classic.ts', `import { patches } from '../../patches/index.ts';`, false],
  ['src/register.ts', `import { patches } from '../patches/index.ts';`, true],
  ['src/register.ts', `import { osPatch } from '../patches/os.ts';`, false],
  ['src/cli/run.ts', `import { serve } from '../index.ts';`, false],
  ['src/newcomer/thing.ts', `import { ElsewhereError } from '../base/errors.ts';`, false],
  ['src/patch.ts', `import type { ByteStream } from './connection/channel.ts';`, true],
  ['src/patch.ts', `import { Channel } from './connection/channel.ts';`, false],
  ['patches/os.ts', `import { definePatch } from '../src/patch.ts';`, true],
  ['patches/net/link.ts', `import { originals } from '../../src/base/originals.ts';`, true],
  ['patches/net/link.ts', `import { Outbox } from './outbox.ts';`, true],
  ['patches/net/link.ts', `import { fsPatch } from '../fs/index.ts';`, false],
  ['patches/net/link.ts', `import { osPatch } from '../os.ts';`, false],
  ['patches/os.ts', `import type { Lane } from '../src/connection/lane.ts';`, false],
  ['patches/index.ts', `import { osPatch } from './os.ts';`, true],
  ['patches/index.ts', `import { Link } from './net/link.ts';`, false],
  ['patches/os.ts', `import os from 'node:os';`, true],
  ['src/base/originals.ts', `import nodeNet from 'node:net';`, true],
  ['src/base/log.ts', `import { writeSync } from 'node:fs';`, false],
  ['src/base/log.ts', `import { writeSync } from 'fs';`, false],
  ['src/base/log.ts', `import { readFile } from 'node:fs/promises';`, false],
  ['src/base/log.ts', `const fs = process.getBuiltinModule('node:fs');`, false],
  ['src/base/log.ts', `import process from 'node:process';`, false],
  ['src/base/log.ts', `import type { Socket } from 'node:net';`, true],
  ['src/base/log.ts', `let socket: import('node:net').Socket;`, true],
  ['src/base/log.ts', `import { join } from 'node:path';`, true],
  ['src/base/log.ts', `export const entry = process.pid; // from 'node:net'`, true],
  ['src/transport/ws-server.ts', `import { WebSocketServer } from 'ws';`, true],
  ['src/transport/socket.ts', `import { WebSocket } from 'ws';`, false],
  ['src/wire/codec.ts', `import { Packr } from 'msgpackr';`, true],
  ['src/wire/box.ts', `import { Packr } from 'msgpackr';`, false],
  ['src/base/log.ts', `import pino from 'pino';`, false],
  ['src/base/utils.ts', '', false],
  ['src/cli/helpers/print.ts', '', false],
  ['src/base/common.ts', '', false],
  ['src/wire/frame.ts', 'x\n'.repeat(400), true],
  ['src/wire/frame.ts', 'x\n'.repeat(401), false],
];

test('the rule refuses what it should, and no more', () => {
  for (const [path, text, allowed] of samples) {
    const found = violations(toSource(path, text));
    assert.equal(found.length === 0, allowed, `${path}: ${text}\n${found.join('\n')}`);
  }
});

test('a patch that is not named, or has no entry, is found', () => {
  const list = toSource('patches/index.ts', `import { netPatch } from './net/index.ts';`);
  const files = [
    'patches/net/index.ts',
    'patches/net/link.ts',
    'patches/os.ts',
    'patches/fs/open.ts',
  ];
  const sources = [list, ...files.map((path) => toSource(path, ''))];
  assert.deepEqual(forgottenPatches(sources), [
    'patches/index.ts does not name os',
    'patches/fs has no index.ts',
  ]);
});

test.run();
