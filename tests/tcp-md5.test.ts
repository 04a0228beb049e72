// RFC 2385 between hosts of ours: TCP_MD5SIG on both ends, on one, with other keys; and what it does to resets and time-wait socks.
import { assertNothingOpen, createHost, virtioOn, type Host } from '@stack/host';
import { SockAddrIn, inAton } from '@stack/inet-sock';
import { EINPROGRESS, EINVAL, ENOENT, createWorld, sleep, snmpSnapshot, type World } from '@stack/kernel';
import { NF_ACCEPT, NF_INET_LOCAL_IN, NFPROTO_IPV4, nfRegisterNetHook } from '@stack/netfilter';
import { createSwitch } from '@stack/nic-virtio-sim';
import { leakReport, type SkBuff } from '@stack/skbuff';
import {
  PF_INET, SHUT_WR, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET, SOL_TCP, SO_LINGER, sysAccept, sysBind, sysClose, sysConnect, sysGetsockopt, sysListen,
  sysRead, sysSetsockopt, sysShutdown, sysSocket, sysWrite,
} from '@stack/socket';
import { TCPI_OPT_TIMESTAMPS, TCP_INFO, TCP_MD5SIG, TCP_MD5SIG_EXT, TCP_MD5SIG_FLAG_PREFIX, TcpMd5sig, type TcpInfo } from '@stack/tcp';
import { afterEach, beforeEach, expect, test } from 'vitest';

const A = '10.0.0.1';
const B = '10.0.0.2';
let world: World;
let a: Host;
let b: Host;
/** Segments that came to each host: their flags, and whether they were signed. */
let seen: { to: string; flags: number; signed: boolean }[];

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const addr = (text: string, port = 0): SockAddrIn => new SockAddrIn(inAton(text), port);
const count = (host: Host, name: string): number => snmpSnapshot(host.net)[`TcpExt${name}`] ?? 0;

function look(host: Host, name: string): void {
  nfRegisterNetHook(host.net, {
    hook: (_priv, skb: SkBuff) => {
      const th = skb.networkHeader + 20;
      const options = skb.buf.subarray(th + 20, th + ((skb.buf[th + 12] ?? 0) >> 4) * 4);
      seen.push({ to: name, flags: skb.buf[th + 13] ?? 0, signed: options.includes(19) && options[options.indexOf(19) + 1] === 18 });
      return NF_ACCEPT;
    },
    pf: NFPROTO_IPV4, hooknum: NF_INET_LOCAL_IN, priority: 0, priv: null,
  });
}

beforeEach(() => {
  world = createWorld({ debug: true, seed: 1 });
  const lan = createSwitch(world);
  a = createHost({ world, name: 'a', nics: [{ device: virtioOn(lan, {}), address: `${A}/24` }] });
  b = createHost({ world, name: 'b', nics: [{ device: virtioOn(lan, {}), address: `${B}/24` }] });
  seen = [];
  look(a, 'a');
  look(b, 'b');
});

afterEach(async () => {
  await a.close();
  await b.close();
  assertNothingOpen(world);
  expect(leakReport(world)).toEqual([]);
  expect(world.panics).toEqual([]);
});

function key(host: Host, fd: number, peer: string, text: string, prefixlen?: number): number {
  const value = new TcpMd5sig(addr(peer), bytes(text), prefixlen === undefined ? 0 : TCP_MD5SIG_FLAG_PREFIX, prefixlen ?? 0);
  return sysSetsockopt(host.task, fd, SOL_TCP, prefixlen === undefined ? TCP_MD5SIG : TCP_MD5SIG_EXT, value);
}

function server(): number {
  const fd = sysSocket(a.task, PF_INET, SOCK_STREAM, 0);
  expect([sysBind(a.task, fd, addr('0.0.0.0', 179)), sysListen(a.task, fd, 8)]).toEqual([0, 0]);
  return fd;
}

function client(): number {
  return sysSocket(b.task, PF_INET, SOCK_STREAM, 0);
}

async function open(lfd: number, fd: number): Promise<number> {
  const accepted = sysAccept(a.task, lfd);
  expect(await sysConnect(b.task, fd, addr(A, 179))).toBe(0);
  return await accepted;
}

/** 100 KB there, all of them back, and both ends closed. */
async function echo(sfd: number, fd: number): Promise<void> {
  const data = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) & 255);
  const buf = new Uint8Array(data.length);
  const reading = (async () => {
    let got = 0;
    for (let n = 1; n > 0; got += n) n = await sysRead(a.task, sfd, buf.subarray(got));
    await sysWrite(a.task, sfd, buf.subarray(0, got));
    sysClose(a.task, sfd);
  })();
  expect(await sysWrite(b.task, fd, data)).toBe(data.length);
  sysShutdown(b.task, fd, SHUT_WR);
  const back = new Uint8Array(data.length + 1);
  let got = 0;
  for (let n = 1; n > 0; got += n) n = await sysRead(b.task, fd, back.subarray(got));
  await reading;
  expect(back.subarray(0, got)).toEqual(data);
  sysClose(b.task, fd);
}

test('RFC 2385: with the key on both ends every segment is signed, SYN to the last ACK, and data goes both ways', async () => {
  const lfd = server();
  const fd = client();
  expect([key(a, lfd, B, 'secret'), key(b, fd, A, 'secret')]).toEqual([0, 0]);
  const sfd = await open(lfd, fd);
  const info = sysGetsockopt(b.task, fd, SOL_TCP, TCP_INFO) as TcpInfo;
  // Timestamps have no place beside the signature in a SYN.
  expect(info.tcpiOptions & TCPI_OPT_TIMESTAMPS).toBe(0);
  await echo(sfd, fd);
  await sleep(world, 1000);
  expect(seen.filter(({ signed }) => !signed)).toEqual([]);
  expect(seen.length).toBeGreaterThan(100);
  for (const host of [a, b]) expect([count(host, 'TCPMD5Failure'), count(host, 'TCPMD5NotFound'), count(host, 'TCPMD5Unexpected')]).toEqual([0, 0, 0]);
});

test('another key: nothing is answered, TCPMD5Failure counts; the right one later connects', async () => {
  const lfd = server();
  const fd = client();
  key(a, lfd, B, 'secret');
  key(b, fd, A, 'guess');
  const connecting = sysConnect(b.task, fd, addr(A, 179));
  await sleep(world, 500);
  expect(count(a, 'TCPMD5Failure')).toBe(1);
  expect(seen.filter(({ to }) => to === 'b')).toEqual([]);
  key(a, lfd, B, 'guess');
  expect(await connecting).toBe(0);
});

test('no signature where a key is set: TCPMD5NotFound; a signature where none is: TCPMD5Unexpected; no answer to either', async () => {
  const keyed = server();
  key(a, keyed, B, 'secret');
  const fd = sysSocket(b.task, PF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  expect(sysConnect(b.task, fd, addr(A, 179))).toBe(-EINPROGRESS);
  await sleep(world, 500);
  expect(count(a, 'TCPMD5NotFound')).toBe(1);
  expect(key(a, keyed, B, '')).toBe(0);
  const signed = sysSocket(b.task, PF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  key(b, signed, A, 'secret');
  expect(sysConnect(b.task, signed, addr(A, 179))).toBe(-EINPROGRESS);
  await sleep(world, 100);
  expect(count(a, 'TCPMD5Unexpected')).toBe(1);
  expect(seen.filter(({ to }) => to === 'b')).toEqual([]);
});

test('TCP_MD5SIG_EXT: the key with the longest prefix that fits is the peer’s', async () => {
  const lfd = server();
  const fd = client();
  expect([key(a, lfd, '10.0.0.0', 'net', 8), key(a, lfd, '10.0.0.0', 'lan', 24), key(a, lfd, '10.0.1.0', 'other', 24)]).toEqual([0, 0, 0]);
  key(b, fd, A, 'lan');
  await echo(await open(lfd, fd), fd);
  expect(count(a, 'TCPMD5Failure')).toBe(0);
});

test('the reset that ends a connection is signed', async () => {
  const lfd = server();
  const fd = client();
  key(a, lfd, B, 'secret');
  key(b, fd, A, 'secret');
  const sfd = await open(lfd, fd);
  sysSetsockopt(a.task, sfd, SOL_SOCKET, SO_LINGER, { lOnoff: 1, lLinger: 0 });
  sysClose(a.task, sfd);
  await sleep(world, 10);
  expect(seen.at(-1)).toMatchObject({ to: 'b', signed: true });
  expect((seen.at(-1)?.flags ?? 0) & 4).toBe(4);
});

test('TCP_MD5SIG: -EINVAL for another family, a prefix or a key that is too long, -ENOENT for a key that is not there', () => {
  const fd = server();
  expect(sysSetsockopt(a.task, fd, SOL_TCP, TCP_MD5SIG, 1)).toBe(-EINVAL);
  expect(key(a, fd, B, 'x'.repeat(81))).toBe(-EINVAL);
  expect(key(a, fd, B, 'x', 33)).toBe(-EINVAL);
  expect(key(a, fd, B, '')).toBe(-ENOENT);
  expect([key(a, fd, B, 'x'.repeat(80)), key(a, fd, B, '')]).toEqual([0, 0]);
});
