/** The project's sources as the architecture test sees them: which file imports what, types only or not. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../kit/project-root.ts';

export interface Import {
  readonly specifier: string;
  /** Erased by the compiler: `import type`, `typeof import(…)`. */
  readonly typeOnly: boolean;
}

export interface Source {
  /** From the project's root, with slashes: `src/wire/codec.ts`. */
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
}

export function readSources(folder: string): Source[] {
  const names = readdirSync(join(projectRoot, folder), { recursive: true, encoding: 'utf8' });
  const paths = names
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`);
  return paths.sort().map((path) => toSource(path, readFileSync(join(projectRoot, path), 'utf8')));
}

export function toSource(path: string, text: string): Source {
  return { path, lines: text.trimEnd().split('\n').length, imports: importsOf(text) };
}

const FROM = /^(?:import|export)\s+(?<type>type\s)?[^;'"]*?from\s+['"](?<specifier>[^'"]+)['"]/gm;
const BARE = /^import\s+['"](?<specifier>[^'"]+)['"]/gm;
const CALLED =
  /(?<type>typeof\s+)?\b(?:import|require|getBuiltinModule)\(\s*['"](?<specifier>[^'"]+)['"]\s*\)(?<member>\.[A-Z])?/g;

function importsOf(text: string): Import[] {
  const matches = [FROM, BARE, CALLED].flatMap((pattern) => [...text.matchAll(pattern)]);
  return matches.map(({ groups = {} }) => ({
    specifier: groups['specifier'] ?? '',
    // `import('ws').WebSocket` names a type.
    typeOnly: groups['type'] !== undefined || groups['member'] !== undefined,
  }));
}
