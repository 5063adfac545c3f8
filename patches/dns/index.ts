/**
 * The dns patch: in a scope names are resolved on the far side, by its hosts file and its name servers. It works below
 * Node's own dns module, on the binding's functions, so that `net`, captured functions and Resolver objects come through
 * it and the errors are Node's.
 */
import { type AnyPatch, definePatch, type LocalContext } from '../../src/patch.ts';
import { DNS_ANSWERS } from './answers.ts';
import type { DnsCalls } from './api.ts';
import { cares } from './binding.ts';
import { installLookup, installPromises } from './lookup.ts';
import { dnsRemote } from './remote.ts';
import { installQueries, rememberSetup } from './resolver.ts';

function dnsLocal(context: LocalContext<DnsCalls>): void {
  const binding = cares();
  installLookup(context, binding);
  installPromises(context);
  installQueries(context, binding.ChannelWrap.prototype);
  rememberSetup(context, binding.ChannelWrap.prototype);
}

export const dnsPatch: AnyPatch = definePatch<DnsCalls>({
  name: 'dns',
  follows: 'net',
  answers: DNS_ANSWERS,
  signals: {},
  local: dnsLocal,
  remote: dnsRemote,
});
