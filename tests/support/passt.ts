// passt as a peer: a namespace is the machine, its processes and addresses the machine's own; passt lends its sockets to whoever
// speaks Ethernet behind a 4-byte length on its Unix socket. Here that is a host of ours.
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingForPasst } from '../../scripts/needs.mjs';
import { createNetns, eventually, nsIp, nsSpawn, nsWriteSysctl, type Netns } from './netns.ts';

/** Why passt cannot run here; empty if it can. */
export const missingPasst = missingForPasst();

/** The machine's address, which the guest shares, and its router. */
export const MACHINE = '192.0.2.10';
export const ROUTER = '192.0.2.1';
/** An address of the machine that the guest does not have. */
export const SERVICE = '198.51.100.1';

export interface Passt {
  readonly ns: Netns;
  readonly socket: Socket;
}

/**
 * Makes the machine and starts passt in it, ports `forwarded` (comma-separated) of the machine led to the guest. Returns the
 * stream to it; deleteNetns() ends it.
 */
export async function startPasst(purpose: string, forwarded: string): Promise<Passt> {
  const ns = createNetns(purpose);
  nsIp(ns, 'tuntap', 'add', 'wan0', 'mode', 'tap');
  nsIp(ns, 'address', 'add', `${MACHINE}/24`, 'dev', 'wan0');
  nsIp(ns, 'link', 'set', 'wan0', 'up');
  nsIp(ns, 'route', 'add', 'default', 'via', ROUTER);
  nsIp(ns, 'address', 'add', `${SERVICE}/32`, 'dev', 'lo');
  nsWriteSysctl(ns, 'net.ipv4.ping_group_range', '0 0');
  const path = join(tmpdir(), `${ns.name}.sock`);
  rmSync(path, { force: true });
  nsSpawn(ns, 'passt', '--foreground', '--quiet', '--one-off', '--runas', '0', '--ipv4-only', '--socket', path, '--tcp-ports', forwarded, '--udp-ports', forwarded);
  await eventually('passt is there', () => existsSync(path));
  const socket = await connected(path);
  socket.once('close', () => rmSync(path, { force: true }));
  return { ns, socket };
}

/** Connects; tries again while passt has bound its socket and does not listen yet. */
async function connected(path: string): Promise<Socket> {
  for (let attempts = 0; ; attempts++) {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (attempts === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
