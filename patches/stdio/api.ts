/** What travels for the standard streams. */
import type { RemoteStream } from '../../src/patch.ts';

/** The streams that one can write to. */
export type OutputFd = 1 | 2;

export interface TerminalInfo {
  readonly isTTY: boolean;
  readonly columns: number;
  readonly rows: number;
}

export interface StdioCalls {
  /** By descriptor: 0, 1, 2. */
  info(): TerminalInfo[];
  /** Raw mode of the far side's standard input, which must be a terminal. Taken back when the session ends. */
  raw(on: boolean): void;
  /**
   * The end of a stream ('' if it was not opened), because its process is exiting or wants to block: everything from `offset` on, of which the far
   * side writes what it has not had yet. Returns when it is written. What comes on the stream afterwards is dropped.
   */
  finish(key: string, fd: OutputFd, offset: number, bytes: Uint8Array): void | Promise<void>;
  /** Waits for standard input, and takes at most `length` bytes of it; none at its end. */
  take(length: number): Promise<Uint8Array>;
  /** What fstat says of a standard stream, as the fs patch has it on the wire. */
  stats(fd: number): BigInt64Array;
}

export interface StdioStreams {
  /** Signals `[columns, rows]` whenever the far terminal of that descriptor changes its size. */
  sizes(stream: RemoteStream, fd: OutputFd): void;
  /** Bytes to standard output or error; signals back how many have been written. `key` names it for `finish`. */
  write(stream: RemoteStream, fd: OutputFd, key: string): void;
  /** Bytes of standard input; one reader at a time. */
  read(stream: RemoteStream): void;
}
