/** fast-check with a fixed seed, so that a run can be repeated; SEED sets another one. */
import * as fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['SEED'] ?? 20_261_123) });

export { fc };
