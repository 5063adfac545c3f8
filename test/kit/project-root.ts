/** Where the project is, seen from a test that runs from build/ (or from the sources themselves). */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds src/, dist/, package.json. A build made elsewhere finds it as the working directory. */
export const projectRoot: string =
  above(dirname(fileURLToPath(import.meta.url))) ?? resolve(process.cwd());

function above(folder: string): string | undefined {
  if (existsSync(join(folder, 'src/patch.ts'))) return folder;
  const parent = dirname(folder);
  return parent === folder ? undefined : above(parent);
}
