// What the levels of the test suite need from the machine, and what of it is missing here.
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The Debian package that brings a command, where its name is another. */
const packageOf = /** @type {Record<string, string>} */ ({
  ip: 'iproute2', ss: 'iproute2', nstat: 'iproute2', sysctl: 'procps', ping: 'iputils-ping', scapy: 'python3-scapy', 'qemu-system-x86_64': 'qemu-system-x86', busybox: 'busybox-static',
  dhclient: 'isc-dhcp-client', dig: 'bind9-dnsutils', dnsmasq: 'dnsmasq-base',
});

/** @param {string} command */
export function hasCommand(command) {
  const path = `${process.env['PATH'] ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`;
  return path.split(delimiter).some((directory) => directory !== '' && existsSync(join(directory, command)));
}

/** @param {string[]} commands */
export function missingCommands(commands) {
  const missing = commands.filter((command) => !hasCommand(command));
  if (missing.length === 0) return '';
  return `not installed: ${missing.join(', ')} (apt-get install ${missing.map((command) => packageOf[command] ?? command).join(' ')})`;
}

/** Why no TAP can be opened here; empty if one can. */
export function missingForTun() {
  if (process.platform !== 'linux') return 'not Linux';
  if (process.getuid?.() !== 0) return 'not root';
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch {
    return 'no /dev/net/tun';
  }
  return '';
}

/** Why the real-Linux level cannot run here; empty if it can. */
export function missingForReal() {
  return missingForTun() || missingCommands(['ip', 'ss', 'ping', 'curl', 'ncat', 'tshark']);
}

/** Chromium's binary; null if none is here. CHROMIUM in the environment goes first. */
export function chromium() {
  const places = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  return places.find((place) => place !== undefined && existsSync(place)) ?? null;
}

/** Why the browser level cannot run here; empty if it can. */
export function missingForBrowser() {
  return chromium() === null ? 'no Chromium (apt-get install chromium, or CHROMIUM=/path/to/it)' : '';
}

/** The busybox of a guest's initramfs: the one that needs no library. */
export const busybox = '/bin/busybox';

/** Why no Linux guest can run in QEMU here; empty if one can. apt-get fetches its kernel; nobody need be root. */
export function missingForGuest() {
  if (process.platform !== 'linux') return 'not Linux';
  return missingCommands(['qemu-system-x86_64', 'busybox', 'apt-get', 'dpkg-deb']);
}

/** Why passt cannot run in a namespace here; empty if it can. */
export function missingForPasst() {
  const missing = missingForReal();
  return missing === '' ? missingCommands(['passt']) : missing;
}
