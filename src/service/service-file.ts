/** Services that are given as the URL of a module. */
import { ElsewhereError } from '../base/errors.ts';
import { farModules } from './far-modules.ts';
import type { Intercept, ServiceSource } from './service.ts';

export interface ServiceChoice {
  readonly service?: ServiceSource | URL;
  readonly intercept?: Intercept;
}

export interface LoadedService {
  readonly service?: ServiceSource;
  readonly intercept?: Intercept;
}

interface ServiceModule {
  readonly service?: unknown;
  readonly intercept?: Intercept;
}

/** Rejects with what the module throws, or ERR_ELSEWHERE_ARGUMENT. */
export async function loadService({ service, intercept }: ServiceChoice): Promise<LoadedService> {
  if (service === undefined) return {};
  if (!(service instanceof URL)) return { service, ...(intercept && { intercept }) };
  const module = (await farModules().importModule(service.href)) as ServiceModule;
  const found = module.service;
  if ((typeof found !== 'object' && typeof found !== 'function') || found === null)
    throw new ElsewhereError(
      'ERR_ELSEWHERE_ARGUMENT',
      `${service.href} is no service: the module must export "service", a class, a function or an object`,
    );
  const sees = intercept ?? module.intercept;
  return { service: found, ...(sees && { intercept: sees }) };
}
