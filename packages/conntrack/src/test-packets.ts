// Packets for tests of tracking and NAT: a host with hooks and nothing else, packets made field by field, and their way through.
import { inAton } from '@stack/inet-sock';
import { createNet, createWorld } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { NFPROTO_IPV4, NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING, installNetfilter, nfHook } from '@stack/netfilter';
import { allocSkb, consumeSkb, csumFold, csumPartial, csumTcpudpMagic, csumTcpudpNofold, installSkbuff, skbPut, skbReserve } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { nfCtGet } from './nf-conn.ts';
import { installConntrack } from './nf-conntrack-install.ts';

export const A = '10.0.0.1';
export const B = '192.0.2.1';

/** A host that tracks, in a World in debug mode. */
export function trackingNet(): Net {
  const world = createWorld({ seed: 1, debug: true });
  installSkbuff(world);
  const net = createNet(world, { name: 'router' });
  installNetfilter(net);
  installConntrack(net);
  return net;
}

export interface Fields {
  readonly saddr?: string;
  readonly daddr?: string;
  readonly sport?: number;
  readonly dport?: number;
  /** TCP: letters of S A F R P. */
  readonly flags?: string;
  readonly seq?: number;
  readonly ack?: number;
  readonly win?: number;
  readonly options?: readonly number[];
  /** ICMP. */
  readonly type?: number;
  readonly code?: number;
  readonly id?: number;
  /** Octets behind the transport's header. */
  readonly payload?: Uint8Array;
}

function tcpSegment(f: Fields): Uint8Array {
  const options = f.options ?? [];
  const hlen = 20 + options.length;
  const bytes = new Uint8Array(hlen + (f.payload?.length ?? 0));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, f.sport ?? 1000);
  view.setUint16(2, f.dport ?? 80);
  view.setInt32(4, f.seq ?? 0);
  view.setInt32(8, f.ack ?? 0);
  view.setUint8(12, (hlen / 4) << 4);
  for (const letter of f.flags ?? '') bytes[13] |= { F: 1, S: 2, R: 4, P: 8, A: 16 }[letter] ?? 0;
  view.setUint16(14, f.win ?? 10_000);
  bytes.set(options, 20);
  bytes.set(f.payload ?? [], hlen);
  return bytes;
}

function udpDatagram(f: Fields): Uint8Array {
  const bytes = new Uint8Array(8 + (f.payload?.length ?? 0));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, f.sport ?? 1000);
  view.setUint16(2, f.dport ?? 53);
  view.setUint16(4, bytes.length);
  bytes.set(f.payload ?? [], 8);
  return bytes;
}

function icmpMessage(f: Fields): Uint8Array {
  const bytes = new Uint8Array(8 + (f.payload?.length ?? 0));
  const view = new DataView(bytes.buffer);
  view.setUint8(0, f.type ?? 8);
  view.setUint8(1, f.code ?? 0);
  view.setUint16(4, f.id ?? 0);
  bytes.set(f.payload ?? [], 8);
  return bytes;
}

/** Where a protocol has its checksum; -1 where it has none. */
function checkOffset(protocol: number): number {
  return protocol === 6 ? 16 : protocol === 17 ? 6 : protocol === 1 ? 2 : -1;
}

/** An IP packet as octets, all checksums right. */
export function ipBytes(protocol: number, f: Fields): Uint8Array {
  const body = protocol === 6 ? tcpSegment(f) : protocol === 17 ? udpDatagram(f) : protocol === 1 ? icmpMessage(f) : (f.payload ?? new Uint8Array(8));
  const bytes = new Uint8Array(20 + body.length);
  const view = new DataView(bytes.buffer);
  bytes.set(body, 20);
  view.setInt32(0, 0x45000000 | bytes.length);
  view.setInt32(8, (64 << 24) | (protocol << 16));
  const [saddr, daddr] = [inAton(f.saddr ?? A), inAton(f.daddr ?? B)];
  view.setInt32(12, saddr);
  view.setInt32(16, daddr);
  view.setUint16(10, csumFold(csumPartial(bytes, view, 0, 20, 0)));
  const check = checkOffset(protocol);
  const sum = csumPartial(bytes, view, 20, body.length, 0);
  if (check >= 0) view.setUint16(20 + check, protocol === 1 ? csumFold(sum) : csumTcpudpMagic(saddr, daddr, body.length, protocol, sum));
  return bytes;
}

/** Octets as a packet, data at the IP header. */
export function packetOf(net: Net, bytes: Uint8Array): SkBuff {
  const skb = allocSkb(net, 64 + bytes.length);
  if (skb === null) throw new Error('ENOMEM');
  skbReserve(skb, 64);
  skb.buf.set(bytes, skbPut(skb, bytes.length));
  skb.networkHeader = skb.data;
  skb.transportHeader = skb.data + ((bytes[0]! & 15) << 2);
  return skb;
}

/** What became of a packet that was forwarded. */
export interface Passed {
  /** False: a hook dropped it. */
  readonly accepted: boolean;
  /** NF_CT info of its connection; null: it has none. */
  readonly ctinfo: number | null;
  /** As it left. */
  readonly bytes: Uint8Array;
}

/** Whether the IP header's and the transport's checksum of a packet are right. */
export function checksumsRight(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const protocol = bytes[9]!;
  const len = bytes.length - 20;
  if (csumFold(csumPartial(bytes, view, 0, 20, 0)) !== 0) return false;
  const pseudo = protocol === 1 ? 0 : csumTcpudpNofold(view.getInt32(12), view.getInt32(16), len, protocol, 0);
  return csumFold(csumPartial(bytes, view, 20, len, pseudo)) === 0;
}

class Forwarding {
  left: Passed = { accepted: false, ctinfo: null, bytes: new Uint8Array(0) };
}

/** Takes a packet through PRE_ROUTING and POST_ROUTING, as forwarding does. */
export function forward(skb: SkBuff): Passed {
  const state = new Forwarding();
  const leave = (at: SkBuff): number => {
    const bytes = at.buf.slice(at.data, at.tail);
    state.left = { accepted: true, ctinfo: nfCtGet(at) === null ? null : at.nfctinfo, bytes };
    consumeSkb(at);
    return 0;
  };
  nfHook(NFPROTO_IPV4, NF_INET_PRE_ROUTING, skb, null, null, (at) => nfHook(NFPROTO_IPV4, NF_INET_POST_ROUTING, at, null, null, leave));
  return state.left;
}
