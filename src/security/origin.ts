/**
 * Which WebSocket handshakes are let in: pure decisions on the Host and Origin headers, against web pages (cross-site
 * hijacking) and DNS rebinding. The rule for Host is that of Node's inspector: a page cannot make a browser send an IP
 * literal or localhost for a name of its own. The port says nothing: behind `ssh -L` or a proxy it is another one.
 */

export interface UpgradeHeaders {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly host: string | undefined;
  readonly origin: string | undefined;
}

export interface UpgradeRules {
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}

export function mayUpgrade(headers: UpgradeHeaders, rules: UpgradeRules): boolean {
  if (headers.method !== 'GET' || headers.path !== '/') return false;
  if (headers.origin !== undefined && !rules.allowedOrigins.includes(headers.origin)) return false;
  return hostAllowed(headers.host, rules);
}

function hostAllowed(host: string | undefined, rules: UpgradeRules): boolean {
  const match = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::\d{1,5})?$/i.exec(host ?? '');
  if (match === null) return false;
  const name = (match[1] as string).toLowerCase();
  if (rules.allowedHosts.some((allowed) => allowed.toLowerCase() === name)) return true;
  return name === 'localhost' || /^\d{1,3}(\.\d{1,3}){3}$/.test(name) || name.startsWith('[');
}
