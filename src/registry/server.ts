/** `serveRegistry`: one process that knows where services are. */
import { type ServeOptions, type Server, serveWith } from '../service/serve.ts';
import { Leases, Registry } from './registry.ts';

export interface RegistryOptions
  extends Pick<ServeOptions, 'listen' | 'token' | 'authTimeout' | 'allowedHosts'> {
  /** Milliseconds for which an entry stays without being renewed. Default 15,000. */
  readonly lease?: number;
}

/** Its `url` carries the token: who has it may register, and may connect to everything that is registered. */
export function serveRegistry(options: RegistryOptions = {}): Promise<Server> {
  const { lease, ...listening } = options;
  const leases = new Leases(lease);
  return serveWith([], {
    ...listening,
    classic: false,
    // A client that is gone for longer than its lease has lost its entries anyway.
    grace: leases.lease,
    service: () => new Registry(leases),
  });
}
