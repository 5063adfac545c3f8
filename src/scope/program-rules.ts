/** Which paths stay here under `elsewhere run`: the program itself, its modules, Node's own files and devices. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { originals } from '../base/originals.ts';
import type { PathOptions } from './path-rules.ts';

/** `own` is the toolkit's own directory, `main` the program's main file. */
export function programRules(
  given: PathOptions,
  own: string,
  main: string | undefined = mainFile(),
): PathOptions {
  const program = main === undefined ? [] : [packageRoot(main)];
  // The prefix of a system-wide Node is /usr: then only what Node itself reads there.
  const prefix = dirname(dirname(process.execPath));
  const node = prefix === '/usr' || prefix === '/' ? [process.execPath] : [prefix];
  const fixed = ['/proc', '/dev', '/sys', ...moduleFolders(main)];
  return { ...given, local: [...program, ...node, own, ...fixed, ...(given.local ?? [])] };
}

/** Node has made its path absolute; `-` stands for a program that comes by standard input. */
function mainFile(): string | undefined {
  const main = process.argv[1];
  return main === '-' ? undefined : main;
}

/**
 * Where Node finds the packages that the program loads: what they read beside their code is there too. Only those that are
 * here when it starts: other folders of that name, in a project that the program works on, are the far side's.
 */
function moduleFolders(main: string | undefined): string[] {
  const start = main === undefined ? join(originals.process.cwd(), '[eval]') : realPath(main);
  const folders = createRequire(start).resolve.paths('a-package') ?? [];
  const here = folders.filter((folder) => originals.fs.existsSync(folder));
  return [...new Set(here.flatMap((folder) => [folder, realPath(folder)]))];
}

/** The nearest directory above the main file that has a package.json, or else the file's own. */
function packageRoot(main: string): string {
  const { fs } = originals;
  const start = dirname(realPath(main));
  for (let at = start; ; at = dirname(at)) {
    if (fs.existsSync(`${at}/package.json`)) return at;
    if (at === dirname(at)) return start;
  }
}

function realPath(main: string): string {
  try {
    return originals.fs.realpathSync(main);
  } catch {
    return main;
  }
}
