// The chapter's table, row by row: which headers of a frame the kernel builds, and which the user supplies, on sending; and with
// which of them what arrives is handed up.
import { idle } from '@stack/kernel';
import { inAton } from '@stack/inet-sock';
import { IP_HDRINCL, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '@stack/ip';
import { devAddPack, devRemovePack, ETH_HLEN, ETH_P_ALL, ETH_P_IP, PACKET_OUTGOING, type PacketType } from '@stack/netdev';
import { SockAddrLl } from '@stack/packet';
import { consumeSkb, csumFold, csumPartial, csumTcpudpNofold, NET_RX_SUCCESS, skbCopyBits } from '@stack/skbuff';
import {
  AF_INET, AF_PACKET, MSG_DONTWAIT, PF_INET, PF_PACKET, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, SOL_IP, sysAccept, sysBind, sysCall,
  sysConnect, sysListen, sysRecvfrom, sysSendto, sysSetsockopt, sysSocket, type SockAddr,
} from '@stack/socket';
import type { Host } from '@stack/host';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { A, addr, B, bytes, checksum, endRig, eth0, ethernet, ipv4, rawRig, type RawRig } from './support/raw-rig.ts';

type Maker = 'kernel' | 'user';

/** A row of the table. The payload is the user's in every one. */
interface Row {
  readonly socket: string;
  readonly L2: Maker;
  readonly L3: Maker;
  readonly L4: Maker;
  readonly family: number;
  readonly type: number;
  readonly hdrincl?: boolean;
  /** The outermost header that recvmsg hands up, or the payload alone. */
  readonly receives: 'L2' | 'L3' | 'payload';
}

const table: readonly Row[] = [
  { socket: 'PF_INET, SOCK_STREAM', L2: 'kernel', L3: 'kernel', L4: 'kernel', family: PF_INET, type: SOCK_STREAM, receives: 'payload' },
  { socket: 'PF_INET, SOCK_DGRAM', L2: 'kernel', L3: 'kernel', L4: 'kernel', family: PF_INET, type: SOCK_DGRAM, receives: 'payload' },
  { socket: 'PF_INET, SOCK_RAW', L2: 'kernel', L3: 'kernel', L4: 'user', family: PF_INET, type: SOCK_RAW, receives: 'L3' },
  { socket: 'PF_INET, SOCK_RAW, IP_HDRINCL', L2: 'kernel', L3: 'user', L4: 'user', family: PF_INET, type: SOCK_RAW, hdrincl: true, receives: 'L3' },
  { socket: 'PF_PACKET, SOCK_DGRAM', L2: 'kernel', L3: 'user', L4: 'user', family: PF_PACKET, type: SOCK_DGRAM, receives: 'L3' },
  { socket: 'PF_PACKET, SOCK_RAW', L2: 'user', L3: 'user', L4: 'user', family: PF_PACKET, type: SOCK_RAW, receives: 'L2' },
];

const IP_HLEN = 20;
const UDP_HLEN = 8;
const PORT = 7;
const PAYLOAD = bytes('the payload, of odd length');

let rig: RawRig;
/** The frames that b's card has received. */
let wire: Uint8Array[];

const tap: PacketType = {
  type: ETH_P_ALL,
  dev: null,
  func: (skb, dev) => {
    if (dev.net === rig.b.net && skb.pktType !== PACKET_OUTGOING) {
      const frame = new Uint8Array(ETH_HLEN + skb.len);
      skbCopyBits(skb, -ETH_HLEN, frame, 0, frame.length);
      wire.push(frame);
    }
    consumeSkb(skb);
    return NET_RX_SUCCESS;
  },
  afPacketPriv: null,
};

beforeEach(() => {
  rig = rawRig(true);
  wire = [];
  devAddPack(rig.b.net, tap);
});
afterEach(async () => {
  devRemovePack(rig.b.net, tap);
  await endRig(rig);
});

/** A UDP datagram from port to port, its checksum right. */
function udp(from: string, to: string): Uint8Array {
  const datagram = new Uint8Array(UDP_HLEN + PAYLOAD.length);
  const view = new DataView(datagram.buffer);
  view.setUint16(0, PORT);
  view.setUint16(2, PORT);
  view.setUint16(4, datagram.length);
  datagram.set(PAYLOAD, UDP_HLEN);
  const pseudo = csumTcpudpNofold(inAton(from), inAton(to), datagram.length, IPPROTO_UDP, 0);
  view.setUint16(6, csumFold(csumPartial(datagram, view, 0, datagram.length, pseudo)));
  return datagram;
}

/** The frame from a to b as a user writes it who writes all of it. */
function handmade(): Uint8Array {
  return ethernet(eth0(rig.b).devAddr, eth0(rig.a).devAddr, ETH_P_IP, ipv4(IPPROTO_UDP, A, B, udp(A, B)));
}

/** Where the part begins that the user supplies: at his outermost header. */
function userStart({ L2, L3, L4 }: Row, l4: number): number {
  if (L2 === 'user') return 0;
  if (L3 === 'user') return ETH_HLEN;
  return L4 === 'user' ? ETH_HLEN + IP_HLEN : l4;
}

/** The socket of a row, bound to PORT where it has ports. */
function open(host: Host, row: Row, protocol: number): number {
  const fd = sysCall(sysSocket(host.task, row.family, row.type, protocol), 'socket');
  if (row.hdrincl === true) sysCall(sysSetsockopt(host.task, fd, SOL_IP, IP_HDRINCL, 1), 'setsockopt');
  if (row.family === PF_INET && row.type === SOCK_DGRAM) sysCall(sysBind(host.task, fd, addr('0.0.0.0', PORT)), 'bind');
  return fd;
}

function destination(row: Row): SockAddr {
  const dev = eth0(rig.a);
  return row.family === PF_PACKET ? new SockAddrLl(ETH_P_IP, dev.ifindex, eth0(rig.b).devAddr) : addr(B, PORT);
}

/** The one frame of protocol `protocol` among those received that carries the payload. */
function frameOf(protocol: number): Uint8Array {
  const found = wire.filter((frame) => frame[ETH_HLEN + 9] === protocol && Buffer.from(frame).includes(Buffer.from(PAYLOAD)));
  expect(found.length).toBe(1);
  return found[0] as Uint8Array;
}

function checkL2(frame: Uint8Array): void {
  expect([...frame.subarray(0, ETH_HLEN)]).toEqual([...handmade().subarray(0, ETH_HLEN)]);
}

function checkL3(frame: Uint8Array, protocol: number): void {
  const view = new DataView(frame.buffer, ETH_HLEN);
  expect([view.getUint8(0), view.getUint16(2), view.getUint8(9)]).toEqual([0x45, frame.length - ETH_HLEN, protocol]);
  expect([view.getInt32(12), view.getInt32(16), checksum(frame.subarray(ETH_HLEN, ETH_HLEN + IP_HLEN))]).toEqual([inAton(A), inAton(B), 0]);
}

/** Ports and checksum, which cover the payload too. */
function checkL4(frame: Uint8Array, protocol: number, sport: number): void {
  const at = ETH_HLEN + IP_HLEN;
  const view = new DataView(frame.buffer, at);
  expect([view.getUint16(0), view.getUint16(2)]).toEqual([sport, PORT]);
  const len = frame.length - at;
  const pseudo = csumTcpudpNofold(inAton(A), inAton(B), len, protocol, 0);
  expect(csumFold(csumPartial(frame, new DataView(frame.buffer), at, len, pseudo))).toBe(0);
}

/** A connection from a to b, with its two ends. */
async function connection(): Promise<{ from: number; to: number }> {
  const listener = sysCall(sysSocket(rig.b.task, PF_INET, SOCK_STREAM, 0), 'socket');
  sysCall(sysBind(rig.b.task, listener, addr('0.0.0.0', PORT)), 'bind');
  sysCall(sysListen(rig.b.task, listener, 1), 'listen');
  const from = sysCall(sysSocket(rig.a.task, PF_INET, SOCK_STREAM, 0), 'socket');
  sysCall(sysBind(rig.a.task, from, addr('0.0.0.0', PORT)), 'bind');
  sysCall(await sysConnect(rig.a.task, from, addr(B, PORT)), 'connect');
  return { from, to: sysCall(await sysAccept(rig.b.task, listener), 'accept') };
}

describe.each(table.map((row) => [row.socket, row] as const))('%s', (_name, row) => {
  const stream = row.type === SOCK_STREAM;
  const protocol = stream ? IPPROTO_TCP : IPPROTO_UDP;
  const raw = row.family === PF_INET && row.type === SOCK_RAW;

  test(`sending: L2 ${row.L2}, L3 ${row.L3}, L4 ${row.L4}, payload user`, async () => {
    const fd = stream ? (await connection()).from : open(rig.a, row, raw ? IPPROTO_UDP : 0);
    const l4 = ETH_HLEN + IP_HLEN + UDP_HLEN;
    const given = handmade().subarray(userStart(row, l4));
    const to = stream ? null : destination(row);
    expect(sysSendto(rig.a.task, fd, given, MSG_DONTWAIT, to)).toBe(given.length);
    await idle(rig.world);

    const frame = frameOf(protocol);
    expect([...frame.subarray(frame.length - given.length)]).toEqual([...given]);
    checkL2(frame);
    checkL3(frame, protocol);
    checkL4(frame, protocol, PORT);
    // What is not the user's is the kernel's, and nothing else is there.
    const made = frame.length - given.length;
    const tcp = stream ? ((frame[ETH_HLEN + IP_HLEN + 12] ?? 0) >> 4) * 4 : UDP_HLEN;
    expect(made).toBe(userStart(row, ETH_HLEN + IP_HLEN + tcp));
  });

  test(`receiving: ${row.receives === 'payload' ? 'the payload alone' : `from ${row.receives} on`}`, async () => {
    const buffer = new Uint8Array(2048);
    let expected: Uint8Array;
    let fd: number;
    if (stream) {
      const ends = await connection();
      fd = ends.to;
      sysSendto(rig.a.task, ends.from, PAYLOAD, MSG_DONTWAIT, null);
      await idle(rig.world);
      expected = frameOf(protocol).subarray(-PAYLOAD.length);
    } else {
      fd = open(rig.b, row, row.family === PF_PACKET ? ETH_P_IP : protocol);
      const sender = sysCall(sysSocket(rig.a.task, PF_PACKET, SOCK_RAW, 0), 'socket');
      sysCall(sysSendto(rig.a.task, sender, handmade(), MSG_DONTWAIT, destination({ ...row, family: PF_PACKET })) as number, 'sendto');
      await idle(rig.world);
      const frame = frameOf(protocol);
      expect([...frame]).toEqual([...handmade()]);
      expected = frame.subarray({ L2: 0, L3: ETH_HLEN, payload: ETH_HLEN + IP_HLEN + UDP_HLEN }[row.receives]);
    }
    const from = row.family === PF_PACKET ? new SockAddrLl() : addr('0.0.0.0');
    const n = await sysRecvfrom(rig.b.task, fd, buffer, MSG_DONTWAIT, from);
    expect([...buffer.subarray(0, n)]).toEqual([...expected]);
    if (!stream) expect(from.saFamily).toBe(row.family === PF_PACKET ? AF_PACKET : AF_INET);
  });
});

test('a ping socket is SOCK_DGRAM, and yet its ICMP header is the user\'s: identifier and checksum are the kernel\'s', async () => {
  const fd = sysCall(sysSocket(rig.a.task, PF_INET, SOCK_DGRAM, IPPROTO_ICMP), 'socket');
  const message = new Uint8Array(8 + PAYLOAD.length);
  message.set([8, 0, 0xff, 0xff, 0xff, 0xff, 0, 5]);
  message.set(PAYLOAD, 8);
  expect(sysSendto(rig.a.task, fd, message, MSG_DONTWAIT, addr(B))).toBe(message.length);
  await idle(rig.world);
  const frame = frameOf(IPPROTO_ICMP);
  checkL2(frame);
  checkL3(frame, IPPROTO_ICMP);
  const icmp = frame.subarray(ETH_HLEN + IP_HLEN);
  expect([[...icmp.subarray(0, 2)], [...icmp.subarray(6)], checksum(icmp)]).toEqual([[8, 0], [...message.subarray(6)], 0]);
  expect([icmp[4], icmp[5]]).not.toEqual([0xff, 0xff]);
});
