// What `npm start` and `npm test` do first in a fresh clone: pnpm through npx, of the version that package.json pins;
// the packages of the lockfile; the build. Quiet while all is well, the whole output when something is not.
import { spawn, spawnSync } from 'node:child_process';
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

/**
 * Runs pnpm and says `what` it is for; its output is shown only if it fails, and then this process ends.
 * @param {string} what
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
function pnpm(what, args, env = {}) {
  process.stderr.write(`${what} …\n`);
  const [command, argv] = pnpmCommand(args);
  const options = { cwd: root, env: { ...process.env, ...quiet, ...env }, encoding: /** @type {const} */ ('utf8'), shell: command.endsWith('.cmd') };
  const done = spawnSync(command, argv, options);
  if (done.status === 0) return;
  process.stderr.write(`${done.stdout ?? ''}${done.stderr ?? ''}${done.error?.message ?? ''}\n${what}: failed\n`);
  process.exit(1);
}

/**
 * Installs what the lockfile says: of the packages that `filters` select, or of all.
 * @param {string[]} [filters]
 */
export function install(filters = []) {
  pnpm('Installing', ['install', '--frozen-lockfile', '--prefer-offline', ...filters.map((filter) => `--filter=${filter}`)], { CI: 'true' });
}

/**
 * Builds what has changed. `kind` js leaves the type declarations out.
 * @param {'all' | 'js'} kind
 * @param {string[]} [filters]
 */
export function build(kind, filters = []) {
  pnpm('Building', ['exec', 'turbo', 'run', 'build', ...filters.map((filter) => `--filter=${filter}`)], { STACK_BUILD: kind });
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
