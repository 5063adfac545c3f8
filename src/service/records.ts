/** What an agent records of its clients' operations: lines on standard error, and lines of JSON in a file. */
import { resolve } from 'node:path';
import { runLocally } from '../base/context.ts';
import { originals } from '../base/originals.ts';
import type { Observer } from '../connection/methods.ts';
import type { Login } from '../session/keyring.ts';
import { operation, outcome, took } from './trace.ts';

export interface RecordOptions {
  /** Prints a line on standard error for each operation of a client, as strace does. Default false. */
  readonly trace?: boolean;
  /**
   * A file to which each operation of a client is appended when it has ended, as a line of JSON (`AuditRecord`). It is made
   * for this user alone (mode 600). An operation whose line cannot be written fails.
   */
  readonly audit?: string;
}

/** A line of the audit file. */
export interface AuditRecord {
  /** When it ended, in ISO 8601. */
  readonly time: string;
  /** The client's session ('http' for a POST), what it has proven, where it comes from, and what it says of itself. */
  readonly session: string;
  readonly user: string | null;
  readonly remote: string;
  readonly hostname: string | null;
  readonly pid: number | null;
  /** 'fs.open', 'net.connect', 'root.add', 'classic.eval'…, with its arguments; long ones are cut. */
  readonly operation: string;
  readonly error: string | null;
  readonly milliseconds: number;
}

/** Characters of one argument in the audit file. */
const LONG = 4096;

interface Guest {
  /** Of its session. */
  readonly id: string;
  readonly login: Login;
}

/** Its absolute path. The file is made if it is not there; throws what that throws. */
export function auditFile(path: string): string {
  const absolute = resolve(originals.process.cwd(), path);
  runLocally(() => originals.fs.closeSync(originals.fs.openSync(absolute, 'a', 0o600)));
  return absolute;
}

/** How the operations of a client are recorded; undefined for not at all. Throws what opening the file throws. */
export function recorder({
  trace = false,
  audit,
}: RecordOptions): ((guest: Guest) => Observer) | undefined {
  if (!trace && audit === undefined) return undefined;
  const file =
    audit === undefined ? undefined : runLocally(() => originals.fs.openSync(audit, 'a', 0o600));
  return ({ id, login }) => {
    const { credentials, remote, peer } = login;
    const who = {
      user: credentials.name ?? null,
      remote,
      hostname: peer?.hostname ?? null,
      pid: peer?.pid ?? null,
    };
    return (method, args) => {
      const began = performance.now();
      // What is done to them later is not what was asked.
      const shown = trace ? operation(method, args) : '';
      const asked = file === undefined ? '' : operation(method, args, LONG);
      return (error, value) => {
        const milliseconds = performance.now() - began;
        if (trace)
          print(`[${id.slice(0, 6)}] ${shown} = ${outcome(error, value)} ${took(milliseconds)}`);
        if (file === undefined) return;
        const failure = error === undefined ? null : outcome(error, undefined);
        const time = new Date().toISOString();
        const record = {
          time,
          session: id,
          ...who,
          operation: asked,
          error: failure,
          milliseconds,
        };
        runLocally(() =>
          originals.fs.writeSync(file, `${JSON.stringify(record satisfies AuditRecord)}\n`),
        );
      };
    };
  };
}

function print(line: string): void {
  try {
    runLocally(() => originals.fs.writeSync(2, `elsewhere: ${line}\n`));
  } catch {
    // Nobody reads it, or not fast enough: the agent goes on all the same.
  }
}
