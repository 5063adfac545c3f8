/**
 * Under `elsewhere run` the Node programs that a program starts are local programs that follow their parent's scope. That
 * works through the environment, so an environment of their own must not lose it.
 */
import { basename } from 'node:path';
import type { ChildContext, ChildTarget } from './api.ts';
import { nameOf, OWN_SETTINGS } from './own-settings.ts';

/** Whether a child of that program runs here. */
export function staysHere(context: ChildContext, target: ChildTarget, file: unknown): boolean {
  const { children } = target.scope;
  if (children !== 'follow') return children === 'local';
  if (typeof file !== 'string' || file === process.execPath) return true;
  if (/^node(?:\.exe)?$/.test(basename(file))) return true;
  // The program's own package, node_modules: what it finds there, it may run there.
  return file.includes('/') && context.decide(file, 'spawn') === undefined;
}

/** The pairs with what makes a Node program enter the scope, where they lack it. */
export function following(pairs: readonly string[]): string[] {
  const names = new Set(pairs.map(nameOf));
  const missing = OWN_SETTINGS.filter(
    (name) => !names.has(name) && process.env[name] !== undefined,
  );
  if (missing.length === 0) return [...pairs];
  const preload = preloadOption();
  const own = pairs.find((pair) => pair.startsWith('NODE_OPTIONS='))?.slice('NODE_OPTIONS='.length);
  const rest = pairs.filter((pair) => !pair.startsWith('NODE_OPTIONS='));
  const options = [preload, own].filter(Boolean).join(' ');
  return [
    ...rest,
    ...missing.map((name) => `${name}=${process.env[name]}`),
    `NODE_OPTIONS=${options}`,
  ];
}

/** The part of our own NODE_OPTIONS that names the preload: `elsewhere run` puts it first. */
function preloadOption(): string {
  return /^--require (?:"(?:[^"\\]|\\.)*"|\S+)/.exec(process.env['NODE_OPTIONS'] ?? '')?.[0] ?? '';
}
