/**
 * `npm run coverage-page` prints docs/coverage.md: for each Node module that a patch covers whole, where every export
 * goes. The tables stand beside the patches (`coverage` of src/patch.ts).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { patches } from '../../patches/index.ts';
import type { CoverageTable } from '../../src/patch.ts';
import { projectRoot } from './project-root.ts';

export const pageFile: string = join(projectRoot, 'docs', 'coverage.md');

/** By module, in the order of their names. */
export function coverageTables(): [string, CoverageTable][] {
  return patches
    .flatMap(({ coverage }) => Object.entries(coverage ?? {}))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

export function coveragePage(): string {
  const sections = coverageTables().map(([module, table]) => `## ${module}\n\n${section(table)}`);
  return `# What is substituted, export by export

Printed from the tables beside the patches (\`npm run coverage-page\`); a test fails when a Node version has an export
that its table lacks. *Remote*: in a scope it is the far side's. *Local*: it stays here, for the reason given.
*Unsupported*: it throws \`ERR_ELSEWHERE_UNSUPPORTED\` in a scope.

${sections.join('\n\n')}
`;
}

function section(table: CoverageTable): string {
  const rows = Object.entries(table)
    .map(([name, where]): [string, string, string] => {
      const [side = '', ...rest] = where.split(': ');
      return [side, name, rest.join(': ')];
    })
    .sort(([a, b], [c, d]) => order(a) - order(c) || (b < d ? -1 : 1));
  return [
    '| export | where | |',
    '|---|---|---|',
    ...rows.map(([side, name, remark]) => `| \`${name}\` | ${side} | ${remark} |`),
  ].join('\n');
}

function order(side: string): number {
  return ['remote', 'local', 'unsupported'].indexOf(side);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  writeFileSync(pageFile, coveragePage());
