/** Results as a table for people, or as one JSON line each. */
import type { Result } from './rounds.ts';

export function asLines(results: readonly Result[]): string {
  return results.map((result) => `${JSON.stringify(result)}\n`).join('');
}

/** A Markdown table, so that it can be pasted. */
export function asTable(results: readonly Result[]): string {
  const [first] = results;
  if (first === undefined) return '';
  const rows = results.map(({ name, median, best, ratio, cpu }) => [
    name,
    short(median),
    short(best),
    `${ratio.toFixed(2)}x`,
    cpu === undefined ? '-' : short(cpu / 1000),
  ]);
  const head = [first.contest, `median ${first.unit}`, 'best', 'speed', 'cpu us/op'];
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |\n`;
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|\n`;
  return `\n${line(head)}${rule}${rows.map(line).join('')}`;
}

function short(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
