// TCP over IPv4 between whole hosts: what the carrier does for the engine. RFC 9293 §3.1, §3.9.2; RFC 1122 §4.2; tcp(7).
import {
  EADDRNOTAVAIL, EAGAIN, ECONNREFUSED, EHOSTUNREACH, EINVAL, ENETUNREACH, createWorld, idle, interrupt, sleep, snmpSnapshot, type World,
} from '@stack/kernel';
import { assertNothingOpen, createHost, plainOn, virtioOn, type Host } from '@stack/host';
import { SockAddrIn, inAton, inetCsk } from '@stack/inet-sock';
import { afOpsContract } from '@stack/inet-sock/contract';
import {
  ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMP_HOST_UNREACH, IP_DF, IP_MINTTL, IP_MTU_DISCOVER, IP_RECVERR, IP_TOS, IP_TTL, ipHdrFragOff, ipHdrTos, ipHdrTtl, ipRouteAdd,
} from '@stack/ip';
import { NF_ACCEPT, NF_DROP, NF_INET_LOCAL_IN, NF_INET_POST_ROUTING, NFPROTO_IPV4, nfRegisterNetHook } from '@stack/netfilter';
import { createSwitch, type Impairments } from '@stack/nic-virtio-sim';
import { allocSkb, kfreeSkb, leakReport, skbPut, type SkBuff } from '@stack/skbuff';
import {
  MSG_ERRQUEUE, PF_INET, SOCK_STREAM, SOL_IP, SOL_SOCKET, SOL_TCP, SO_ERROR, makeMsgHdr, sysAccept, sysBind, sysClose, sysConnect, sysGetpeername, sysGetsockname, sysGetsockopt,
  sysListen, sysRead, sysRecvmsg, sysSetsockopt, sysSocket, sysWrite, type Task,
} from '@stack/socket';
import { TCP_INFO, TCP_MAXSEG, type TcpInfo } from '@stack/tcp';
import { ipv4Specific, tcpProt, tcpProtocol } from '@stack/tcp/ipv4';
import { afterEach, describe, expect, test } from 'vitest';

const A = '10.0.0.1';
const B = '10.0.0.2';

let world: World;
let a: Host;
let b: Host;
let hosts: Host[];

interface Lan {
  readonly impairments?: Impairments;
  readonly offloads?: boolean;
  readonly plain?: boolean;
  readonly seed?: number;
}

function lanOf({ impairments, offloads = true, plain = false, seed = 1 }: Lan = {}): void {
  world = createWorld({ debug: true, seed });
  const lan = createSwitch(world);
  const cable = impairments === undefined ? {} : { impairments };
  const device = plain ? plainOn(lan, cable) : virtioOn(lan, { offloads, ...cable });
  a = createHost({ world, name: 'a', nics: [{ device, address: `${A}/24` }] });
  b = createHost({ world, name: 'b', nics: [{ device, address: `${B}/24` }] });
  hosts = [a, b];
}

afterEach(async () => {
  for (const host of hosts) await host.close();
  assertNothingOpen(world);
  expect(leakReport(world)).toEqual([]);
  expect(world.panics).toEqual([]);
});

const addr = (text: string, port: number): SockAddrIn => new SockAddrIn(inAton(text), port);
const counters = (host: Host): Record<string, number> => snmpSnapshot(host.net);

function listen(task: Task, port: number, ip = '0.0.0.0'): number {
  const fd = sysSocket(task, PF_INET, SOCK_STREAM, 0);
  expect(sysBind(task, fd, addr(ip, port))).toBe(0);
  expect(sysListen(task, fd, 128)).toBe(0);
  return fd;
}

async function pair(port = 7): Promise<[number, number]> {
  const lfd = listen(a.task, port);
  const fd = sysSocket(b.task, PF_INET, SOCK_STREAM, 0);
  const accepted = sysAccept(a.task, lfd);
  expect(await sysConnect(b.task, fd, addr(A, port))).toBe(0);
  const sfd = await accepted;
  sysClose(a.task, lfd);
  return [fd, sfd];
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 255);
}

/** Sends `length` bytes from b to a and says whether they came as they were. */
async function transfer(fd: number, sfd: number, length: number): Promise<boolean> {
  const data = pattern(length);
  const back = new Uint8Array(length);
  const reading = (async () => {
    let got = 0;
    while (got < length) {
      const n = await sysRead(a.task, sfd, back.subarray(got));
      if (n <= 0) break;
      got += n;
    }
    return got;
  })();
  expect(await sysWrite(b.task, fd, data)).toBe(length);
  return (await reading) === length && back.every((byte, i) => byte === data[i]);
}

/** Lets `look` see each packet of TCP that `host` sends (or, in: receives); false drops it. */
function watch(host: Host, look: (skb: SkBuff) => boolean, incoming = false): void {
  nfRegisterNetHook(host.net, {
    hook: (_priv, skb) => (look(skb) ? NF_ACCEPT : NF_DROP),
    pf: NFPROTO_IPV4,
    hooknum: incoming ? NF_INET_LOCAL_IN : NF_INET_POST_ROUTING,
    priority: 0,
    priv: null,
  });
}

describe.each<[string, Lan]>([
  ['virtio with offloads', {}],
  ['virtio without offloads', { offloads: false }],
  ['a plain card', { plain: true }],
])('on %s', (_name, lan) => {
  test('a megabyte arrives as it was sent, and nothing is left', async () => {
    lanOf(lan);
    const [fd, sfd] = await pair();
    expect(await transfer(fd, sfd, 1 << 20)).toBe(true);
    sysClose(b.task, fd);
    expect(await sysRead(a.task, sfd, new Uint8Array(1))).toBe(0);
    sysClose(a.task, sfd);
    await idle(world);
    expect(counters(a)).toMatchObject({ TcpInCsumErrors: 0, TcpInErrs: 0, TcpRetransSegs: 0, TcpCurrEstab: 0 });
  });

  test('a quarter of a megabyte through loss, duplication, reordering and flipped bits', async () => {
    lanOf({ ...lan, seed: 5, impairments: { delay: 5, loss: 0.02, duplicate: 0.02, reorder: 0.02, corrupt: 0.02 } });
    const [fd, sfd] = await pair();
    expect(await transfer(fd, sfd, 1 << 18)).toBe(true);
    sysClose(b.task, fd);
    sysClose(a.task, sfd);
    await sleep(world, 300_000);
    const { TcpInCsumErrors = 0, IpExtInCsumErrors = 0 } = counters(a);
    expect(TcpInCsumErrors + IpExtInCsumErrors).toBeGreaterThan(0);
  });
});

test('RFC 9293 §3.1: a segment with a wrong checksum is dropped and counted', async () => {
  lanOf({ plain: true });
  const [fd, sfd] = await pair();
  let flipped = 0;
  watch(a, (skb) => {
    if (skb.len > 100 && flipped === 0) {
      flipped++;
      skb.buf[skb.data + 60] = (skb.buf[skb.data + 60] ?? 0) ^ 1;
    }
    return true;
  }, true);
  expect(await transfer(fd, sfd, 1000)).toBe(true);
  expect(counters(a)).toMatchObject({ TcpInCsumErrors: 1, TcpInErrs: 1 });
});

test('a closed port refuses: RST, ECONNREFUSED', async () => {
  lanOf();
  const fd = sysSocket(b.task, PF_INET, SOCK_STREAM, 0);
  expect(await sysConnect(b.task, fd, addr(A, 9))).toBe(-ECONNREFUSED);
  expect(counters(a)).toMatchObject({ TcpOutRsts: 1 });
  expect(counters(b)).toMatchObject({ TcpAttemptFails: 1 });
  // The socket may try again.
  listen(a.task, 9);
  expect(await sysConnect(b.task, fd, addr(A, 9))).toBe(0);
});

test('a neighbour that does not answer: EHOSTUNREACH', async () => {
  lanOf();
  const fd = sysSocket(b.task, PF_INET, SOCK_STREAM, 0);
  expect(await sysConnect(b.task, fd, addr('10.0.0.77', 9))).toBe(-EHOSTUNREACH);
});

test('IP_RECVERR: the ICMP error that ended a handshake can be read', async () => {
  lanOf();
  const fd = sysSocket(b.task, PF_INET, SOCK_STREAM, 0);
  expect(sysSetsockopt(b.task, fd, SOL_IP, IP_RECVERR, 1)).toBe(0);
  expect(await sysConnect(b.task, fd, addr('10.0.0.77', 9))).toBe(-EHOSTUNREACH);
  const from = new SockAddrIn();
  const msg = makeMsgHdr([new Uint8Array(64)], from);
  msg.msgControl = [];
  msg.msgControllen = 4;
  expect(await sysRecvmsg(b.task, fd, msg, MSG_ERRQUEUE)).toBeGreaterThanOrEqual(8);
  expect(from).toMatchObject({ sinAddr: inAton('10.0.0.77'), sinPort: 9 });
  expect(msg.msgControl).toMatchObject([{ cmsgLevel: SOL_IP, cmsgType: IP_RECVERR, cmsgData: { eeErrno: EHOSTUNREACH } }]);
  expect(await sysRecvmsg(b.task, fd, msg, MSG_ERRQUEUE)).toBe(-EAGAIN);
});

test('no route: ENETUNREACH; a broadcast or group: ENETUNREACH; port out of range: EINVAL', async () => {
  lanOf();
  const fd = sysSocket(b.task, PF_INET, SOCK_STREAM, 0);
  expect(sysConnect(b.task, fd, addr('192.0.2.1', 9))).toBe(-ENETUNREACH);
  expect(sysConnect(b.task, fd, addr('10.0.0.255', 9))).toBe(-ENETUNREACH);
  expect(sysConnect(b.task, fd, addr('255.255.255.255', 9))).toBe(-ENETUNREACH);
  expect(sysConnect(b.task, fd, addr('224.0.0.1', 9))).toBe(-ENETUNREACH);
  expect(sysConnect(b.task, fd, addr(A, 70_000))).toBe(-EINVAL);
});

test('bind chooses the local end; a foreign address cannot be bound', async () => {
  lanOf();
  const lfd = listen(a.task, 7, A);
  const fd = sysSocket(b.task, PF_INET, SOCK_STREAM, 0);
  expect(sysBind(b.task, fd, addr(A, 5000))).toBe(-EADDRNOTAVAIL);
  expect(sysBind(b.task, fd, addr(B, 5000))).toBe(0);
  expect(await sysConnect(b.task, fd, addr(A, 7))).toBe(0);
  const name = new SockAddrIn();
  expect(sysGetsockname(b.task, fd, name)).toBe(0);
  expect(name).toMatchObject({ sinAddr: inAton(B), sinPort: 5000 });
  const peer = new SockAddrIn();
  const sfd = await sysAccept(a.task, lfd, peer);
  expect(peer).toMatchObject({ sinAddr: inAton(B), sinPort: 5000 });
  expect(sysGetpeername(a.task, sfd, name)).toBe(0);
  expect(name).toMatchObject({ sinAddr: inAton(B), sinPort: 5000 });
});

test('a listener bound to one address does not answer for another', async () => {
  lanOf();
  listen(a.task, 7, '127.0.0.1');
  const fd = sysSocket(b.task, PF_INET, SOCK_STREAM, 0);
  expect(await sysConnect(b.task, fd, addr(A, 7))).toBe(-ECONNREFUSED);
});

test('over loopback no checksum is computed, and large segments stay whole', async () => {
  lanOf();
  const lfd = listen(a.task, 7);
  const fd = sysSocket(a.task, PF_INET, SOCK_STREAM, 0);
  let largest = 0;
  watch(a, (skb) => {
    largest = Math.max(largest, skb.len);
    return true;
  }, true);
  expect(await sysConnect(a.task, fd, addr('127.0.0.1', 7))).toBe(0);
  const sfd = await sysAccept(a.task, lfd);
  b = a;
  expect(await transfer(fd, sfd, 1 << 20)).toBe(true);
  expect(largest).toBeGreaterThan(20_000);
  expect(counters(a)).toMatchObject({ TcpInCsumErrors: 0 });
});

test('RFC 9293 §3.5, figure 8, with oneself: a socket bound to a port connects to that port', async () => {
  lanOf();
  const fd = sysSocket(a.task, PF_INET, SOCK_STREAM, 0);
  expect(sysBind(a.task, fd, addr('127.0.0.1', 5000))).toBe(0);
  expect(await sysConnect(a.task, fd, addr('127.0.0.1', 5000))).toBe(0);
  expect(await sysWrite(a.task, fd, Uint8Array.of(1, 2, 3))).toBe(3);
  const buf = new Uint8Array(10);
  expect(await sysRead(a.task, fd, buf)).toBe(3);
  expect([...buf.subarray(0, 3)]).toEqual([1, 2, 3]);
});

test('IP_TOS and IP_TTL stand in the header; DF is set, unless path MTU discovery is off', async () => {
  lanOf();
  const [fd] = await pair();
  const seen: number[][] = [];
  watch(b, (skb) => {
    seen.push([ipHdrTos(skb), ipHdrTtl(skb), ipHdrFragOff(skb) & IP_DF]);
    return true;
  });
  await sysWrite(b.task, fd, new Uint8Array(1));
  expect(sysSetsockopt(b.task, fd, SOL_IP, IP_TOS, 0x10)).toBe(0);
  expect(sysSetsockopt(b.task, fd, SOL_IP, IP_TTL, 9)).toBe(0);
  expect(sysSetsockopt(b.task, fd, SOL_IP, IP_MTU_DISCOVER, 0)).toBe(0);
  await sysWrite(b.task, fd, new Uint8Array(1));
  await idle(world);
  expect(seen[0]).toEqual([0, 64, IP_DF]);
  expect(seen.at(-1)).toEqual([0x10, 9, 0]);
});

test('RFC 5082: IP_MINTTL drops what came from too far away', async () => {
  lanOf();
  const [fd, sfd] = await pair();
  expect(sysSetsockopt(a.task, sfd, SOL_IP, IP_MINTTL, 65)).toBe(0);
  await sysWrite(b.task, fd, new Uint8Array(10));
  await sleep(world, 100);
  expect(counters(a).TcpExtTCPMinTTLDrop).toBeGreaterThan(0);
  expect(sysSetsockopt(a.task, sfd, SOL_IP, IP_MINTTL, 64)).toBe(0);
  expect(await sysRead(a.task, sfd, new Uint8Array(10))).toBe(10);
});

/** Gives b the ICMP error that its segment, sequence number seq, is supposed to have met. */
function icmpError(fd: number, type: number, code: number, seq: number, info: number): void {
  const local = new SockAddrIn();
  const peer = new SockAddrIn();
  sysGetsockname(b.task, fd, local);
  sysGetpeername(b.task, fd, peer);
  interrupt(b.net, () => {
    const skb = allocSkb(b.net, 64);
    if (skb === null) return;
    const at = skbPut(skb, 36);
    skb.transportHeader = at;
    skb.networkHeader = at;
    skb.skbIif = 2;
    const { view } = skb;
    view.setUint8(at, type);
    view.setUint8(at + 1, code);
    const iph = at + 8;
    view.setUint8(iph, 0x45);
    view.setUint8(iph + 9, 6);
    view.setInt32(iph + 12, local.sinAddr);
    view.setInt32(iph + 16, peer.sinAddr);
    view.setUint16(iph + 20, local.sinPort);
    view.setUint16(iph + 22, peer.sinPort);
    view.setInt32(iph + 24, seq);
    skb.data += 8;
    skb.len -= 8;
    if (tcpProtocol.errHandler !== null) tcpProtocol.errHandler(skb, info);
    kfreeSkb(skb);
  }, null);
}

/** b's connection with a segment on its way, which is lost: the segment's sequence number. */
async function withLostSegment(length: number): Promise<{ fd: number; sfd: number; seq: number; release: () => void }> {
  const [fd, sfd] = await pair();
  let seq = 0;
  let dropping = true;
  watch(b, (skb) => {
    if (!dropping || skb.len <= 52) return true;
    seq = skb.view.getInt32(skb.transportHeader + 4);
    return false;
  });
  await sysWrite(b.task, fd, pattern(length));
  return { fd, sfd, seq, release: () => (dropping = false) };
}

const info = (fd: number): TcpInfo => sysGetsockopt(b.task, fd, SOL_TCP, TCP_INFO) as TcpInfo;

test('RFC 5461: an unreachable host is a soft error once connected; with IP_RECVERR a hard one', async () => {
  lanOf();
  const { fd, seq, release } = await withLostSegment(100);
  icmpError(fd, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, seq, 0);
  expect(await sysWrite(b.task, fd, new Uint8Array(1))).toBe(1);
  expect(sysGetsockopt(b.task, fd, SOL_SOCKET, SO_ERROR)).toBe(EHOSTUNREACH);
  sysSetsockopt(b.task, fd, SOL_IP, IP_RECVERR, 1);
  icmpError(fd, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, seq, 0);
  expect(await sysWrite(b.task, fd, new Uint8Array(1))).toBe(-EHOSTUNREACH);
  release();
});

test('RFC 5927 §4: an ICMP error whose sequence number is not in flight is ignored', async () => {
  lanOf();
  const { fd, seq, release } = await withLostSegment(100);
  const before = info(fd).tcpiPmtu;
  icmpError(fd, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, (seq + 100_000) | 0, 600);
  expect(info(fd).tcpiPmtu).toBe(before);
  expect(counters(b).TcpExtOutOfWindowIcmps).toBe(1);
  release();
});

test('RFC 1191: fragmentation needed: the path MTU shrinks, and what no longer fits is sent again', async () => {
  lanOf();
  const { fd, sfd, seq, release } = await withLostSegment(1400);
  expect(info(fd).tcpiPmtu).toBe(1500);
  release();
  let largest = 0;
  watch(b, (skb) => {
    largest = Math.max(largest, skb.len);
    return true;
  });
  icmpError(fd, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, seq, 800);
  expect(info(fd).tcpiPmtu).toBe(800);
  const back = new Uint8Array(1400);
  let got = 0;
  while (got < 1400) got += await sysRead(a.task, sfd, back.subarray(got));
  expect(back).toEqual(pattern(1400));
  expect(info(fd).tcpiSndMss).toBe(800 - 40 - 12);
});

test('RFC 1191: through a router with a narrower link behind it', async () => {
  world = createWorld({ debug: true });
  const left = createSwitch(world);
  const right = createSwitch(world);
  a = createHost({ world, name: 'a', nics: [{ device: virtioOn(left, { offloads: false }), address: `${A}/24`, gateway: '10.0.0.254' }] });
  const router = createHost({
    world, name: 'router', sysctl: { 'net.ipv4.ip_forward': 1 },
    nics: [
      { device: virtioOn(left, { offloads: false }), address: '10.0.0.254/24' },
      { device: virtioOn(right, { offloads: false, mtu: 1000 }), address: '10.0.1.254/24' },
    ],
  });
  b = createHost({ world, name: 'b', nics: [{ device: virtioOn(right, { offloads: false }), address: '10.0.1.2/24', gateway: '10.0.1.254' }] });
  hosts = [a, router, b];
  const lfd = listen(b.task, 7);
  const fd = sysSocket(a.task, PF_INET, SOCK_STREAM, 0);
  expect(await sysConnect(a.task, fd, addr('10.0.1.2', 7))).toBe(0);
  const sfd = await sysAccept(b.task, lfd);
  [a, b] = [b, a];
  expect(await transfer(fd, sfd, 200_000)).toBe(true);
  expect(info(fd).tcpiPmtu).toBe(1000);
});

test('TCP_MAXSEG before connect bounds what is announced and what is sent', async () => {
  lanOf();
  const lfd = listen(a.task, 7);
  const fd = sysSocket(b.task, PF_INET, SOCK_STREAM, 0);
  expect(sysSetsockopt(b.task, fd, SOL_TCP, TCP_MAXSEG, 500)).toBe(0);
  expect(await sysConnect(b.task, fd, addr(A, 7))).toBe(0);
  await sysAccept(a.task, lfd);
  expect(info(fd)).toMatchObject({ tcpiSndMss: 488, tcpiAdvmss: 488 });
});

test('a SYN cookie makes a connection over IPv4 too', async () => {
  lanOf();
  a.sysctl('net.ipv4.tcp_syncookies', 2);
  const [fd, sfd] = await pair();
  expect(counters(a)).toMatchObject({ TcpExtSyncookiesSent: 1, TcpExtSyncookiesRecv: 1 });
  expect(await transfer(fd, sfd, 100_000)).toBe(true);
  expect(info(fd)).toMatchObject({ tcpiRcvWscale: 10, tcpiSndWscale: 10 });
});

test('a hundred connections at once, each with its own data', async () => {
  lanOf();
  const lfd = listen(a.task, 7);
  const serving = (async () => {
    for (let i = 0; i < 100; i++) {
      const sfd = await sysAccept(a.task, lfd);
      void (async () => {
        const buf = new Uint8Array(4096);
        for (let n = await sysRead(a.task, sfd, buf); n > 0; n = await sysRead(a.task, sfd, buf)) await sysWrite(a.task, sfd, buf.subarray(0, n));
        sysClose(a.task, sfd);
      })();
    }
  })();
  const clients = Array.from({ length: 100 }, async (_, i) => {
    const fd = sysSocket(b.task, PF_INET, SOCK_STREAM, 0);
    expect(await sysConnect(b.task, fd, addr(A, 7))).toBe(0);
    const data = pattern(3000).map((byte) => byte ^ i);
    expect(await sysWrite(b.task, fd, data)).toBe(3000);
    const back = new Uint8Array(3000);
    for (let got = 0; got < 3000; ) got += await sysRead(b.task, fd, back.subarray(got));
    expect(back).toEqual(data);
    sysClose(b.task, fd);
  });
  await Promise.all([serving, ...clients]);
  await idle(world);
  expect(counters(a)).toMatchObject({ TcpPassiveOpens: 100, TcpCurrEstab: 0 });
  expect(b.show.sockets().filter((row) => row.state === 'TIME-WAIT')).toHaveLength(100);
});

test('a route that changes is found again', async () => {
  lanOf();
  const [fd, sfd] = await pair();
  expect(await transfer(fd, sfd, 1000)).toBe(true);
  expect(ipRouteAdd(b.net, { dst: `${A}/32`, dev: 'eth0' })).toBe(0);
  expect(await transfer(fd, sfd, 1000)).toBe(true);
});

describe('af_specific over IPv4', () => {
  for (const rule of afOpsContract) {
    test(rule.name, () => {
      lanOf();
      rule.run(() => ({
        af: ipv4Specific,
        sock(local, localPort, remote, remotePort) {
          const sk = inetCsk(tcpProt.objCreate(a.net, PF_INET, tcpProt));
          sk.inetRcvSaddr = local;
          sk.inetSaddr = local;
          sk.inetNum = localPort;
          sk.inetSport = localPort;
          sk.inetDaddr = remote;
          sk.inetDport = remotePort;
          return sk;
        },
      }));
    });
  }
});
