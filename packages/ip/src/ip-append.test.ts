import { afterEach, beforeEach, expect, test } from 'vitest';
import { EAGAIN, EMSGSIZE, sleep } from '@stack/kernel';
import { INET_FLAGS_RECVERR, IP_PMTUDISC_DO, IP_PMTUDISC_DONT, IP_PMTUDISC_WANT, InetSock, SockAddrIn, inAton, inNtoa, inetAssignBit } from '@stack/inet-sock';
import { NETIF_F_HW_CSUM, NETIF_F_SG } from '@stack/netdev';
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, consumeSkb, csumFold } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { AF_INET, Cmsg, MSG_ERRQUEUE, MSG_MORE, MSG_PROBE, MsgHdr, SOCK_DGRAM, SOL_IP, SockExtendedErr, makeMsgHdr, msgInit } from '@stack/socket';
import { Flowi4, flowi4InitOutput } from './flow.ts';
import { IpcmCookie, ipAppendData, ipFinishSkb, ipFlushPendingFrames, ipGenericGetfrag, ipMakeSkb, ipPushPendingFrames, ipSendSkb, ipcmInitSk } from './ip-append.ts';
import { ipCmsgRecv, ipCmsgSend, ipv4PktinfoPrepare } from './ip-cmsg.ts';
import { ipIcmpError, ipRecvError } from './ip-recverr.ts';
import { IP_CMSG_PKTINFO, IP_CMSG_TOS, IP_CMSG_TTL, IP_PKTINFO, IP_RECVERR, IP_TOS, IP_TTL, InPktinfo } from './ip-uapi.ts';
import { inetAddProtocol } from './protocol.ts';
import { ipRouteOutputFlow } from './route-output.ts';
import type { Rtable } from './rtable.ts';
import { bytesOf, checksum, finish, inside, ipFrame, makePair, receive, wireOf } from './test-host.ts';
import type { Pair } from './test-host.ts';
import { noProto } from './test-sock.ts';

let pair: Pair;
let sk: InetSock;
let got: Uint8Array[];

beforeEach(() => {
  pair = makePair();
  sk = new InetSock(pair.a, AF_INET, noProto);
  sk.skType = SOCK_DGRAM;
  sk.skProtocol = 253;
  sk.skSndbuf = 1 << 20;
  sk.skRcvbuf = 1 << 20;
  got = [];
  inetAddProtocol(pair.b, { handler: (skb) => { got.push(bytesOf(skb)); consumeSkb(skb); return 0; }, errHandler: null, flags: 0 }, 253);
});

afterEach(async () => {
  expect(sk.skWmemAlloc).toBe(1);
  await finish(pair.world);
});

const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_v, i) => i ^ (i >> 8));
const message = (...parts: Uint8Array[]): MsgHdr => {
  const msg = makeMsgHdr(parts);
  msgInit(msg);
  return msg;
};

function route(daddr = '10.0.0.2'): { rt: Rtable; fl: Flowi4 } {
  const fl = new Flowi4();
  flowi4InitOutput(fl, 0, 0, 0, 0, 253, 0, inAton(daddr), 0, 0, 0);
  const rt = inside(pair.a, () => ipRouteOutputFlow(pair.a, fl, sk));
  if (typeof rt === 'number') throw new Error(`no route: ${rt}`);
  return { rt, fl };
}

function cookie(): IpcmCookie {
  const ipc = new IpcmCookie();
  ipcmInitSk(ipc, sk);
  return ipc;
}

/** One datagram with an 8-octet transport header of zeros. */
function make(payload: Uint8Array, ipc = cookie(), daddr = '10.0.0.2', flags = 0): SkBuff | number | null {
  const { rt, fl } = route(daddr);
  return ipMakeSkb(sk, fl, ipGenericGetfrag, message(payload), payload.length + 8, 8, ipc, rt, flags);
}

function asSkb(made: SkBuff | number | null): SkBuff {
  if (made === null || typeof made === 'number') throw new Error(`not made: ${made}`);
  made.buf.fill(0, made.transportHeader, made.transportHeader + 8);
  return made;
}

test.each([0, 1, 100, 1472, 1473, 20_000, 65_507])('ip_make_skb: %i octets arrive as they were, cut where they must be', async (length) => {
  const payload = pattern(length);
  const skb = asSkb(make(payload));
  expect(inside(pair.a, () => ipSendSkb(pair.a, skb))).toBe(0);
  await sleep(pair.world, 1);
  expect(got.length).toBe(1);
  expect(got[0].slice(8)).toEqual(payload);
});

test('the payload\'s sum is ready when the device does not sum; it is left to the device when it does', () => {
  const payload = pattern(333);
  const skb = asSkb(make(payload));
  expect(skb.ipSummed).toBe(CHECKSUM_NONE);
  expect(csumFold(skb.csum)).toBe(checksum(payload));
  consumeSkb(skb);
  pair.ethA.features |= NETIF_F_HW_CSUM | NETIF_F_SG;
  const offloaded = asSkb(make(payload));
  expect(offloaded.ipSummed).toBe(CHECKSUM_PARTIAL);
  consumeSkb(offloaded);
  const cut = asSkb(make(pattern(3000)));
  expect(cut.ipSummed).toBe(CHECKSUM_NONE);
  consumeSkb(cut);
});

test('RFC 1191: WANT sets DF on what fits and cuts the rest, DO refuses what does not fit, DONT never sets it', () => {
  const df = (length: number): number => {
    const skb = asSkb(make(pattern(length)));
    const bit = skb.view.getUint8(skb.networkHeader + 6) & 0x40;
    consumeSkb(skb);
    return bit;
  };
  sk.pmtudisc = IP_PMTUDISC_WANT;
  expect([df(100), df(2000)]).toEqual([0x40, 0]);
  sk.pmtudisc = IP_PMTUDISC_DONT;
  expect(df(100)).toBe(0);
  sk.pmtudisc = IP_PMTUDISC_DO;
  expect(df(1472)).toBe(0x40);
  expect(make(pattern(1473))).toBe(-EMSGSIZE);
});

test('more than 64 KiB is -EMSGSIZE, and IP_RECVERR tells the MTU', () => {
  inetAssignBit(sk, INET_FLAGS_RECVERR, true);
  expect(make(pattern(65_508))).toBe(-EMSGSIZE);
  const msg = message(new Uint8Array(10));
  msg.msgControl = [];
  msg.msgControllen = 4;
  msg.msgName = new SockAddrIn();
  expect(ipRecvError(sk, msg, 10)).toBe(0);
  expect(msg.msgControl[0].cmsgType).toBe(IP_RECVERR);
  expect(msg.msgControl[0].cmsgData).toEqual(new SockExtendedErr(EMSGSIZE, 1, 0, 0, 1500, 0, 0));
  expect(ipRecvError(sk, msg, 10)).toBe(-EAGAIN);
});

test('a full send buffer is -EAGAIN, and nothing is left behind', () => {
  sk.skSndbuf = 1;
  const first = make(pattern(10));
  expect(first).toBe(-EAGAIN);
});

test('MSG_PROBE only asks for the route', () => {
  expect(make(pattern(10), cookie(), '10.0.0.2', MSG_PROBE)).toBeNull();
});

test('ip_append_data: pieces of several sends become one datagram, sums and all', async () => {
  const { rt, fl } = route();
  const parts = [pattern(101), pattern(2000), pattern(70), new Uint8Array(0)];
  parts.forEach((part, i) => {
    const length = part.length + (i === 0 ? 8 : 0);
    expect(ipAppendData(sk, fl, ipGenericGetfrag, message(part), length, i === 0 ? 8 : 0, cookie(), i === 0 ? rt : null, MSG_MORE)).toBe(0);
  });
  const skb = ipFinishSkb(sk, fl);
  const whole = new Uint8Array(parts.flatMap((part) => [...part]));
  const made = asSkb(skb);
  expect(csumFold(made.csum)).toBe(checksum(whole));
  inside(pair.a, () => ipSendSkb(pair.a, made));
  await sleep(pair.world, 1);
  expect(got[0].slice(8)).toEqual(whole);
  expect(ipFinishSkb(sk, fl)).toBeNull();
});

test('ip_append_data stops at 64 KiB and keeps what was gathered; flushing drops it', async () => {
  const { rt, fl } = route();
  expect(ipAppendData(sk, fl, ipGenericGetfrag, message(pattern(40_000)), 40_000, 0, cookie(), rt, MSG_MORE)).toBe(0);
  expect(ipAppendData(sk, fl, ipGenericGetfrag, message(pattern(40_000)), 40_000, 0, cookie(), null, MSG_MORE)).toBe(-EMSGSIZE);
  expect(inside(pair.a, () => ipPushPendingFrames(sk, fl))).toBe(0);
  await sleep(pair.world, 1);
  expect(got.map((bytes) => bytes.length)).toEqual([40_000]);
  const again = route();
  ipAppendData(sk, again.fl, ipGenericGetfrag, message(pattern(10)), 10, 0, cookie(), again.rt, MSG_MORE);
  ipFlushPendingFrames(sk);
  expect(sk.skWriteQueue.qlen).toBe(0);
});

test('control messages of a send: source, TTL, TOS (ip(7))', () => {
  const msg = message(pattern(4));
  msg.msgControl = [
    new Cmsg(SOL_IP, IP_PKTINFO, new InPktinfo(pair.ethA.ifindex, inAton('10.0.0.1'), 0)), new Cmsg(SOL_IP, IP_TTL, 9), new Cmsg(SOL_IP, IP_TOS, 0x10),
  ];
  const ipc = cookie();
  expect(ipCmsgSend(sk, msg, ipc)).toBe(0);
  expect([ipc.oif, inNtoa(ipc.addr), ipc.ttl, ipc.tos]).toEqual([pair.ethA.ifindex, '10.0.0.1', 9, 0x10]);
  const skb = asSkb(make(pattern(4), ipc));
  expect([skb.view.getUint8(skb.networkHeader + 8), skb.view.getUint8(skb.networkHeader + 1)]).toEqual([9, 0x10]);
  consumeSkb(skb);
  msg.msgControl = [new Cmsg(SOL_IP, IP_TTL, 0)];
  expect(ipCmsgSend(sk, msg, ipc)).toBeLessThan(0);
});

test('control messages of a packet received', () => {
  const sock = new InetSock(pair.b, AF_INET, noProto);
  sock.cmsgFlags = IP_CMSG_PKTINFO | IP_CMSG_TTL | IP_CMSG_TOS;
  const seen: Cmsg[] = [];
  inetAddProtocol(pair.b, {
    flags: 0, errHandler: null,
    handler: (skb) => {
      ipv4PktinfoPrepare(sock, skb);
      expect(skb.dst).toBeNull();
      const msg = new MsgHdr();
      msg.msgControl = seen;
      msg.msgControllen = 8;
      ipCmsgRecv(msg, sock, skb);
      consumeSkb(skb);
      return 0;
    },
  }, 254);
  receive(pair.ethB, ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '10.0.0.255', protocol: 254, ttl: 33, tos: 8 }));
  expect(seen.map((cmsg) => [cmsg.cmsgType, cmsg.cmsgData])).toEqual([
    [IP_PKTINFO, new InPktinfo(pair.ethB.ifindex, inAton('10.0.0.2'), inAton('10.0.0.255'))], [IP_TTL, 33], [IP_TOS, 8],
  ]);
});

test('IP_RECVERR: an ICMP error is queued with what came back of the datagram', async () => {
  inetAssignBit(sk, INET_FLAGS_RECVERR, true);
  inetAddProtocol(pair.a, {
    handler: () => 0, flags: 0,
    errHandler: (skb, info) => {
      ipIcmpError(sk, skb, 111, 7, info, 28);
      return 0;
    },
  }, 200);
  sk.skProtocol = 200;
  const skb = asSkb(make(Uint8Array.of(5, 6, 7)));
  inside(pair.a, () => ipSendSkb(pair.a, skb));
  await sleep(pair.world, 1);
  expect(wireOf(pair.ethB).sent.length).toBeGreaterThan(0);
  const into = new Uint8Array(10);
  const msg = message(into);
  msg.msgControl = [];
  msg.msgControllen = 4;
  msg.msgName = new SockAddrIn();
  expect(ipRecvError(sk, msg, 10)).toBe(3);
  expect([...into.slice(0, 3)]).toEqual([5, 6, 7]);
  expect(msg.msgFlags & MSG_ERRQUEUE).toBe(MSG_ERRQUEUE);
  expect(msg.msgName).toMatchObject({ sinAddr: inAton('10.0.0.2'), sinPort: 7 });
  expect(msg.msgControl[0].cmsgData).toEqual(new SockExtendedErr(111, 2, 3, 2, 0, 0, inAton('10.0.0.2')));
});
