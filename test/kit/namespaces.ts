/** A firewall that is real: three network namespaces in a row, A – B – C, where A has no way to C. Needs root. */
import { execFileSync } from 'node:child_process';

const ip = (...args: string[]): void =>
  void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });

export class Namespaces {
  readonly A: string;
  readonly B: string;
  readonly C: string;
  readonly #id: string;
  readonly #undo: (() => void)[] = [];

  /** `tag`, a letter, keeps stages of one process apart. */
  constructor(tag: string) {
    this.#id = `${process.pid}${tag}`;
    [this.A, this.B, this.C] = [`ew${this.#id}a`, `ew${this.#id}b`, `ew${this.#id}c`];
  }

  /** A – 10.77.1.0/24 – B – 10.77.2.0/24 – C; B forwards nothing. Says why it is not possible, as a string. */
  build(): string | undefined {
    if (process.getuid?.() !== 0) return 'network namespaces need root';
    try {
      for (const name of [this.A, this.B, this.C]) this.#add(name);
      this.#join([this.A, '10.77.1.1'], [this.B, '10.77.1.2'], 'x');
      this.#join([this.B, '10.77.2.2'], [this.C, '10.77.2.3'], 'y');
      return undefined;
    } catch (error) {
      const said = String((error as { stderr?: unknown }).stderr ?? error).trim();
      return `network namespaces are not allowed here: ${said}`;
    }
  }

  /** Done by `remove`, the last first. */
  undo(step: () => void): void {
    this.#undo.push(step);
  }

  remove(): void {
    for (const step of this.#undo.splice(0).reverse()) step();
  }

  #add(name: string): void {
    ip('netns', 'add', name);
    this.undo(() => ip('netns', 'del', name));
    ip('-n', name, 'link', 'set', 'lo', 'up');
  }

  #join(left: readonly [string, string], right: readonly [string, string], tag: string): void {
    const [l, r] = [`v${this.#id}${tag}l`, `v${this.#id}${tag}r`];
    ip('link', 'add', l, 'netns', left[0], 'type', 'veth', 'peer', 'name', r, 'netns', right[0]);
    for (const [[space, address], device] of [
      [left, l],
      [right, r],
    ] as const) {
      ip('-n', space, 'addr', 'add', `${address}/24`, 'dev', device);
      ip('-n', space, 'link', 'set', device, 'up');
    }
  }
}
