// A Linux guest in QEMU as a peer that needs no root: Debian's cloud kernel, busybox, and an /init that the test writes. Its NIC's
// frames come over a Unix socket (`-netdev stream`); what it prints on its serial line comes line by line.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { gzipSync } from 'node:zlib';
import { busybox, missingForGuest } from '../../scripts/needs.mjs';
import { CHARACTER_DEVICE, DIRECTORY, EXECUTABLE, FILE, cpio, type CpioEntry } from './cpio.ts';
import { filesBelow, root } from './workspace.ts';

/** Why no guest can run here; empty if one can. */
export const missingGuest = missingForGuest();

/** A guest that has not said a thing for so long will not. */
const PATIENCE_MS = 45_000;

const cache = join(root, '.cache', 'guest');
/** The cloud kernel's newest version, by dependency. */
const META = 'linux-image-cloud-amd64';

/** What virtio_net needs, in the order in which each finds what it needs loaded: the package has no modules.dep. */
const modules = ['virtio_ring', 'virtio', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci', 'failover', 'net_failover', 'virtio_net'];

const prologue = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
(sleep 300; poweroff -f) &
for module in ${modules.join(' ')}; do insmod /lib/$module.ko; done
`;

/** Debian's cloud kernel, unpacked; fetched once. */
function fetchKernel(): string {
  const unpacked = join(cache, 'root');
  if (filesBelow(unpacked, 'virtio_net.ko').length > 0) return unpacked;
  mkdirSync(cache, { recursive: true });
  try {
    downloadKernel();
  } catch (error) {
    if (process.getuid?.() !== 0) throw error;
    execFileSync('apt-get', ['update', '-q'], { stdio: 'pipe' }); // what it knows of Debian is too old
    downloadKernel();
  }
  const deb = readdirSync(cache).find((file) => file.endsWith('.deb')) ?? '';
  execFileSync('dpkg-deb', ['--extract', deb, 'root'], { cwd: cache, stdio: 'pipe' });
  rmSync(join(cache, deb));
  return unpacked;
}

/** A module of the guest's kernel beyond those for its NIC, as a file for bootGuest(): `insmod /lib/NAME.ko` in the script loads it. */
export function guestModules(...names: readonly string[]): Record<string, Uint8Array> {
  const built = filesBelow(join(fetchKernel(), 'lib'), '.ko');
  return Object.fromEntries(names.map((name) => {
    const file = built.find((path) => basename(path) === `${name}.ko`);
    if (file === undefined) throw new Error(`${META} has no module ${name}`);
    return [`lib/${name}.ko`, readFileSync(file)];
  }));
}

function downloadKernel(): void {
  const depends = execFileSync('apt-cache', ['depends', META], { encoding: 'utf8', stdio: 'pipe' });
  const name = /Depends: (linux-image-\S+-cloud-amd64)/.exec(depends)?.[1] ?? META;
  execFileSync('apt-get', ['download', name], { cwd: cache, stdio: 'pipe' });
}

function initramfs(kernel: string, script: string, files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const built = filesBelow(join(kernel, 'lib'), '.ko');
  const directories = ['bin', 'dev', 'lib', 'proc', 'www'].map((name): CpioEntry => ({ name, mode: DIRECTORY }));
  const objects = modules.map((module): CpioEntry => {
    const file = built.find((path) => basename(path) === `${module}.ko`);
    if (file === undefined) throw new Error(`${META} has no module ${module}`);
    return { name: `lib/${module}.ko`, mode: FILE, data: readFileSync(file) };
  });
  return cpio([
    ...directories, ...objects,
    { name: 'dev/console', mode: CHARACTER_DEVICE, device: [5, 1] },
    { name: 'dev/null', mode: CHARACTER_DEVICE, device: [1, 3] },
    { name: 'bin/busybox', mode: EXECUTABLE, data: readFileSync(busybox) },
    { name: 'init', mode: EXECUTABLE, data: `${prologue}${script}\npoweroff -f\n` },
    ...Object.entries(files).map(([name, data]): CpioEntry => ({ name, mode: FILE, data })),
  ]);
}

/** A guest that runs. */
export interface Guest {
  readonly child: ChildProcess;
  /** Resolves with what follows `word` on the first line, past or to come, that begins with it. Rejects if it does not come. */
  readonly says: (word: string) => Promise<string>;
}

/** Boots a guest whose /init is `script`, with `files` in it; its NIC connects to the Unix socket `socket`. */
export function bootGuest(socket: string, script: string, files: Readonly<Record<string, Uint8Array>> = {}): Guest {
  const kernel = fetchKernel();
  const boot = join(kernel, 'boot');
  const initrd = join(cache, `initrd-${process.pid}`);
  writeFileSync(initrd, gzipSync(initramfs(kernel, script, files), { level: 1 }));
  const child = spawn('qemu-system-x86_64', [
    '-accel', 'tcg', '-machine', 'q35', '-m', '256', '-nodefaults', '-no-reboot', '-display', 'none', '-serial', 'stdio',
    '-kernel', join(boot, readdirSync(boot).find((name) => name.startsWith('vmlinuz')) ?? ''), '-initrd', initrd,
    '-append', 'console=ttyS0 quiet panic=-1 tsc=reliable no_timer_check mitigations=off',
    '-netdev', `stream,id=n,server=off,addr.type=unix,addr.path=${socket}`, '-device', 'virtio-net-pci,netdev=n,romfile=',
  ], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.once('close', () => rmSync(initrd, { force: true }));
  return { child, says: listen(child) };
}

function listen(child: ChildProcess): Guest['says'] {
  const lines: string[] = [];
  const heard = new EventEmitter();
  const take = (line: string): void => {
    lines.push(line.trim());
    heard.emit('line');
  };
  for (const output of [child.stdout, child.stderr]) if (output !== null) createInterface(output).on('line', take);
  child.once('close', () => heard.emit('line'));
  return async (word) => {
    const late = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const line = lines.find((text) => text.startsWith(`${word} `));
      if (line !== undefined) return line.slice(word.length + 1);
      const ended = child.exitCode !== null || child.signalCode !== null;
      if (ended || late.aborted) throw new Error(`the guest has ${ended ? 'ended' : 'not yet'} without '${word}':\n${lines.join('\n')}`);
      await once(heard, 'line', { signal: late }).catch(() => undefined);
    }
  };
}
