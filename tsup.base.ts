// The one build of every library: ES modules, a file per entry and shared chunks, declarations and source maps.
// Declarations are made from the built declarations below (turbo builds in order), not from their sources.
// TypeScript 6 refuses the `baseUrl` that tsup injects there unless `ignoreDeprecations` says 6.0.
// STACK_BUILD=js leaves the declarations as they are: what `npm start` needs, in a fraction of the time.
import { defineConfig, type Options } from 'tsup';

const declarations = { compilerOptions: { ignoreDeprecations: '6.0', customConditions: [] } };

const quick = process.env['STACK_BUILD'] === 'js';

const common: Options = {
  format: 'esm',
  target: 'es2022',
  sourcemap: true,
  clean: !quick,
  silent: true,
  removeNodeProtocol: false,
  external: [/^node:/],
  dts: quick ? false : declarations,
};

/** The build of a package whose public entries are `entry`, paths from the package's folder. */
export function library(entry: string[]): ReturnType<typeof defineConfig> {
  return defineConfig({ ...common, entry, platform: 'neutral', splitting: true });
}

/** The build of a program for Node whose mains are `entry`: no declarations; dependencies stay imports. */
export function program(entry: string[]): ReturnType<typeof defineConfig> {
  return defineConfig({ ...common, entry, platform: 'node', dts: false });
}
