// Chained outputs: a tunnel between two hosts. On the wire there is ESP alone; the inner packet is seen only inside.
import { createWorld, idle, sleep, type Net, type TracedPacket, type World } from '@stack/kernel';
import { assertNothingOpen, createHost, virtioOn, type Host } from '@stack/host';
import { inAton, inNtoa, SockAddrIn } from '@stack/inet-sock';
import { ipAddrAdd, ipRouteGet } from '@stack/ip';
import { devGetByName } from '@stack/netdev';
import { createSwitch } from '@stack/nic-virtio-sim';
import {
  PF_INET, SOCK_DGRAM, SOCK_STREAM, sysAccept, sysBind, sysCall, sysClose, sysConnect, sysGetsockopt, sysListen, sysRead, sysRecv, sysSendto, sysSocket,
  sysWrite,
} from '@stack/socket';
import { installXfrm, ipXfrmPolicyAdd, ipXfrmPolicyDel, ipXfrmStateAdd } from '@stack/xfrm';
import { afterEach, beforeEach, expect, test } from 'vitest';

let world: World;
let left: Host;
let right: Host;
let calls: { host: string; fn: string; id: number; ip: string }[];
/** Every IP packet that the wire carried: protocol and addresses. */
let wire: string[];

/** `6 172.16.0.1 > 172.16.0.2` of a packet whose IP header is at `at`. */
function header(view: DataView, at: number): string {
  return `${view.getUint8(at + 9)} ${inNtoa(view.getInt32(at + 12))} > ${inNtoa(view.getInt32(at + 16))}`;
}

/** 172.16.0.1 behind 10.0.0.1, 172.16.0.2 behind 10.0.0.2, and a tunnel between the two. */
beforeEach(() => {
  world = createWorld({ seed: 1, debug: true });
  const lan = createSwitch(world);
  const make = (name: string, n: number, far: number): Host => {
    const host = createHost({ world, name, nics: [{ device: virtioOn(lan), address: `10.0.0.${n}/24`, gateway: `10.0.0.${far}` }] });
    const lo = devGetByName(host.net, 'lo');
    expect(lo === null ? -1 : ipAddrAdd(lo, `172.16.0.${n}/32`)).toBe(0);
    host.addRoute({ dst: `172.16.0.${far}`, gateway: `10.0.0.${far}`, src: `172.16.0.${n}` });
    installXfrm(host.net);
    for (const [src, dst] of [[n, far], [far, n]]) expect(ipXfrmStateAdd(host.net, { src: `10.0.0.${src}`, dst: `10.0.0.${dst}`, spi: 0x100 + dst })).toBe(0);
    expect(ipXfrmPolicyAdd(host.net, {
      src: `172.16.0.${n}`, dst: `172.16.0.${far}`, tmpl: { dst: `10.0.0.${far}`, spi: 0x100 + far },
    })).toBe(0);
    return host;
  };
  left = make('left', 1, 2);
  right = make('right', 2, 1);
  calls = [];
  wire = [];
  const hit = (net: Net, fn: string, packet: TracedPacket | null): void => {
    if (packet === null) return;
    const skb = packet as TracedPacket & { networkHeader: number; view: DataView };
    const ip = skb.networkHeader < 0 ? '' : header(skb.view, skb.networkHeader);
    calls.push({ host: net.name, fn, id: packet.id, ip });
    if (fn === 'dev_queue_xmit' && skb.view.getUint16(skb.data + 12) === 0x0800) wire.push(header(skb.view, skb.data + 14));
  };
  for (const host of [left, right]) host.net.trace = { hit };
});

afterEach(async () => {
  await left.close();
  await right.close();
  assertNothingOpen(world);
});

const INNER = '17 172.16.0.1 > 172.16.0.2';
const OUTER = '50 10.0.0.1 > 10.0.0.2';

/** Sends one datagram of `length` octets from left to right; returns what came of it. */
async function datagram(length: number, to = '172.16.0.2'): Promise<number> {
  const out = sysCall(sysSocket(left.task, PF_INET, SOCK_DGRAM, 0), 'socket');
  const sink = sysCall(sysSocket(right.task, PF_INET, SOCK_DGRAM, 0), 'socket');
  sysCall(sysBind(right.task, sink, new SockAddrIn(0, 7)), 'bind');
  const receiving = sysRecv(right.task, sink, new Uint8Array(65536), 0);
  sysCall(sysSendto(left.task, out, new Uint8Array(length).fill(0x5a), 0, new SockAddrIn(inAton(to), 7)) as number, 'sendto');
  const n = await receiving;
  await sysClose(left.task, out);
  await sysClose(right.task, sink);
  return n;
}

test('the chain: dst_output calls xfrm4_output, then ip_output of the outer packet', async () => {
  expect(await datagram(10)).toBe(10);
  await idle(world);
  calls = [];
  expect(await datagram(10)).toBe(10);
  const id = calls.find((call) => call.fn === 'xfrm4_output')?.id;
  expect(calls.filter((call) => call.host === 'left' && call.id === id).map(({ fn, ip }) => `${fn} ${ip.split(' ')[0]}`)).toEqual([
    'NF_INET_LOCAL_OUT 17', 'dst_output 17', 'xfrm4_output 17', 'ip_output 50', 'ip_finish_output 50', 'NF_INET_POST_ROUTING 50', 'ip_finish_output2 50',
    'hh_output 50', 'dev_queue_xmit 50',
  ]);
  const up = calls.filter((call) => call.host === 'right' && call.ip !== '').map(({ fn, ip }) => `${fn} ${ip}`);
  const path = up.slice(up.indexOf(`NF_INET_PRE_ROUTING ${OUTER}`), up.indexOf(`ip_local_deliver_finish ${INNER}`) + 1);
  expect(path).toEqual([
    `NF_INET_PRE_ROUTING ${OUTER}`, `ip_rcv_finish ${OUTER}`, `ip_route_input ${OUTER}`, `dst_input ${OUTER}`, `ip_local_deliver ${OUTER}`,
    `NF_INET_LOCAL_IN ${OUTER}`, `ip_local_deliver_finish ${OUTER}`, `xfrm4_rcv ${OUTER}`, `netif_rx ${INNER}`, `netif_receive_skb ${INNER}`, `ip_rcv ${INNER}`,
    `NF_INET_PRE_ROUTING ${INNER}`, `ip_rcv_finish ${INNER}`, `ip_route_input ${INNER}`, `dst_input ${INNER}`, `ip_local_deliver ${INNER}`,
    `NF_INET_LOCAL_IN ${INNER}`, `ip_local_deliver_finish ${INNER}`,
  ]);
});

test('the inner packet is on no wire; a packet that no policy names goes as it is', async () => {
  await datagram(10);
  expect(wire).toEqual([OUTER]);
  wire = [];
  await datagram(10, '10.0.0.2');
  expect(wire).toEqual(['17 10.0.0.1 > 10.0.0.2']);
});

test('what the frame holds: SPI, sequence, the inner packet as it is, padding to 4 octets, next header IPv4 (RFC 4303 §2)', async () => {
  const frames: Uint8Array[] = [];
  const trace = { hit: (_net: Net, fn: string, packet: TracedPacket | null): void => {
    if (fn === 'xfrm4_rcv' && packet !== null) frames.push((packet as TracedPacket & { buf: Uint8Array }).buf.slice(packet.data, packet.data + packet.len));
  } };
  right.net.trace = trace;
  await datagram(9);
  await datagram(12);
  expect(frames.map((frame) => [...frame.subarray(0, 8)])).toEqual([[0, 0, 1, 2, 0, 0, 0, 1], [0, 0, 1, 2, 0, 0, 0, 2]]);
  // 8 in front, 20 + 8 + 9 inside, one octet of padding (its value is 1), its length, 4 for IPv4; and likewise with two.
  expect(frames.map((frame) => frame.length)).toEqual([48, 52]);
  expect([...frames[0].subarray(-4)]).toEqual([0x5a, 1, 1, 4]);
  expect([...frames[1].subarray(-5)]).toEqual([0x5a, 1, 2, 2, 4]);
});

test('the MTU inside is what the frame leaves; larger datagrams are cut outside', async () => {
  const fd = sysCall(sysSocket(left.task, PF_INET, SOCK_DGRAM, 0), 'socket');
  await sysConnect(left.task, fd, new SockAddrIn(inAton('172.16.0.2'), 7));
  // 1500 - 20 - 8 = 1472, a multiple of 4, less pad length and next header.
  expect(sysGetsockopt(left.task, fd, 0, 14)).toBe(1470);
  await sysClose(left.task, fd);
  expect(await datagram(20_000)).toBe(20_000);
  expect(new Set(wire)).toEqual(new Set([OUTER]));
});

test('TCP through it: its segments fit, and arrive', async () => {
  const listener = sysCall(sysSocket(right.task, PF_INET, SOCK_STREAM, 0), 'socket');
  sysCall(sysBind(right.task, listener, new SockAddrIn(0, 7)), 'bind');
  sysCall(sysListen(right.task, listener, 1), 'listen');
  const accepted = sysAccept(right.task, listener);
  const fd = sysCall(sysSocket(left.task, PF_INET, SOCK_STREAM, 0), 'socket');
  sysCall(await sysConnect(left.task, fd, new SockAddrIn(inAton('172.16.0.2'), 7)), 'connect');
  const peer = sysCall(await accepted, 'accept');
  const data = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7);
  const writing = (async () => {
    for (let at = 0; at < data.length; ) at += sysCall(await sysWrite(left.task, fd, data.subarray(at)), 'write');
    await sysClose(left.task, fd);
  })();
  const got = new Uint8Array(data.length);
  for (let at = 0; at < got.length; ) at += sysCall(await sysRead(right.task, peer, got.subarray(at)), 'read');
  await writing;
  await sysClose(right.task, peer);
  await sysClose(right.task, listener);
  await sleep(world, 120_000);
  expect(got).toEqual(data);
  expect(new Set(wire)).toEqual(new Set([OUTER, '50 10.0.0.2 > 10.0.0.1']));
  expect(left.show.counters()['IpFragCreates']).toBe(0);
});

test('a policy taken away: routes in use are made anew, without the tunnel', async () => {
  const fd = sysCall(sysSocket(left.task, PF_INET, SOCK_DGRAM, 0), 'socket');
  await sysConnect(left.task, fd, new SockAddrIn(inAton('172.16.0.2'), 9));
  await sysWrite(left.task, fd, new Uint8Array(10));
  await idle(world);
  expect(ipXfrmPolicyDel(left.net, { src: '172.16.0.1', dst: '172.16.0.2' })).toBe(0);
  wire = [];
  await sysWrite(left.task, fd, new Uint8Array(10)); // the error of the first
  await sysWrite(left.task, fd, new Uint8Array(10));
  await idle(world);
  expect(wire).toContain(INNER);
  await sysClose(left.task, fd);
  expect(ipRouteGet(left.net, '172.16.0.2')).toMatchObject({ gateway: '10.0.0.2' });
});

test('a broken frame, and one of no known SPI, is dropped and counted', async () => {
  for (const x of right.net.xfrm.states) x.spi = 99;
  const out = sysCall(sysSocket(left.task, PF_INET, SOCK_DGRAM, 0), 'socket');
  sysSendto(left.task, out, new Uint8Array(10), 0, new SockAddrIn(inAton('172.16.0.2'), 7));
  await idle(world);
  await sysClose(left.task, out);
  expect(calls.filter((call) => call.host === 'right' && call.ip === INNER)).toEqual([]);
  expect(calls.some((call) => call.fn === 'xfrm4_rcv')).toBe(true);
});
