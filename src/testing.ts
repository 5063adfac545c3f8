/** For tests: captures of standard streams, and two ends in one process. */
export { type ConnectionPair, captureStdio, connectPair } from './index.ts';
