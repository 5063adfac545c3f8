/** Files that commands which listen are given: certificates, keys, tokens. */
import { originals } from '../base/originals.ts';
import { newToken } from '../security/auth.ts';
import type { TlsServerOptions } from '../transport/tls.ts';
import { optional, type ParsedLine, readTokenFile } from './args.ts';
import { UsageError } from './usage.ts';

/** What --tls-cert, --tls-key, --tls-ca and --tls-psk say. */
export function tlsOf(values: ParsedLine['values']): { tls?: TlsServerOptions } {
  const [cert, key, ca] = ['tls-cert', 'tls-key', 'tls-ca'].map((name) => pemOf(name, values));
  if (values['tls-psk'] === true) {
    if (cert ?? key ?? ca) throw new UsageError('--tls-psk is in place of certificates');
    return { tls: { psk: true } };
  }
  if (cert === undefined && key === undefined && ca === undefined) return {};
  if (cert === undefined || key === undefined)
    throw new UsageError('--tls-cert and --tls-key are needed, both');
  return { tls: { cert, key, ...(ca === undefined ? {} : { ca }) } };
}

function pemOf(name: string, values: ParsedLine['values']): string | undefined {
  const file = optional(values[name]);
  if (file === undefined) return undefined;
  try {
    return originals.fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--${name}: ${(error as Error).message}`);
  }
}

/** The token of a file, which is made with a random one if it is not there. */
export function tokenFrom(file: string): string {
  const { fs } = originals;
  if (!fs.existsSync(file)) fs.writeFileSync(file, `${newToken()}\n`, { mode: 0o600, flag: 'wx' });
  return readTokenFile(file);
}
