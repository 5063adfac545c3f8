/** `npm run fuzz -- [FRAMES] [SEED]`: a million mutated frames unless told otherwise. */
import { fuzz } from './frames.ts';

const [frames = '1000000', seed = String(Date.now() % 1_000_000)] = process.argv.slice(2);
const start = performance.now();
process.stdout.write(`seed ${seed}\n`);
const report = await fuzz(Number(frames), Number(seed));
const seconds = ((performance.now() - start) / 1000).toFixed(0);
process.stdout.write(
  `${report.frames} frames in ${seconds} s: ${report.accepted} decoded, ${report.carriedOut} carried out, the slowest took ${report.slowest.toFixed(1)} ms\n`,
);
process.exitCode = report.slowest > 100 ? 1 : 0;
