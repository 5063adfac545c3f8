/** fast-check with a fixed seed, so that a run can be repeated; ELSEWHERE_TEST_SEED sets another one. */
import * as fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['ELSEWHERE_TEST_SEED'] ?? 20_261_123) });

export { fc };
