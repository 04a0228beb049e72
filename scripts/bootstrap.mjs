// What `npm start` and `npm test` do first in a fresh clone: pnpm through npx, of the version that package.json pins;
// the packages of the lockfile; the build. Quiet while all is well, the whole output when something is not; what takes longer than
// a moment is named.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const packageManager = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager;

const quiet = {
  npm_config_loglevel: 'error',
  npm_config_update_notifier: 'false',
  DO_NOT_TRACK: '1',
  TURBO_TELEMETRY_DISABLED: '1',
  TURBO_NO_UPDATE_NOTIFIER: '1',
};

/**
 * The command line that runs pnpm. npm's own entry where npm started us (it needs no shell, on Windows either), else npx.
 * @param {string[]} args
 * @returns {[string, string[]]}
 */
function pnpmCommand(args) {
  const npm = process.env['npm_execpath'];
  if (npm?.endsWith('npm-cli.js')) return [process.execPath, [npm, 'exec', '--yes', `--package=${packageManager}`, '--', 'pnpm', ...args]];
  return [process.platform === 'win32' ? 'npx.cmd' : 'npx', ['--yes', packageManager, ...args]];
}

/** After so long, in ms, whoever waits is told what for. */
const PATIENCE = 1000;

/**
 * Runs pnpm, and says `what` it is for if that takes long; its output is shown only if it fails, and then this process ends.
 * @param {string} what
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<void>}
 */
async function pnpm(what, args, env = {}) {
  const [command, argv] = pnpmCommand(args);
  const child = spawn(command, argv, { cwd: root, env: { ...process.env, ...quiet, ...env }, shell: command.endsWith('.cmd'), stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => process.stderr.write(`${what} …\n`), PATIENCE);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const status = await new Promise((resolve) => {
    child.on('error', (error) => {
      output += error.message;
      resolve(1);
    });
    child.on('close', resolve);
  });
  clearTimeout(timer);
  if (status === 0) return;
  process.stderr.write(`${output}\n${what}: failed\n`);
  process.exit(1);
}

/**
 * Installs what the lockfile says: of the packages that `filters` select, or of all.
 * @param {string[]} [filters]
 * @returns {Promise<void>}
 */
export async function install(filters = []) {
  await pnpm('Installing', ['install', '--frozen-lockfile', '--prefer-offline', ...filters.map((filter) => `--filter=${filter}`)], { CI: 'true' });
}

/**
 * Builds what has changed. `kind` js leaves the type declarations out.
 * @param {'all' | 'js'} kind
 * @param {string[]} [filters]
 * @returns {Promise<void>}
 */
export async function build(kind, filters = []) {
  await pnpm('Building', ['exec', 'turbo', 'run', 'build', ...filters.map((filter) => `--filter=${filter}`)], { STACK_BUILD: kind });
}

/**
 * Runs a program in this one's place: its terminal, its signals, its exit status.
 * @param {string[]} argv arguments of node
 * @returns {Promise<number>} the exit status
 */
export function run(argv) {
  const child = spawn(process.execPath, argv, { cwd: root, stdio: 'inherit' });
  const ignore = () => undefined;
  process.on('SIGINT', ignore); // the terminal sends it to the child too, which decides
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => {
      process.off('SIGINT', ignore);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 1));
    });
  });
}
