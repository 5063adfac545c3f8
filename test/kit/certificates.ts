/** Certificates for tests alone, valid for a century: an authority, an agent on loopback, a client, and one that nobody has signed. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export const authority: string = `-----BEGIN CERTIFICATE-----
MIIBnTCCAUOgAwIBAgIUdg1HmOcv840tuY+a29ZgAOgiixIwCgYIKoZIzj0EAwIw
IzEhMB8GA1UEAwwYZWxzZXdoZXJlIHRlc3QgYXV0aG9yaXR5MCAXDTI2MTEyNTEy
NDMyMFoYDzIxMjYxMTAxMTI0MzIwWjAjMSEwHwYDVQQDDBhlbHNld2hlcmUgdGVz
dCBhdXRob3JpdHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASoxaBTfPEWDGHK
LzTqgD3EcpXXLkftx6Y26VxMeogRfaFxY30SO0uoVWREn1xJcSAr02P6ILpqs5zV
zgUScikIo1MwUTAdBgNVHQ4EFgQUPZ/qqiPnB3ICCFqB7cMkveEI0ycwHwYDVR0j
BBgwFoAUPZ/qqiPnB3ICCFqB7cMkveEI0ycwDwYDVR0TAQH/BAUwAwEB/zAKBggq
hkjOPQQDAgNIADBFAiBggME5a711BRfzj4QlffTbBQaYw6t3e8o/cPwcWMoTIAIh
AIx2Z4mGH7DJtIP5snYfr7wBzapr4rHkcuZLRw76rxYs
-----END CERTIFICATE-----
`;

/** For localhost and 127.0.0.1, signed by the authority. */
export const agent: Certificate = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUT08wriZNPL9dljOTJZbXRHchlrkwCgYIKoZIzj0EAwIw
IzEhMB8GA1UEAwwYZWxzZXdoZXJlIHRlc3QgYXV0aG9yaXR5MCAXDTI2MTEyNTEy
NDMyMFoYDzIxMjYxMTAxMTI0MzIwWjAQMQ4wDAYDVQQDDAVhZ2VudDBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABCvMKwll3qAyFc8lLUluwF9GIeed7089WZHVTXX3
wJFS9HdIpqTilmoGH2gjRdsKXIZ5Gbm+HMNVw1Itp7CqJ66jXjBcMBoGA1UdEQQT
MBGCCWxvY2FsaG9zdIcEfwAAATAdBgNVHQ4EFgQUa9OqzHP3SgH1NraIc5yRfssx
eJEwHwYDVR0jBBgwFoAUPZ/qqiPnB3ICCFqB7cMkveEI0ycwCgYIKoZIzj0EAwID
SAAwRQIgLu+M6TbzmSd278nTcxQsKkSTGWAoP1BtddTNU8MX0M0CIQD5G3j3kDN6
a6G+INzVM38FOkwaFhytmIHyW5YzBvhK1w==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgW7Mti+/XjGQZ/K4e
PMkL9MOrdyQj1YdFrgag7//DPGahRANCAAQrzCsJZd6gMhXPJS1JbsBfRiHnne9P
PVmR1U1198CRUvR3SKak4pZqBh9oI0XbClyGeRm5vhzDVcNSLaewqieu
-----END PRIVATE KEY-----
`,
};

/** Signed by the authority. */
export const client: Certificate = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBMDCB1wIUT08wriZNPL9dljOTJZbXRHchlrowCgYIKoZIzj0EAwIwIzEhMB8G
A1UEAwwYZWxzZXdoZXJlIHRlc3QgYXV0aG9yaXR5MCAXDTI2MTEyNTEyNDMyMFoY
DzIxMjYxMTAxMTI0MzIwWjARMQ8wDQYDVQQDDAZjbGllbnQwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAQ+VRHR1231QNPQq7wUeSXBxi8/uSdKushnC+fZawcYeohU
CQELiMOvtEmoRZBtl+IZhpt0TM6ru1S6O2+f4JspMAoGCCqGSM49BAMCA0gAMEUC
IQCDCOD6vUEs7aVCmSQH/iwhylNE+uKKQr10r+rNcYH4GwIgaSGanuNHT7O2xHXa
HHJ+pABktW8VhKyx4sU0p32rKPI=
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgqg7DLgcAhqPqAnl+
4Eg4vlco2ZXbjd2e4j3AoLsAaD2hRANCAAQ+VRHR1231QNPQq7wUeSXBxi8/uSdK
ushnC+fZawcYeohUCQELiMOvtEmoRZBtl+IZhpt0TM6ru1S6O2+f4Jsp
-----END PRIVATE KEY-----
`,
};

/** For elsewhere.invalid, self-signed. */
export const stranger: Certificate = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUatyHQOOp8ZBdnTKEbB/X95/Gi8IwCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIc3RyYW5nZXIwIBcNMjYxMTI1MTI0MzIwWhgPMjEyNjExMDEx
MjQzMjBaMBMxETAPBgNVBAMMCHN0cmFuZ2VyMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEyM7elrFGixYqasuyRhHyMPxmCrszXJ5b/LDvH9MMIii9RBHWlLZhzEUO
166sdNjq2yp5PmUk6orLEknv2Vph06NxMG8wHQYDVR0OBBYEFAv+Dji5kdopOJED
Mmtaalgews3AMB8GA1UdIwQYMBaAFAv+Dji5kdopOJEDMmtaalgews3AMA8GA1Ud
EwEB/wQFMAMBAf8wHAYDVR0RBBUwE4IRZWxzZXdoZXJlLmludmFsaWQwCgYIKoZI
zj0EAwIDSAAwRQIhAMySyvKe7Li0iUEU+ggBxE31kJ1V2OZlZmeXgnTlKm5NAiAh
t6GylTAv5/BerWPR3h8J1DvRdnBeY4i345omM1e6Aw==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgIHQrH0WEYTHyvyBQ
d7//YfbTMP0olVIGAe59nZ+Si4+hRANCAATIzt6WsUaLFipqy7JGEfIw/GYKuzNc
nlv8sO8f0wwiKL1EEdaUtmHMRQ7Xrqx02OrbKnk+ZSTqissSSe/ZWmHT
-----END PRIVATE KEY-----
`,
};

/** They as files, for the command line; removed at exit. */
export function certificateFiles(): { cert: string; key: string; ca: string } {
  const folder = mkdtempSync(join(tmpdir(), 'elsewhere-certificates-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  return {
    cert: file('cert.pem', agent.cert),
    key: file('key.pem', agent.key),
    ca: file('ca.pem', authority),
  };
}

/** For `elsewhere serve` on a wss: or tls: address. */
export function tlsArguments(): string[] {
  const { cert, key } = certificateFiles();
  return ['--tls-cert', cert, '--tls-key', key];
}
