/**
 * The work of a chaos run: files are copied both ways, sockets echo, calls are counted, and a blocking call comes now and
 * then, while the links break. Each kind of work keeps step with the disconnects, so that all of it meets them.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, withRemote } from '../../src/index.ts';
import { randomNumbers } from '../kit/random-numbers.ts';
import type { Counter } from './agent.ts';

export interface Quota {
  readonly disconnects: number;
  readonly calls: number;
  readonly sockets: number;
  /** Of files, both ways together. 0: nothing but small calls. */
  readonly megabytes: number;
}

const MB = 1 << 20;
/** Of one file. */
const FILE = 8 * MB;
/** Of one write. */
const PIECE = 256 * 1024;
const CALLERS = 20;
/** A socket is closed after so many messages, and another takes its place. */
const MESSAGES = 25;

export class Load {
  readonly conn: Connection<Counter>;
  readonly #quota: Quota;
  readonly #folder: string;
  readonly #echo: number;
  readonly #random: () => number;
  readonly #content: Buffer;
  /** Milliseconds from the loss of a link until all goes on. */
  readonly pauses: number[] = [];
  calls = 0;
  copied = 0;
  echoed = 0;
  blocking = 0;

  constructor(conn: Connection<Counter>, quota: Quota, folder: string, echo: number, seed: number) {
    this.conn = conn;
    this.#quota = quota;
    this.#folder = folder;
    this.#echo = echo;
    this.#random = randomNumbers(seed);
    const block = Buffer.from(Array.from({ length: MB }, () => this.#random() * 256));
    this.#content = Buffer.concat(
      Array.from({ length: FILE / MB }, (_, i) => Buffer.from(block.map((byte) => byte ^ i))),
    );
    conn.on('up', (pause) => this.pauses.push(pause));
  }

  /** Settles when every quota is met; rejects with the first thing that went wrong. */
  async run(): Promise<void> {
    fs.writeFileSync(join(this.#folder, 'source'), this.#content);
    const lost = new Promise<never>((_, reject) => this.conn.on('lost', reject));
    const work = Promise.all([
      ...Array.from({ length: CALLERS }, () => this.#call()),
      ...Array.from({ length: this.#quota.sockets }, () => this.#converse()),
      ...(this.#onlyCalls ? [] : [this.#copy(), this.#block()]),
    ]);
    await Promise.race([work, lost]);
  }

  get #onlyCalls(): boolean {
    return this.#quota.megabytes === 0;
  }

  get #share(): number {
    return this.pauses.length / this.#quota.disconnects;
  }

  /** Waits while `done` is ahead of the disconnects. False when all is done. */
  async #turn(done: () => number): Promise<boolean> {
    for (;;) {
      if (done() < 1 && done() <= this.#share) return true;
      if (done() >= 1 && this.#share >= 1) return false;
      await sleep(2 + this.#random() * 10);
    }
  }

  async #call(): Promise<void> {
    const { root } = this.conn;
    while (await this.#turn(() => this.calls / this.#quota.calls)) {
      const call = this.calls++;
      const size = call % 10 === 0 ? 100_000 : 0;
      if (this.#onlyCalls) assert.equal(await root.count(call), call);
      else if (size > 0) assert.equal(await root.size(call, this.#slice(size)), size);
      else if (call % 3 === 0) assert.equal(await root.countLater(call), call);
      else assert.equal(await root.count(call), call);
    }
  }

  async #converse(): Promise<void> {
    while (this.#share < 1) {
      const socket = withRemote(this.conn, () => net.connect(this.#echo, '127.0.0.1'));
      // The loop below ends with the stream; what is wrong with it comes out of the loop.
      socket.on('error', () => undefined);
      const answers = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
      for (let i = 0; i < MESSAGES && this.#share < 1; i++) {
        const message = this.#slice(1 + Math.floor(this.#random() * 8192));
        socket.write(message);
        await expect(answers, message);
        this.echoed += message.length;
        await sleep(this.#random() * 100);
      }
      socket.end();
      assert.equal((await answers.next()).done, true, 'nothing behind the last answer');
    }
  }

  /** To and fro by turns: a write anywhere makes what was read ahead of files worthless. */
  async #copy(): Promise<void> {
    const total = this.#quota.megabytes * MB;
    for (let n = 0; await this.#turn(() => this.copied / total); n++) {
      if (n % 2 === 0) await this.#upload(`copy-${n}`);
      else await this.#download(`copy-${n}`);
      this.copied += FILE;
    }
  }

  async #upload(name: string): Promise<void> {
    await withRemote(this.conn, { except: ['stdio'] }, async () => {
      const stream = fs.createWriteStream(name);
      for (let at = 0; at < FILE; at += PIECE)
        if (!stream.write(this.#content.subarray(at, at + PIECE))) await once(stream, 'drain');
      stream.end();
      await once(stream, 'close');
    });
    const copy = join(this.#folder, name);
    assert.ok(fs.readFileSync(copy).equals(this.#content), `${name}, uploaded`);
    fs.rmSync(copy);
  }

  async #download(name: string): Promise<void> {
    const stream = withRemote(this.conn, { except: ['stdio'] }, () =>
      fs.createReadStream('source'),
    );
    let at = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const same = chunk.equals(this.#content.subarray(at, at + chunk.length));
      assert.ok(same, `${name}, downloaded, at ${at}`);
      at += chunk.length;
    }
    assert.equal(at, FILE, `${name}, downloaded`);
  }

  /** The thread waits, and so does all the rest: a few are enough. */
  async #block(): Promise<void> {
    const lines: number[] = [];
    while (this.#share < 1) {
      const line = this.blocking++;
      lines.push(line);
      withRemote(this.conn, { except: ['stdio'] }, () => fs.appendFileSync('log', `${line}\n`));
      await sleep(1000);
    }
    const log = fs.readFileSync(join(this.#folder, 'log'), 'utf8');
    assert.deepEqual(log.trimEnd().split('\n').map(Number), lines, 'blocking calls, in order');
  }

  #slice(size: number): Buffer {
    const at = Math.floor(this.#random() * (FILE - size));
    return this.#content.subarray(at, at + size);
  }
}

async function expect(answers: AsyncIterator<Buffer>, message: Buffer): Promise<void> {
  for (let at = 0; at < message.length; ) {
    const { value, done } = await answers.next();
    assert.ok(done !== true, 'the socket ended before its answer was whole');
    assert.ok(value.equals(message.subarray(at, at + value.length)), 'a socket echoed other bytes');
    at += value.length;
  }
}
