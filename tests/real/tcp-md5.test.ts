// RFC 2385 against Linux: TCP_MD5SIG and TCP_MD5SIG_EXT, its clients at our server and ours at its.
import { fileURLToPath } from 'node:url';
import { SockAddrIn, inAton } from '@stack/inet-sock';
import { snmpSnapshot } from '@stack/kernel';
import {
  PF_INET, SHUT_WR, SOCK_STREAM, SOL_TCP, sysAccept, sysBind, sysClose, sysConnect, sysListen, sysRead, sysSetsockopt, sysShutdown, sysSocket, sysWrite,
} from '@stack/socket';
import { TCP_MD5SIG, TCP_MD5SIG_EXT, TCP_MD5SIG_FLAG_PREFIX, TcpMd5sig } from '@stack/tcp';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeRealWith, nextLine, nsRun, nsSpawn } from '../support/netns.ts';
import { OURS, PEER, realHost, type RealHost } from '../support/real-host.ts';

const script = fileURLToPath(new URL('../support/md5-peer.py', import.meta.url));
const PORT = 179;
let real: RealHost;

const addr = (text: string, port = 0): SockAddrIn => new SockAddrIn(inAton(text), port);
const count = (name: string): number => snmpSnapshot(real.host.net)[`TcpExt${name}`] ?? 0;

function setKey(fd: number, peer: string, text: string, prefixlen = 32): void {
  const ext = prefixlen !== 32;
  const value = new TcpMd5sig(addr(peer), new TextEncoder().encode(text), ext ? TCP_MD5SIG_FLAG_PREFIX : 0, prefixlen);
  expect(sysSetsockopt(real.host.task, fd, SOL_TCP, ext ? TCP_MD5SIG_EXT : TCP_MD5SIG, value)).toBe(0);
}

/** Echoes one connection of a listener with the key until its end. */
async function serve(text: string, peer: string, prefixlen: number): Promise<void> {
  const { task } = real.host;
  const lfd = sysSocket(task, PF_INET, SOCK_STREAM, 0);
  setKey(lfd, peer, text, prefixlen);
  expect([sysBind(task, lfd, addr(OURS, PORT)), sysListen(task, lfd, 8)]).toEqual([0, 0]);
  const fd = await sysAccept(task, lfd);
  const buf = new Uint8Array(65536);
  for (let n = await sysRead(task, fd, buf); n > 0; n = await sysRead(task, fd, buf)) await sysWrite(task, fd, buf.subarray(0, n));
  sysClose(task, fd);
}

/** Connects to Linux's echo server and has `length` octets echoed. How many came back as they were. */
async function ask(text: string, length: number): Promise<number> {
  const { task } = real.host;
  const fd = sysSocket(task, PF_INET, SOCK_STREAM, 0);
  setKey(fd, PEER, text);
  const error = await sysConnect(task, fd, addr(PEER, PORT));
  if (error !== 0) return error;
  const data = Uint8Array.from({ length }, (_, i) => (i * 7) & 255);
  const sending = (async () => {
    await sysWrite(task, fd, data);
    sysShutdown(task, fd, SHUT_WR);
  })();
  const back = new Uint8Array(length + 1);
  let got = 0;
  for (let n = 1; n > 0; got += n) n = await sysRead(task, fd, back.subarray(got));
  await sending;
  sysClose(task, fd);
  return back.subarray(0, length).every((byte, i) => byte === data[i]) ? got : -1;
}

describeRealWith(['python3'], 'TCP_MD5SIG', () => {
  beforeEach(({ task }) => {
    real = realHost(`MD5, ${task.name}`, {});
  });
  afterEach(() => real.close());

  test.each([['TCP_MD5SIG', PEER, 32], ['TCP_MD5SIG_EXT with a prefix', '10.99.0.0', 16]] as const)('Linux’s client at our server: %s', async (_name, peer, prefixlen) => {
    void serve('secret', peer, prefixlen);
    expect((await nsRun(real.ns, 'python3', script, 'client', OURS, String(PORT), 'secret', '300000')).trim()).toBe('SAME');
    expect([count('TCPMD5Failure'), count('TCPMD5NotFound'), count('TCPMD5Unexpected')]).toEqual([0, 0, 0]);
  });

  test.each([[OURS, []], ['10.99.0.0', ['16']]] as const)('our client at Linux’s server with a key for %s', async (peer, prefix) => {
    const child = nsSpawn(real.ns, 'python3', script, 'echo', PEER, String(PORT), 'secret', peer, ...prefix);
    expect(await nextLine(child)).toBe('READY');
    expect(await ask('secret', 300_000)).toBe(300_000);
    expect([count('TCPMD5Failure'), count('TCPMD5NotFound'), count('TCPMD5Unexpected')]).toEqual([0, 0, 0]);
  });

  test('Linux’s client with another key, and without one: no answer', async () => {
    void serve('secret', PEER, 32);
    expect(await nsRun(real.ns, 'python3', script, 'client', OURS, String(PORT), 'guess', '10')).toMatch(/^ERROR timed out/);
    expect(count('TCPMD5Failure')).toBeGreaterThan(0);
    expect(await nsRun(real.ns, 'python3', script, 'client', OURS, String(PORT), '', '10')).toMatch(/^ERROR timed out/);
    expect(count('TCPMD5NotFound')).toBeGreaterThan(0);
  });
});
