/** Which paths stay here under `elsewhere run`: the program itself, its modules, Node's own files and devices. */
import { dirname } from 'node:path';
import { originals } from '../base/originals.ts';
import type { PathOptions } from './path-rules.ts';

/** `own` is the toolkit's own directory, `main` the program's main file. */
export function programRules(
  given: PathOptions,
  own: string,
  main: string | undefined = process.argv[1],
): PathOptions {
  const program = main === undefined ? [] : [packageRoot(main)];
  // The prefix of a system-wide Node is /usr: then only what Node itself reads there.
  const prefix = dirname(dirname(process.execPath));
  const node = prefix === '/usr' || prefix === '/' ? [process.execPath] : [prefix];
  const fixed = ['/proc', '/dev', '/sys', '**/node_modules/**', '**/node_modules'];
  return { ...given, local: [...program, ...node, own, ...fixed, ...(given.local ?? [])] };
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
