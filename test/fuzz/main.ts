/** `npm run fuzz -- [FRAMES] [SEED]`: a million mutated frames unless told otherwise, and a quarter as many links. */
import { fuzz } from './frames.ts';
import { fuzzLinks } from './links.ts';

const [frames = '1000000', seed = String(Date.now() % 1_000_000)] = process.argv.slice(2);
process.stdout.write(`seed ${seed}\n`);
const begun = performance.now();
const seconds = (): string => ((performance.now() - begun) / 1000).toFixed(0);

const report = await fuzz(Number(frames), Number(seed));
process.stdout.write(
  `${report.frames} frames in ${seconds()} s: ${report.accepted} decoded, ${report.carriedOut} carried out, the slowest took ${report.slowest.toFixed(1)} ms\n`,
);
const links = await fuzzLinks(Math.ceil(Number(frames) / 4), Number(seed));
process.stdout.write(
  `${links.streams} links after ${seconds()} s: ${links.packets} packets, ${links.passed} bytes left to ws, ${links.refused} refused, the slowest took ${links.slowest.toFixed(1)} ms\n`,
);
process.exitCode = Math.max(report.slowest, links.slowest) > 100 ? 1 : 0;
