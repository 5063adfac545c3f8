/**
 * Bundles what the TypeScript compiler emitted into build/; no TypeScript here. One file per entry and shared chunks,
 * since the preload runs in every process and many small modules load slowly.
 */
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import commonjs from '@rollup/plugin-commonjs';
import { nodeResolve } from '@rollup/plugin-node-resolve';

const built = (name) => `build/src/${name}.js`;

const entries = {
  index: built('index'),
  register: built('register'),
  program: built('program'),
  cli: built('cli'),
  testing: built('testing'),
  isolated: built('isolated'),
  'relay-worker': built('connection/relay-worker'),
};

/** Hands the compiler's source maps on, so that stacks name the .ts files. */
const inputMaps = {
  name: 'input-maps',
  load(id) {
    const map = `${id}.map`;
    return existsSync(map)
      ? { code: readFileSync(id, 'utf8'), map: JSON.parse(readFileSync(map, 'utf8')) }
      : null;
  },
};

const types = {
  name: 'types',
  writeBundle() {
    for (const folder of ['src', 'patches']) {
      cpSync(`build/${folder}`, `dist/types/${folder}`, {
        recursive: true,
        filter: (path) => !/\.js(\.map)?$/.test(path),
      });
    }
  },
};

/** The licenses of what is bundled ask to be passed on. */
const licenses = (fileName) => ({
  name: 'licenses',
  generateBundle() {
    const files = [...this.getModuleIds()].map(
      (id) => /[^\0]*\/node_modules\/(?:@[^/]+\/)?[^/]+\//.exec(id)?.[0],
    );
    const folders = [...new Set(files.filter((folder) => folder !== undefined))].sort();
    const texts = folders.map((folder) => {
      const { name, version } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8'));
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
      if (file === undefined) throw new Error(`${name} is bundled but has no license file`);
      return `${name} ${version}\n\n${readFileSync(`${folder}${file}`, 'utf8').trim()}\n`;
    });
    this.emitFile({ type: 'asset', fileName, source: texts.join(`\n${'-'.repeat(80)}\n\n`) });
  },
});

// 'default' picks the pure JavaScript of msgpackr, whose native part must not see what a peer sends.
const packages = [
  nodeResolve({ exportConditions: ['default'] }),
  commonjs({ ignore: ['msgpackr-extract', 'bufferutil', 'utf-8-validate'] }),
];

/** Such as an import that is found nowhere: it would be left to whoever loads the bundle. */
const onwarn = ({ message }) => {
  throw new Error(message);
};

const early = /\/src\/(?:base\/(?:forwards|shape|node-binding)|cli\/run-environment)\.js$/;

const library = {
  onwarn,
  input: Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(file))),
  external: (id) => isBuiltin(id) || id === 'ws',
  plugins: [inputMaps, ...packages, types, licenses('licenses.txt')],
  output: {
    dir: 'dist',
    format: 'es',
    sourcemap: true,
    entryFileNames: '[name].js',
    // No hash: readable in stacks.
    chunkFileNames: 'chunks/[name].js',
    // What the preload shares with the rest, in one file.
    manualChunks: (id) => (early.test(id) ? 'early' : undefined),
    hoistTransitiveImports: false,
  },
};

/** The far side in one file, to be sent over ssh or copied to a machine that has Node and nothing else. */
const agent = {
  onwarn,
  input: built('agent'),
  external: isBuiltin,
  plugins: [inputMaps, ...packages, licenses('agent.licenses.txt')],
  output: { file: 'dist/agent.cjs', format: 'cjs', sourcemap: true, inlineDynamicImports: true },
};

export default [library, agent].filter(
  ({ input }) => typeof input !== 'string' || existsSync(input),
);
