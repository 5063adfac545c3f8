/** The name of this machine, for every machine. */

/** `localhost` and names below it (RFC 6761): they always mean loopback, so no name server needs to be asked. */
export function isLocalhost(name: string): boolean {
  return /^(?:.+\.)?localhost\.?$/i.test(name);
}
