/*
 * Bulk over TAP: our host sends to the kernel's TCP, in a network namespace made for it and taken away afterwards.
 * Interleaved with node:net over that namespace's loopback.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createWorld } from '@stack/kernel';
import { realClock } from '@stack/kernel/real-clock';
import { createHost, type Host } from '@stack/host';
import { inAton, SockAddrIn } from '@stack/inet-sock';
import { openTap } from '@stack/nic-tap';
import { PF_INET, SOCK_STREAM, sysCall, sysClose, sysConnect, sysSocket, sysWrite } from '@stack/socket';
import { block, BLOCK, verify } from './pattern.ts';
import type { Comparison } from './stats.ts';

const MACHINE = '10.9.0.1';

/** Why it cannot be measured here; empty if it can. */
export function missingForTap(): string {
  if (process.platform !== 'linux') return 'not Linux';
  return process.getuid?.() === 0 ? '' : 'not root';
}

/** Runs this program again with `args` in a new namespace, whose loopback is up, and parses the JSON that it prints. */
export function inNamespace(args: readonly string[]): { tap: Comparison } {
  const name = `stack-bench-${process.pid}`;
  execFileSync('ip', ['netns', 'add', name]);
  try {
    execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    const script = process.argv[1] ?? '';
    const output = execFileSync('ip', ['netns', 'exec', name, process.execPath, ...process.execArgv, script, ...args], { encoding: 'utf8' });
    return JSON.parse(output) as { tap: Comparison };
  } finally {
    execFileSync('ip', ['netns', 'delete', name]);
  }
}

/** Our host on a TAP of this namespace, with Linux at the other end. */
export function buildTapHost(): Host {
  const world = createWorld({ clock: realClock() });
  return createHost({
    world,
    name: 'tap',
    nics: [{ device: (net) => openTap(net, { name: 'bench0', peer: { address: `${MACHINE}/24` } }), address: '10.9.0.2/24' }],
  });
}

/** Sends `total` octets to the kernel's TCP, verified there. */
export async function tapBulk(host: Host, total: number): Promise<void> {
  const server = createServer();
  server.listen({ port: 0, host: MACHINE });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const arrived = new Promise<void>((resolve, reject) => {
    server.once('connection', (socket) => {
      let received = 0;
      socket.on('error', reject);
      socket.on('data', (chunk) => {
        verify(chunk, received);
        received += chunk.length;
      });
      socket.on('end', () => (received === total ? resolve() : reject(new Error(`${received} of ${total} octets arrived`))));
    });
  });
  const { task } = host;
  const fd = sysCall(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
  await sysCall(sysConnect(task, fd, new SockAddrIn(inAton(MACHINE), port)), 'connect');
  for (let sent = 0; sent < total; sent += BLOCK) sysCall(await sysWrite(task, fd, block), 'write');
  sysClose(task, fd);
  await arrived;
  server.close();
}
