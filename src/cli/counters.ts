/** One line at the bottom of a terminal that tells what passes through a proxy. */
import { originals } from '../base/originals.ts';
import type { ProxyStats } from '../proxy/traffic.ts';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];
/** Milliseconds between two looks. */
const PACE = 1000;

/** `1.5 MB`. */
export function bytesText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** `before` is of one second ago. */
export function countersText(now: ProxyStats, before: ProxyStats): string {
  const way = (bytes: number, earlier: number): string =>
    `${bytesText(bytes)} (${bytesText(bytes - earlier)}/s)`;
  return [
    `${now.open} open, ${now.total} in all, ${now.failed} failed`,
    `up ${way(now.bytesUp, before.bytesUp)}`,
    `down ${way(now.bytesDown, before.bytesDown)}`,
  ].join('   ');
}

export interface Counters {
  /** Prints a line above the counters. */
  note(line: string): void;
  stop(): void;
}

/** Where nobody watches, only notes are printed. `state` is put in front while the link is down. */
export function showCounters(stats: () => ProxyStats, state: () => string): Counters {
  const { stderr } = originals.process;
  const live = stderr.isTTY === true;
  let before = stats();
  let shown = '';
  const draw = (): void => {
    if (live) stderr.write(`\r${shown.slice(0, (stderr.columns ?? 80) - 1)}\u001b[K`);
  };
  const look = (): void => {
    const now = stats();
    shown = `${state() === 'up' ? '' : 'link lost, dialling again   '}${countersText(now, before)}`;
    before = now;
    draw();
  };
  const timer = live ? setInterval(look, PACE) : undefined;
  if (live) look();
  return {
    note: (line) => {
      stderr.write(live ? `\r\u001b[K${line}\n` : `${line}\n`);
      draw();
    },
    stop: () => {
      clearInterval(timer);
      if (live) stderr.write('\n');
    },
  };
}
