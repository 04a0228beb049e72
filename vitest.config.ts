// The levels of the test suite, as vitest projects. `@stack/source` makes every package resolve to its sources,
// so that no test needs a build (the package checks of `house` pack what `npm test` has built).
import { defineConfig } from 'vitest/config';

const conditions = ['@stack/source', 'module', 'node', 'import', 'default'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    maxWorkers: 2,
    projects: [
      // No module has state (a rule of the house), so the files of the unit level can share theirs.
      { extends: true, test: { name: 'unit', isolate: false, testTimeout: 60_000, include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts'] } },
      { extends: true, test: { name: 'house', include: ['tests/*.test.ts'], testTimeout: 120_000 } },
      {
        extends: true,
        test: { name: 'real', include: ['tests/real/*.test.ts'], testTimeout: 120_000, hookTimeout: 60_000, fileParallelism: false },
      },
      { extends: true, test: { name: 'runtimes', include: ['tests/runtimes/*.test.ts'], testTimeout: 120_000 } },
      { extends: true, test: { name: 'browser', include: ['tests/browser/*.test.ts'], testTimeout: 300_000, hookTimeout: 60_000 } },
    ],
  },
});
