// The sample captures of tcpdump and Wireshark, from Debian's source packages: captures that this project did not make.
// `node scripts/debian-captures.mjs` puts them below .cache/captures, a folder a package, and says where; a second run does nothing.
// apt-get fetches and checks them, with a list of sources and a state of its own, so that the system's stay as they are;
// mirror and suite are those of the system.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './bootstrap.mjs';
import { hasCommand } from './needs.mjs';

/** Source packages, and where in them the captures are. */
const PACKAGES = { tcpdump: 'tests', wireshark: 'test/captures' };
const CAPTURES = join(root, '.cache/captures');
const APT = join(root, '.cache/debian');
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const PATIENCE = 300_000;

/** @typedef {{ missing: string, folders: string[] }} Captures */

/**
 * The folders of captures, fetched if they are not there yet; `missing` says why there are none, and is empty if all is well.
 * @returns {Captures}
 */
export function debianCaptures() {
  const names = Object.keys(PACKAGES);
  const folders = names.map((name) => join(CAPTURES, name));
  if (folders.every((folder) => existsSync(folder))) return { missing: '', folders };
  const missing = cannotFetch();
  if (missing !== '') return { missing, folders: [] };
  mkdirSync(CAPTURES, { recursive: true });
  mkdirSync(APT, { recursive: true });
  const work = mkdtempSync(join(APT, 'fetch-'));
  try {
    fetchSources(work, names);
    for (const [name, place] of Object.entries(PACKAGES)) unpack(work, name, place);
    return { missing: '', folders };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error), folders: [] };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function cannotFetch() {
  if (process.platform !== 'linux' || !existsSync('/etc/debian_version')) return 'not Debian';
  const missing = ['apt-get', 'tar', 'gzip', 'bzip2', 'xz'].filter((command) => !hasCommand(command));
  return missing.length === 0 ? '' : `not installed: ${missing.join(', ')}`;
}

/**
 * Fetches the source packages `names` into `work`.
 * @param {string} work
 * @param {string[]} names
 */
function fetchSources(work, names) {
  for (const folder of ['lists/partial', 'cache/archives/partial', 'source']) mkdirSync(join(work, folder), { recursive: true });
  const sources = join(work, 'sources.list');
  const signed = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : '';
  writeFileSync(sources, `deb-src ${signed}${mirrorAndSuite()} main\n`);
  const settings = [
    `Dir::Etc::SourceList=${sources}`, 'Dir::Etc::SourceParts=-', `Dir::State::Lists=${join(work, 'lists')}`, `Dir::Cache=${join(work, 'cache')}`,
    'APT::Sandbox::User=', 'Acquire::Retries=2', 'Acquire::http::Timeout=30',
  ].flatMap((setting) => ['-o', setting]);
  run('apt-get', ['-qq', ...settings, 'update'], work);
  run('apt-get', ['-qq', ...settings, 'source', '--download-only', ...names], join(work, 'source'));
}

/** The address and the suite that the system's own packages come from. */
function mirrorAndSuite() {
  const codename = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const targets = run('apt-get', ['indextargets', '--format', '$(REPO_URI) $(RELEASE) $(COMPONENT)', 'Created-By: Packages'], root);
  const main = targets.split('\n').find((line) => line.endsWith(` ${codename} main`));
  if (main === undefined) throw new Error(`apt knows no source of ${codename}`);
  return main.slice(0, -' main'.length);
}

/**
 * Takes the captures out of a source package: all, or none.
 * @param {string} work
 * @param {string} name
 * @param {string} place
 */
function unpack(work, name, place) {
  const source = join(work, 'source');
  const archive = readdirSync(source).find((file) => file.startsWith(`${name}_`) && /\.orig\.tar\.(gz|bz2|xz)$/.test(file));
  if (archive === undefined) throw new Error(`${name}: no source archive`);
  const folder = join(work, name);
  mkdirSync(folder);
  const depth = place.split('/').length + 1;
  run('tar', ['-x', '-f', join(source, archive), '-C', folder, `--strip-components=${depth}`, '--wildcards', `*/${place}/*`], work);
  try {
    renameSync(folder, join(CAPTURES, name));
  } catch (error) {
    // Somebody else may have been faster: the same files are there.
    if (!existsSync(join(CAPTURES, name))) throw error;
  }
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 */
function run(command, args, cwd) {
  const env = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
  const done = spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: PATIENCE, maxBuffer: 64 << 20 });
  if (done.status === 0) return done.stdout;
  const why = done.error?.message ?? done.stderr.trim().split('\n')[0];
  throw new Error(`${command} ${args.find((arg) => !arg.startsWith('-')) ?? ''}: ${why}`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { missing, folders } = debianCaptures();
  process.stdout.write(missing === '' ? `${folders.join('\n')}\n` : '');
  if (missing !== '') process.stderr.write(`no captures: ${missing}\n`);
  process.exitCode = missing === '' ? 0 : 1;
}
