/** Where the package's own programs are: among the bundle's entries, or beside the sources as they were compiled. */

/**
 * `name` is a path below src/ as it was compiled, `connection/relay-worker.js`: of a bundle's entries only the last part
 * counts. agent.cjs is only there as a bundle.
 */
export function entryFile(name: string): URL {
  const { url } = import.meta;
  if (url.includes('/build/'))
    return new URL(name.endsWith('.cjs') ? `../../../dist/${name}` : `../${name}`, url);
  const file = name.slice(name.lastIndexOf('/') + 1);
  return new URL(url.includes('/chunks/') ? `../${file}` : `./${file}`, url);
}
