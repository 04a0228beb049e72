// The rules of the house that a machine can hold, each with its reason (CONTRIBUTING.md has them in prose).
// No file may switch a rule off for itself: what is exempt is written here.
import tseslint from 'typescript-eslint';
import { houseRules } from './scripts/house-rules.mjs';
import { layers } from './scripts/layers.mjs';

const sources = 'packages/*/src/**/*.ts';
const tests = ['packages/*/src/**/*.test.ts', 'packages/*/src/**/test-*.ts', 'packages/*/src/testing/*.ts', 'tests/**/*.ts'];
const nodeOnly = Object.entries(layers).filter(([, layer]) => layer.node).map(([name]) => `packages/${name}/src/**/*.ts`);
const nodeEntries = Object.entries(layers).filter(([, layer]) => layer.nodeEntry).map(([name, { nodeEntry }]) => `packages/${name}/src/${nodeEntry}/*.ts`);

const time = "time comes from the World (world.now, world.jiffies, timers): a run is its seed and its input, the same on every machine.";
const turn = 'nothing runs in a turn of its own but through the World (softirq, work, timer): its order of events would be lost.';
const runtime = 'a protocol package runs wherever JavaScript does; what a runtime gives comes in at the edge.';
const report = 'a layer has no voice: it counts (snmp), drops with a reason, hits a tracepoint or returns -errno.';
const inexact = 'is not the same on every engine: the trace of a run must be. Use integers.';

const restrictedGlobals = [
  ...['Date', 'performance'].map((name) => ({ name, message: time })),
  ...['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'setImmediate', 'queueMicrotask', 'requestAnimationFrame'].map((name) => ({ name, message: turn })),
  ...['process', 'Buffer', 'require', '__dirname', 'window', 'self', 'Deno', 'Bun'].map((name) => ({ name, message: runtime })),
  { name: 'console', message: report },
  { name: 'crypto', message: 'randomness comes from the World (world.random), seeded once at the edge.' },
];

const restrictedProperties = [
  { object: 'Math', property: 'random', message: 'randomness comes from the World (world.random): same seed, same run.' },
  ...['exp', 'expm1', 'log', 'log2', 'log10', 'log1p', 'pow', 'cbrt', 'hypot', 'sin', 'cos', 'tan', 'atan', 'atan2', 'tanh'].map((property) => (
    { object: 'Math', property, message: `Math.${property} ${inexact}` })),
  ...restrictedGlobals.map(({ name, message }) => ({ object: 'globalThis', property: name, message })),
];

const restrictedSyntax = [
  { selector: 'TSEnumDeclaration', message: 'No enums: plain `const` numbers, as the kernel names them.' },
  { selector: 'ExportAllDeclaration', message: 'No `export *`: index.ts is an explicit list that a reader can trust.' },
  { selector: 'ExportDefaultDeclaration', message: 'No default exports: a thing has one name everywhere.' },
  { selector: 'PrivateIdentifier', message: 'No `#`: two installed copies of a package must stay compatible.' },
  { selector: 'PropertyDefinition[accessibility]', message: 'No private or protected: two installed copies of a package must stay compatible.' },
  { selector: 'TSParameterProperty', message: 'No parameter properties: a struct names its fields, then sets them in order.' },
  { selector: 'BinaryExpression[operator="**"]:not([left.value=2])', message: `** ${inexact}` },
  { selector: 'TSModuleDeclaration[kind="namespace"]', message: 'No namespaces: a file is a module.' },
];

/** Imports that no source of a package may have, then those that its row of the table does not list. */
function importRules(name) {
  const { imports, entries = {}, node = false, nodeEntry = null } = layers[name];
  const allowed = [...imports, ...Object.values(entries).flat()];
  const up = ['@stack/*', '@stack/*/**', ...allowed.flatMap((other) => [`!@stack/${other}`, `!@stack/${other}/**`])];
  const patterns = [
    { group: up, message: `Imports point down: ${name} may import ${allowed.join(', ') || 'nothing'} (scripts/layers.mjs).` },
    { regex: '^\\.\\.?/(?!.*\\.ts$)', message: 'A relative import names the file, with its `.ts`.' },
    { regex: '^\\.\\./\\.\\./', message: 'Another package is imported by its name, not through its folder.' },
  ];
  if (!node) patterns.push({ regex: '^(node:|fs$|net$|os$|path$|events$|buffer$|crypto$|stream$|util$)', message: runtime });
  const ignores = nodeEntry === null ? [] : [`packages/${name}/src/${nodeEntry}/*.ts`];
  return { files: [`packages/${name}/src/**/*.ts`], ignores, rules: { 'no-restricted-imports': ['error', { patterns }] } };
}

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '**/.turbo/**', '**/.cache/**'] },
  { linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.{ts,mjs,js}'],
    extends: [tseslint.configs.base],
    plugins: { house: { rules: houseRules } },
    rules: {
      eqeqeq: ['error', 'always'],
      'no-var': 'error',
      'prefer-const': 'error',
      'no-debugger': 'error',
      'no-self-assign': 'error',
      'no-unreachable': 'error',
      'no-constant-condition': ['error', { checkLoops: 'allExceptWhileTrue' }],
      'no-fallthrough': 'error',
      'no-duplicate-case': 'error',
      'no-empty': 'error',
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'], location: 'start' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/ban-ts-comment': ['error', { 'ts-expect-error': true, 'ts-ignore': true, 'ts-nocheck': true }],
      '@typescript-eslint/no-non-null-asserted-optional-chain': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/no-duplicate-enum-values': 'error',
      '@typescript-eslint/no-this-alias': 'error',
      '@typescript-eslint/no-unused-expressions': 'error',
    },
  },
  {
    files: [sources],
    rules: {
      'no-restricted-globals': ['error', ...restrictedGlobals],
      'no-restricted-properties': ['error', ...restrictedProperties],
      'no-restricted-syntax': ['error', ...restrictedSyntax],
      'house/unchecked-twin': 'error',
      'max-lines': ['error', 600],
      'house/screen': ['error', 80],
      'house/screen-hint': ['warn', 60],
    },
  },
  ...Object.keys(layers).map(importRules),
  // Node's own drivers may use Node; the one entry that touches the host's timers; tests may use both.
  { files: [...nodeOnly, ...nodeEntries], rules: { 'no-restricted-globals': 'off' } },
  { files: ['packages/kernel/src/real-clock.ts'], rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off' } },
  {
    files: tests,
    rules: {
      'no-restricted-globals': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-syntax': ['error', ...restrictedSyntax.filter(({ selector }) => !selector.startsWith('BinaryExpression'))],
      'max-lines': ['error', 1000],
      'house/screen': 'off',
      'house/screen-hint': 'off',
    },
  },
  ...Object.keys(layers).map((name) => {
    const { files, rules } = importRules(name);
    const [severity, { patterns }] = rules['no-restricted-imports'];
    return {
      files: files.flatMap((glob) => ['*.test.ts', 'test-*.ts', 'testing/*.ts'].map((test) => glob.replace('*.ts', test))),
      rules: { 'no-restricted-imports': [severity, { patterns: patterns.filter(({ message }) => message !== runtime) }] },
    };
  }),
);
