// 1 GiB each way between Linux and us, every octet hashed on both sides. Each capture holds the first part of a transfer.
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inAton, SockAddrIn } from '@stack/inet-sock';
import {
  PF_INET, SHUT_WR, SOCK_STREAM, sysAccept, sysBind, sysCall, sysClose, sysConnect, sysListen, sysRead, sysShutdown, sysSocket, sysWrite,
  type Task,
} from '@stack/socket';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { describeReal, eventually, nsIpJson, nsRun, nsText } from '../support/netns.ts';
import { OURS, PEER, realHost, type RealHost } from '../support/real-host.ts';

const MIB = 1 << 20;
const PORT = 9;

const block = new Uint8Array(MIB).map((_, i) => Math.imul(i, 0x9e3779b1) >>> 13);

/** MiB number `i` of the stream: no two are equal. The same memory each time. */
function blockOf(i: number): Uint8Array {
  new DataView(block.buffer).setUint32(0, i);
  return block;
}

/** The stream's first `mib` MiB in a file, for Linux to send, and their SHA-256. */
function writeStream(file: string, mib: number): string {
  const hash = createHash('sha256');
  const fd = openSync(file, 'w');
  for (let i = 0; i < mib; i++) {
    hash.update(blockOf(i));
    writeSync(fd, block);
  }
  closeSync(fd);
  return hash.digest('hex');
}

/** Reads to the end. Returns the SHA-256 of all that came. */
async function receive(task: Task, fd: number): Promise<string> {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(MIB);
  for (;;) {
    const count = sysCall(await sysRead(task, fd, buffer), 'read');
    if (count === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, count));
  }
}

function tcpSocket(task: Task): number {
  return sysCall(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
}

describeReal.each([
  ['MTU 1500, segmentation left to the TAP', { mtu: 1500 }, 1024],
  ['MTU 9000, segmentation left to the TAP', { mtu: 9000 }, 1024],
  ['MTU 1500, every segment and checksum made here', { mtu: 1500, offloads: false }, 32],
  ['MTU 9000, every segment and checksum made here', { mtu: 9000, offloads: false }, 32],
])('bulk, %s', (name, options, mib) => {
  let directory: string;
  let file: string;
  let sum: string;
  let real: RealHost;

  beforeAll(() => {
    directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'stack-bulk-'));
    file = join(directory, 'stream');
    sum = writeStream(file, mib);
  });
  afterAll(() => rmSync(directory, { recursive: true }));
  afterEach(() => real.close());

  function start(direction: string): Task {
    real = realHost(`bulk ${direction}, ${name}`, { ...options, captureLimit: 16 * MIB, debug: false });
    return real.host.task;
  }

  /** Prints the rate, and this process's share of it: the machine may have others to serve. */
  function report(direction: string, started: number, cpu: NodeJS.CpuUsage): void {
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const retransmitted = real.host.show.counters()['TcpRetransSegs'] ?? 0;
    const rate = ((mib * MIB) / seconds / 1e6).toFixed(0);
    console.log(`${mib} MiB ${direction}, ${name}: ${rate} MB/s in ${seconds.toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s of CPU, ${retransmitted} segments again`);
  }

  /** A TAP keeps the order: only what Linux has dropped for want of room may come late. */
  function expectInOrder(): void {
    const late = real.host.show.counters()['TcpExtTCPOFOQueue'];
    const [link] = nsIpJson(real.ns, '-s', 'link', 'show', 'dev', real.dev.name) as unknown as { stats64: { tx: { dropped: number } } }[];
    if (link?.stats64.tx.dropped === 0) expect(late, 'segments out of order').toBe(0);
  }

  test(`${mib} MiB from Linux to us`, async () => {
    const task = start('from Linux');
    const listener = tcpSocket(task);
    sysCall(sysBind(task, listener, new SockAddrIn(0, PORT)), 'bind');
    sysCall(sysListen(task, listener, 1), 'listen');
    const started = performance.now();
    const cpu = process.cpuUsage();
    const sending = nsRun(real.ns, 'sh', '-c', `ncat --send-only ${OURS} ${PORT} <${file}`);
    const fd = sysCall(await sysAccept(task, listener, null, 0), 'accept');
    expect(await receive(task, fd)).toBe(sum);
    report('from Linux', started, cpu);
    expectInOrder();
    sysClose(task, fd);
    await sending;
  });

  test(`${mib} MiB from us to Linux`, async () => {
    const task = start('to Linux');
    const hashing = nsRun(real.ns, 'sh', '-c', `ncat -l ${PORT} --recv-only | sha256sum`);
    await eventually('ncat listens', () => nsText(real.ns, 'ss', '-Htln').includes(`:${PORT} `));
    const fd = tcpSocket(task);
    sysCall(await sysConnect(task, fd, new SockAddrIn(inAton(PEER), PORT)), 'connect');
    const started = performance.now();
    const cpu = process.cpuUsage();
    for (let i = 0; i < mib; i++) expect(sysCall(await sysWrite(task, fd, blockOf(i)), 'write')).toBe(MIB);
    sysCall(sysShutdown(task, fd, SHUT_WR), 'shutdown');
    expect(await hashing).toBe(`${sum}  -\n`);
    report('to Linux', started, cpu);
    sysClose(task, fd);
  });
});
