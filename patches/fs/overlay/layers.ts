/**
 * The near layer of an overlay: a folder with the files that were changed, in the far side's tree, and the list of what
 * was removed. A path on that list hides the far side's entry and all below it; what the folder has there is seen.
 */
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { ElsewhereError } from '../../../src/base/errors.ts';

export class NearLayer {
  readonly files: string;
  readonly #list: string;
  readonly #removed: Set<string>;
  #untouched: boolean;

  constructor(folder: string) {
    this.files = join(folder, 'files');
    this.#list = join(folder, 'removed.json');
    fs.mkdirSync(this.files, { recursive: true });
    this.#removed = new Set(readList(this.#list));
    this.#untouched = this.#removed.size === 0 && fs.readdirSync(this.files).length === 0;
  }

  /** Nothing was changed yet: the far side alone answers. */
  get untouched(): boolean {
    return this.#untouched;
  }

  get removed(): ReadonlySet<string> {
    return this.#removed;
  }

  /** Where a far path is kept here. */
  at(path: string): string {
    return this.files + path;
  }

  look(path: string): fs.Stats | undefined {
    try {
      return fs.lstatSync(this.at(path), { throwIfNoEntry: false });
    } catch {
      return undefined;
    }
  }

  /** The far side's entry is not to be seen. */
  hides(path: string): boolean {
    if (this.#removed.size === 0) return false;
    for (let at = path; ; at = dirname(at)) {
      if (this.#removed.has(at)) return true;
      if (at === '/') return false;
    }
  }

  /** From now on the far side's entry is hidden. Written at once: another process may go on with the folder. */
  hide(path: string): void {
    this.#untouched = false;
    if (this.hides(path)) return;
    this.#removed.add(path);
    fs.writeFileSync(this.#list, JSON.stringify([...this.#removed]));
  }

  touch(): void {
    this.#untouched = false;
  }

  /** Forgets all changes. */
  clear(): void {
    fs.rmSync(this.files, { recursive: true, force: true });
    fs.mkdirSync(this.files, { recursive: true });
    fs.rmSync(this.#list, { force: true });
    this.#removed.clear();
    this.#untouched = true;
  }
}

function readList(file: string): readonly string[] {
  if (!fs.existsSync(file)) return [];
  try {
    const list: unknown = JSON.parse(fs.readFileSync(file, 'utf8'));
    if (Array.isArray(list) && list.every((item) => typeof item === 'string')) return list;
  } catch {
    // Said below.
  }
  throw new ElsewhereError(
    'ERR_ELSEWHERE_ARGUMENT',
    `${file} is no list of an overlay: give overlay() a folder of its own`,
  );
}
