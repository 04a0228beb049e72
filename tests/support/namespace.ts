// Network namespaces of Linux: making one, commands in it, an interface for it.
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A network namespace, named after this process so that runs do not meet. */
export class Netns {
  name: string;
  children: ChildProcess[];

  constructor(name: string) {
    this.name = name;
    this.children = [];
  }
}

/** Makes a namespace with its loopback device up. */
export function createNetns(purpose: string): Netns {
  const ns = new Netns(`stack-${process.pid}-${purpose}`);
  ip('netns', 'add', ns.name);
  ip('netns', 'exec', ns.name, 'sysctl', '-q', '-w', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1');
  nsIp(ns, 'link', 'set', 'lo', 'up');
  return ns;
}

/** Ends what runs in the namespace and deletes it, with the interfaces in it. */
export function deleteNetns(ns: Netns): void {
  for (const child of ns.children) child.kill('SIGKILL');
  ip('netns', 'delete', ns.name);
}

/** Runs `ip`. */
export function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' });
}

/** Runs `ip` in the namespace. */
export function nsIp(ns: Netns, ...args: string[]): string {
  return ip('-n', ns.name, ...args);
}

/** `ip -j …` in the namespace, parsed. */
export function nsIpJson(ns: Netns, ...args: string[]): Record<string, unknown>[] {
  const text = ip('-n', ns.name, '-j', ...args);
  return text.trim() === '' ? [] : (JSON.parse(text) as Record<string, unknown>[]);
}

/** Runs a short command in the namespace that does not need us to answer. Returns what it printed. */
export function nsText(ns: Netns, file: string, ...args: string[]): string {
  return ip('netns', 'exec', ns.name, file, ...args);
}

/** Sets a sysctl of the namespace. */
export function nsWriteSysctl(ns: Netns, name: string, value: string): void {
  nsText(ns, 'sysctl', '-q', '-w', `${name}=${value}`);
}

/** Runs a command in the namespace to its end, without blocking this process, which is the other side. Returns what it printed. */
export async function nsRun(ns: Netns, file: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('ip', ['netns', 'exec', ns.name, file, ...args], { encoding: 'utf8', maxBuffer: 64 << 20 });
  return stdout;
}

/** What a command has printed, as far as nobody has asked for it. */
class Output {
  text = '';
  status: number | null = null;
  ended = false;
  changed: () => void = () => undefined;
}

const outputs = new WeakMap<ChildProcess, Output>();

/** Starts a command in the namespace; deleteNetns() ends it if it still runs. */
export function nsSpawn(ns: Netns, file: string, ...args: string[]): ChildProcess {
  const child = spawn('ip', ['netns', 'exec', ns.name, file, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const output = new Output();
  outputs.set(child, output);
  ns.children.push(child);
  child.stdout.on('data', (chunk: Buffer) => {
    output.text += chunk.toString();
    output.changed();
  });
  child.once('close', (status) => {
    output.ended = true;
    output.status = status;
    output.changed();
  });
  child.stdin.on('error', () => undefined); // it has ended: who waits for its output hears of that
  return child;
}

/** Starts tests/support/linux-peer.mjs in the namespace. */
export function nsPeer(ns: Netns, ...args: (string | number)[]): ChildProcess {
  return nsSpawn(ns, process.execPath, fileURLToPath(new URL('./linux-peer.mjs', import.meta.url)), ...args.map(String));
}

/** Resolves with the next line that a command prints; fails if it ends first, or after `seconds`. */
export function nextLine(child: ChildProcess, seconds = 10): Promise<string> {
  const output = outputs.get(child)!;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no line in ${seconds} s, only ${JSON.stringify(output.text)}`)), seconds * 1000);
    output.changed = () => {
      const end = output.text.indexOf('\n');
      if (end < 0 && !output.ended) return;
      clearTimeout(timer);
      output.changed = () => undefined;
      if (end < 0) reject(new Error(`ended with status ${output.status}, having said ${JSON.stringify(output.text)}`));
      resolve(output.text.slice(0, Math.max(end, 0)));
      output.text = output.text.slice(end + 1);
    };
    output.changed();
  });
}

/** Waits until `check` says so; fails after `seconds`. For what Linux does in its own time. */
export async function eventually(what: string, check: () => boolean, seconds = 10): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!check()) {
    if (Date.now() > end) throw new Error(`not in ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Moves an interface of this process's namespace into `ns`, gives it an address and brings it up. */
export function plug(ns: Netns, name: string, address: string, mtu = 1500): void {
  ip('link', 'set', name, 'netns', ns.name);
  nsIp(ns, 'link', 'set', name, 'mtu', String(mtu), 'txqueuelen', '4096');
  nsIp(ns, 'address', 'add', address, 'dev', name);
  nsIp(ns, 'link', 'set', name, 'up');
}
