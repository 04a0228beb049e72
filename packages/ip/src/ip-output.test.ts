import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EACCES, EHOSTUNREACH, EINVAL, ENETUNREACH, sleep, snmpSnapshot } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { InetSock, IP_PMTUDISC_DO, IP_PMTUDISC_DONT, inAton, inNtoa } from '@stack/inet-sock';
import { NFPROTO_IPV4, NF_ACCEPT, NF_DROP, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, nfRegisterNetHook } from '@stack/netfilter';
import { NET_XMIT_BYPASS, dstRelease } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { AF_INET } from '@stack/socket';
import { noProto } from './test-sock.ts';
import { ipAddrAdd, ipAddrDel } from './ip-addr.ts';
import { ipRouteAdd } from './ip-route.ts';
import { Flowi4, RT_SCOPE_HOST, RT_SCOPE_LINK, flowi4InitOutput } from './flow.ts';
import { inetSelectAddr } from './ifaddr.ts';
import { ipBuildAndSendPkt, ipQueueXmit, ipSendUnicastReply, skDstCheck } from './ip-output.ts';
import { ipRouteOutputFlow } from './route-output.ts';
import { rtCacheFlush } from './rt-cache.ts';
import type { Rtable } from './rtable.ts';
import { RTCF_BROADCAST, RTCF_LOCAL, RTCF_MULTICAST } from './rtable.ts';
import { bytesOf, checksum, finish, inside, makeCard, makePacket, makePair, sendIp, tracer, wireOf } from './test-host.ts';
import type { Pair } from './test-host.ts';
import { inetAddProtocol } from './protocol.ts';
import { consumeSkb } from '@stack/skbuff';

/** A sock of protocol 253, connected from 10.0.0.1 to daddr. */
function connectedSock(net: Net, daddr: string, saddr = '10.0.0.1'): InetSock {
  const sk = new InetSock(net, AF_INET, noProto);
  sk.skProtocol = 253;
  sk.inetSaddr = inAton(saddr);
  sk.inetDaddr = inAton(daddr);
  return sk;
}

let pair: Pair;
beforeEach(() => {
  pair = makePair();
  inetAddProtocol(pair.b, { handler: (skb) => { consumeSkb(skb); return 0; }, errHandler: null, flags: 0 }, 253);
});
afterEach(() => finish(pair.world));

function send(sk: InetSock, payload = Uint8Array.of(9, 9, 9, 9)): number {
  return inside(sk.skNet, () => ipQueueXmit(sk, makePacket(sk.skNet, payload)));
}

function close(sk: InetSock): void {
  dstRelease(sk.skDstCache);
  sk.skDstCache = null;
}

const DOWN = [
  'ip_queue_xmit', 'NF_INET_LOCAL_OUT', 'dst_output', 'ip_output', 'ip_finish_output', 'NF_INET_POST_ROUTING', 'ip_finish_output2',
];

describe('the chapter\'s path down', () => {
  test('nothing cached: a route is looked up, the neighbour asks; then route and header are found', async () => {
    const sk = connectedSock(pair.a, '10.0.0.2');
    const trace = tracer(pair.a);
    expect(send(sk)).toBe(0);
    const first = trace.hits.splice(0);
    expect(first.slice(0, 11)).toEqual([
      DOWN[0], 'ip_route_output_flow', ...DOWN.slice(1), 'neigh_resolve_output', 'NF_ARP_OUT', 'dev_queue_xmit',
    ]);
    expect(first).toContain('arp_rcv');
    send(sk);
    expect(trace.hits.splice(0)).toEqual([...DOWN, 'hh_output', 'dev_queue_xmit']);
    trace.stop();
    close(sk);
  });

  test('the neighbour known, the route not: neigh_resolve_output makes the header cache without asking', async () => {
    const sk = connectedSock(pair.a, '10.0.0.2');
    send(sk);
    close(sk);
    inside(pair.a, () => rtCacheFlush(pair.a));
    const trace = tracer(pair.a);
    send(sk);
    expect(trace.hits).toEqual([DOWN[0], 'ip_route_output_flow', ...DOWN.slice(1), 'neigh_resolve_output', 'dev_queue_xmit']);
    trace.stop();
    close(sk);
  });

  test('a device without header cache: neigh_connected_output', async () => {
    await finish(pair.world);
    pair = makePair(false);
    wireOf(pair.ethA).filter = (frame) => frame[12] !== 8 || frame[13] === 6;
    const sk = connectedSock(pair.a, '10.0.0.2');
    send(sk);
    const trace = tracer(pair.a);
    send(sk);
    expect(trace.hits).toEqual([...DOWN, 'neigh_connected_output', 'dev_queue_xmit']);
    trace.stop();
    close(sk);
  });

  test('the sk_buff\'s own route comes before the sock\'s', () => {
    const sk = connectedSock(pair.a, '10.0.0.2');
    send(sk);
    const own = inside(pair.a, () => {
      const fl = new Flowi4();
      flowi4InitOutput(fl, 0, 0, 0, 0, 253, 0, inAton('10.0.0.9'), 0, 0, 0);
      return ipRouteOutputFlow(pair.a, fl, null);
    });
    if (typeof own === 'number') throw new Error('no route');
    const skb = makePacket(pair.a, Uint8Array.of(1));
    skb.dst = own;
    own.refcnt++;
    const before = own.refcnt;
    let seen: unknown = null;
    own.output = (packet: SkBuff) => {
      seen = packet.dst;
      consumeSkb(packet);
      return 0;
    };
    inside(pair.a, () => ipQueueXmit(sk, skb));
    expect(seen).toBe(own);
    expect(own.refcnt).toBe(before - 1);
    dstRelease(own);
    close(sk);
  });

  test('NET_XMIT_BYPASS: dst_output follows a chain of outputs', () => {
    const sk = connectedSock(pair.a, '10.0.0.2');
    send(sk);
    const last = sk.skDstCache as Rtable;
    const link = inside(pair.a, () => {
      const fl = new Flowi4();
      flowi4InitOutput(fl, 0, 0, 0, 0, 253, 0, inAton('10.0.0.8'), 0, 0, 0);
      return ipRouteOutputFlow(pair.a, fl, null);
    });
    if (typeof link === 'number') throw new Error('no route');
    link.output = (packet: SkBuff) => {
      dstRelease(packet.dst);
      last.refcnt++;
      packet.dst = last;
      return NET_XMIT_BYPASS;
    };
    const skb = makePacket(pair.a, Uint8Array.of(1));
    skb.dst = link;
    const frames = wireOf(pair.ethA).sent.length;
    expect(inside(pair.a, () => ipQueueXmit(sk, skb))).toBe(0);
    expect(wireOf(pair.ethA).sent.length).toBe(frames + 1);
    close(sk);
  });
});

test('RFC 791 §3.1: the header as it leaves', () => {
  const sk = connectedSock(pair.a, '10.0.0.2');
  sk.tos = 0x10;
  sk.ucTtl = 7;
  sk.inetId = 0xfffe;
  for (let i = 0; i < 3; i++) send(sk);
  const frames = wireOf(pair.ethA).sent.filter((f) => f[12] === 8 && f[13] === 0);
  const ip = frames[0].slice(14, 34);
  expect([...ip.slice(0, 10)]).toEqual([0x45, 0x10, 0, 24, 0xff, 0xfe, 0x40, 0, 7, 253]);
  expect(checksum(ip)).toBe(0);
  expect([...ip.slice(12)]).toEqual([10, 0, 0, 1, 10, 0, 0, 2]);
  expect(frames.map((f) => (f[18] << 8) | f[19])).toEqual([0xfffe, 0xffff, 0]);
  sk.pmtudisc = IP_PMTUDISC_DONT;
  send(sk);
  expect(wireOf(pair.ethA).sent.at(-1)?.[20]).toBe(0);
  sk.pmtudisc = IP_PMTUDISC_DO;
  send(sk);
  expect(wireOf(pair.ethA).sent.at(-1)?.[20]).toBe(0x40);
  close(sk);
});

test('a sock\'s cached route is found invalid when the tables change', () => {
  const sk = connectedSock(pair.a, '10.0.0.2');
  send(sk);
  const old = sk.skDstCache;
  expect(skDstCheck(sk)).toBe(old);
  expect(ipRouteAdd(pair.a, { dst: '10.0.0.2', gateway: '10.0.0.77' })).toBe(0);
  expect(skDstCheck(sk)).toBeNull();
  expect(sk.skDstCache).toBeNull();
  send(sk);
  expect(sk.skDstCache).not.toBe(old);
  expect(inNtoa((sk.skDstCache as Rtable).rtGateway)).toBe('10.0.0.77');
  close(sk);
});

test('without a route the packet is dropped and counted, and the sender told', () => {
  const sk = connectedSock(pair.a, '9.9.9.9');
  expect(send(sk)).toBe(-EHOSTUNREACH);
  expect(snmpSnapshot(pair.a)['IpOutNoRoutes']).toBe(1);
  expect(sk.skDstCache).toBeNull();
});

test('an ACK of new data proves the neighbour (skDstPendingConfirm)', async () => {
  const sk = connectedSock(pair.a, '10.0.0.2');
  send(sk);
  await sleep(pair.world, 10_000);
  const neigh = sk.skDstCache?.neighbour;
  if (neigh === null || neigh === undefined) throw new Error('no neighbour');
  sk.skDstPendingConfirm = true;
  inside(pair.a, () => {
    const skb = makePacket(pair.a, Uint8Array.of(1));
    skb.sk = sk;
    ipQueueXmit(sk, skb);
  });
  expect(neigh.confirmed).toBe(pair.world.jiffies);
  expect(sk.skDstPendingConfirm).toBe(false);
  close(sk);
});

test('hooks: LOCAL_OUT before dst_output, POST_ROUTING between ip_finish_output and ip_finish_output2; a drop ends it', () => {
  const sk = connectedSock(pair.a, '10.0.0.2');
  send(sk);
  const seen: string[] = [];
  let verdict = NF_ACCEPT;
  const trace = tracer(pair.a);
  for (const hooknum of [NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING]) {
    nfRegisterNetHook(pair.a, {
      pf: NFPROTO_IPV4, hooknum, priority: 0,
      hook: (_priv, skb, state) => {
        seen.push(`${state.outdev?.name} ${skb.data === skb.networkHeader}`);
        return verdict;
      },
    });
  }
  send(sk);
  expect(trace.hits).toEqual([...DOWN, 'hh_output', 'dev_queue_xmit']);
  expect(seen).toEqual(['eth0 true', 'eth0 true']);
  trace.stop();
  verdict = NF_DROP;
  const frames = wireOf(pair.ethA).sent.length;
  expect(send(sk)).toBeLessThan(0);
  expect(wireOf(pair.ethA).sent.length).toBe(frames);
  close(sk);
});

test('ip_build_and_send_pkt sends by the route that the packet has', () => {
  const sk = connectedSock(pair.a, '10.0.0.2');
  send(sk);
  const rt = sk.skDstCache as Rtable;
  const skb = makePacket(pair.a, Uint8Array.of(1, 2, 3));
  rt.refcnt++;
  skb.dst = rt;
  expect(inside(pair.a, () => ipBuildAndSendPkt(skb, sk, inAton('10.0.0.1'), inAton('10.0.0.2'), null, 0))).toBe(0);
  expect([...(wireOf(pair.ethA).sent.at(-1) ?? []).slice(34)]).toEqual([1, 2, 3]);
  const lost = makePacket(pair.a, Uint8Array.of(1));
  expect(ipBuildAndSendPkt(lost, sk, inAton('10.0.0.1'), inAton('10.0.0.2'), null, 0)).toBe(-EHOSTUNREACH);
  close(sk);
});

test('ip_send_unicast_reply: DF and identification 0, no socket needed', () => {
  const reply = makePacket(pair.a, Uint8Array.of(5));
  expect(inside(pair.a, () => ipSendUnicastReply(pair.a, reply, inAton('10.0.0.2'), inAton('10.0.0.1'), 253, 0, 0, 0))).toBe(0);
  const frame = wireOf(pair.ethA).sent.at(-1) ?? new Uint8Array(0);
  expect([...frame.slice(18, 24)]).toEqual([0, 0, 0x40, 0, 64, 253]);
  const lost = makePacket(pair.a, Uint8Array.of(5));
  expect(inside(pair.a, () => ipSendUnicastReply(pair.a, lost, inAton('9.9.9.9'), inAton('10.0.0.1'), 253, 0, 0, 0))).toBe(-ENETUNREACH);
});

describe('RFC 1122 §3.3.4.3: choosing source and device', () => {
  const ask = (daddr: string, change: (fl: Flowi4) => void = () => undefined): { rt: Rtable | number; fl: Flowi4 } => {
    const fl = new Flowi4();
    flowi4InitOutput(fl, 0, 0, 0, 0, 253, 0, inAton(daddr), 0, 0, 0);
    change(fl);
    const rt = inside(pair.a, () => ipRouteOutputFlow(pair.a, fl, null));
    if (typeof rt !== 'number') dstRelease(rt);
    return { rt, fl };
  };
  const from = (daddr: string, change: (fl: Flowi4) => void = () => undefined): string => {
    const { rt, fl } = ask(daddr, change);
    return typeof rt === 'number' ? String(rt) : `${inNtoa(fl.saddr)} ${rt.dev?.name} ${inNtoa(rt.rtGateway)}`;
  };

  test('of the destination\'s subnet, of the route\'s preferred source, of the gateway\'s subnet', () => {
    ipAddrAdd(pair.ethA, '10.5.0.1/16');
    expect(from('10.0.0.9')).toBe('10.0.0.1 eth0 10.0.0.9');
    expect(from('10.5.0.9')).toBe('10.5.0.1 eth0 10.5.0.9');
    ipRouteAdd(pair.a, { dst: 'default', gateway: '10.5.0.254' });
    expect(from('8.8.8.8')).toBe('10.5.0.1 eth0 10.5.0.254');
    ipRouteAdd(pair.a, { dst: '8.8.0.0/16', gateway: '10.5.0.254', src: '10.0.0.1' });
    expect(from('8.8.8.8')).toBe('10.0.0.1 eth0 10.5.0.254');
  });

  test('not a secondary one of the subnet, nor one that is valid nearer than the destination is far', () => {
    ipAddrDel(pair.ethA, '10.0.0.1/24');
    ipAddrAdd(pair.ethA, '10.6.0.1/16', { scope: RT_SCOPE_HOST });
    ipAddrAdd(pair.ethA, '10.0.0.3/24');
    ipAddrAdd(pair.ethA, '10.0.0.4/24');
    expect(inNtoa(inetSelectAddr(pair.a, pair.ethA, inAton('10.6.0.9'), RT_SCOPE_LINK))).toBe('10.0.0.3');
    expect(inNtoa(inetSelectAddr(pair.a, pair.ethA, inAton('10.6.0.9'), RT_SCOPE_HOST))).toBe('10.6.0.1');
    ipAddrAdd(pair.ethA, '10.0.9.4/25');
    ipAddrAdd(pair.ethA, '10.0.9.5/25');
    expect(from('10.0.9.9')).toBe('10.0.9.4 eth0 10.0.9.9');
  });

  test('to ourselves: by the loopback device, from the address itself', () => {
    expect(from('10.0.0.1')).toBe('10.0.0.1 lo 10.0.0.1');
    expect(from('127.3.2.1')).toBe('127.0.0.1 lo 127.3.2.1');
    expect(from('0.0.0.0')).toBe('127.0.0.1 lo 127.0.0.1');
    const { rt } = ask('10.0.0.1');
    expect(typeof rt === 'number' ? 0 : rt.rtFlags & RTCF_LOCAL).toBe(RTCF_LOCAL);
  });

  test('broadcasts and groups are marked, and need a device or an address to go by', () => {
    const kind = (daddr: string, change: (fl: Flowi4) => void = () => undefined): number => {
      const { rt } = ask(daddr, change);
      return typeof rt === 'number' ? rt : rt.rtFlags & (RTCF_BROADCAST | RTCF_MULTICAST | RTCF_LOCAL);
    };
    expect(kind('10.0.0.255')).toBe(RTCF_BROADCAST | RTCF_LOCAL);
    expect(kind('255.255.255.255')).toBe(-ENETUNREACH);
    expect(kind('255.255.255.255', (fl) => { fl.flowi4Oif = pair.ethA.ifindex; })).toBe(RTCF_BROADCAST | RTCF_LOCAL);
    expect(kind('224.0.0.1', (fl) => { fl.saddr = inAton('10.0.0.1'); })).toBe(RTCF_MULTICAST | RTCF_LOCAL);
    expect(kind('224.0.0.5', (fl) => { fl.flowi4Oif = pair.ethA.ifindex; })).toBe(RTCF_MULTICAST);
  });

  test('a source that is not ours is refused, and what routes forbid', () => {
    expect(from('10.0.0.2', (fl) => { fl.saddr = inAton('10.0.0.3'); })).toBe(String(-EINVAL));
    expect(from('10.0.0.2', (fl) => { fl.saddr = inAton('224.0.0.1'); })).toBe(String(-EINVAL));
    expect(from('10.0.0.2', (fl) => { fl.saddr = inAton('127.0.0.1'); })).toBe(String(-EINVAL));
    ipRouteAdd(pair.a, { dst: '7.0.0.0/8', type: 'prohibit' });
    ipRouteAdd(pair.a, { dst: '6.0.0.0/8', type: 'unreachable' });
    expect(from('7.1.1.1')).toBe(String(-EACCES));
    expect(from('6.1.1.1')).toBe(String(-EHOSTUNREACH));
    expect(from('9.9.9.9')).toBe(String(-ENETUNREACH));
  });

  test('a device that the user names serves destinations that no table knows', () => {
    expect(from('9.9.9.9', (fl) => { fl.flowi4Oif = pair.ethA.ifindex; })).toBe('10.0.0.1 eth0 9.9.9.9');
  });

  test('the answer is cached by flow, and forgotten when an address goes', () => {
    const { rtCache } = pair.a.ipv4;
    from('10.0.0.9');
    from('10.0.0.9');
    expect([rtCache.outSlowTot, rtCache.outHit]).toEqual([1, 1]);
    ipAddrDel(pair.ethA, '10.0.0.1/24');
    expect(from('10.0.0.9')).toBe(String(-ENETUNREACH));
  });
});

test('a broadcast is heard by ourselves too; a group only if we listen and want to', async () => {
  const seen: number[] = [];
  inetAddProtocol(pair.a, { handler: (skb) => { seen.push(bytesOf(skb)[0]); consumeSkb(skb); return 0; }, errHandler: null, flags: 0 }, 253);
  expect(sendIp(pair.a, '10.0.0.255', 253, Uint8Array.of(1))).toBe(0);
  expect(seen).toEqual([1]);
  expect(sendIp(pair.a, '224.0.0.1', 253, Uint8Array.of(2), 0, '10.0.0.1')).toBe(0);
  expect(seen).toEqual([1, 2]);
  const frames = wireOf(pair.ethA).sent;
  expect(frames.map((f) => [...f.slice(0, 6)].join(':'))).toEqual(['255:255:255:255:255:255', '1:0:94:0:0:1']);
  const counters = snmpSnapshot(pair.a);
  expect([counters['IpExtOutBcastPkts'], counters['IpExtOutMcastPkts']]).toEqual([1, 1]);
});

test('the loopback device: the packet keeps its route, and comes back up without another look', async () => {
  const seen: number[] = [];
  inetAddProtocol(pair.a, { handler: (skb) => { seen.push(...bytesOf(skb)); consumeSkb(skb); return 0; }, errHandler: null, flags: 0 }, 253);
  const sk = connectedSock(pair.a, '127.0.0.1', '127.0.0.1');
  const trace = tracer(pair.a);
  expect(send(sk, Uint8Array.of(42))).toBe(0);
  trace.stop();
  expect(seen).toEqual([42]);
  expect(trace.hits).not.toContain('ip_route_input');
  expect(trace.hits.slice(-7)).toEqual([
    'ip_rcv', 'NF_INET_PRE_ROUTING', 'ip_rcv_finish', 'dst_input', 'ip_local_deliver', 'NF_INET_LOCAL_IN', 'ip_local_deliver_finish',
  ]);
  close(sk);
});

test('a second card: packets leave by the one whose subnet it is', () => {
  const other = makeCard(pair.a, '172.20.0.1/16');
  sendIp(pair.a, '172.20.0.9', 253, Uint8Array.of(1));
  expect(wireOf(other).sent.length).toBe(1);
  expect(wireOf(pair.ethA).sent.length).toBe(0);
});
