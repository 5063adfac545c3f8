/**
 * Which WebSocket handshakes are let in: pure decisions on the Host and Origin headers, against web pages (cross-site
 * hijacking) and DNS rebinding. The rule for Host is that of Node's inspector, with the port.
 */

export interface UpgradeHeaders {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** The port that it came to. */
  readonly port: number;
}

export interface UpgradeRules {
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}

export function mayUpgrade(headers: UpgradeHeaders, rules: UpgradeRules): boolean {
  if (headers.method !== 'GET' || headers.path !== '/') return false;
  if (headers.origin !== undefined && !rules.allowedOrigins.includes(headers.origin)) return false;
  return hostAllowed(headers.host, headers.port, rules);
}

function hostAllowed(host: string | undefined, ownPort: number, rules: UpgradeRules): boolean {
  const match = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/i.exec(host ?? '');
  if (match === null) return false;
  const name = (match[1] as string).toLowerCase();
  const port = match[2] === undefined ? 80 : Number(match[2]);
  const known =
    name === 'localhost' || /^\d{1,3}(\.\d{1,3}){3}$/.test(name) || name.startsWith('[');
  if (rules.allowedHosts.some((allowed) => allowed.toLowerCase() === name)) return true;
  return known && port === ownPort;
}
