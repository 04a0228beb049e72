/*
 * Identification of datagrams (RFC 791 §3.2, RFC 6864).
 *
 * A connected socket counts by itself (inetId). Other datagrams that may be fragmented draw from
 * counters that are chosen by a keyed hash of source, destination and protocol and move by a
 * random amount with time, so that an outsider learns nothing of the traffic to others. What may
 * not be fragmented has 0.
 */
import { randomBelow, randomU32, siphash3u32, siphashKeyInit } from '@stack/kernel';
import type { Net, SiphashKey } from '@stack/kernel';
import type { InetSock } from '@stack/inet-sock';
import type { SkBuff } from '@stack/skbuff';
import { IPSKB_IGNORE_DF, ipcbFlags } from './ip-cb.ts';
import { IPH_DADDR, IPH_FRAG_OFF, IPH_ID, IPH_PROTOCOL, IPH_SADDR, IP_DF } from './ip-header.ts';

/** Counters (a power of two). */
const IP_IDENTS_SZ = 1024;

/** The counters of a Net; made when the first datagram needs one. */
export class IpIdents {
  net: Net;
  ids: Int32Array | null;
  /** Jiffies at which each was drawn from last. */
  stamps: Int32Array | null;
  key: SiphashKey | null;

  constructor(net: Net) {
    this.net = net;
    this.ids = null;
    this.stamps = null;
    this.key = null;
  }
}

/** Draws `segs` consecutive identifications from counter `slot`; returns the first. */
function ipIdentsReserve(idents: IpIdents, ids: Int32Array, stamps: Int32Array, slot: number, segs: number): number {
  const world = idents.net.world;
  const idle = (world.jiffies - stamps[slot]) | 0;
  const delta = idle > 0 ? randomBelow(world.random, Math.min(idle, 0xffff)) : 0;
  stamps[slot] = world.jiffies;
  const first = (ids[slot] + delta) | 0;
  ids[slot] = (first + segs) | 0;
  return first;
}

/** Fills in the identification of the header at networkHeader, of a packet that will be `segs` datagrams. */
export function __ipSelectIdent(net: Net, skb: SkBuff, segs: number): void {
  const idents = net.ipv4.idents;
  if (idents.ids === null || idents.stamps === null || idents.key === null) {
    idents.ids = new Int32Array(IP_IDENTS_SZ);
    idents.stamps = new Int32Array(IP_IDENTS_SZ).fill(net.world.jiffies);
    for (let i = 0; i < IP_IDENTS_SZ; i++) idents.ids[i] = randomU32(net.world.random);
    idents.key = siphashKeyInit(net.world);
  }
  const view = skb.view;
  const at = skb.networkHeader;
  const hash = siphash3u32(view.getInt32(at + IPH_DADDR), view.getInt32(at + IPH_SADDR), view.getUint8(at + IPH_PROTOCOL), idents.key);
  const id = ipIdentsReserve(idents, idents.ids, idents.stamps, hash & (IP_IDENTS_SZ - 1), segs);
  view.setUint16(at + IPH_ID, id & 0xffff);
}

/** Fills in the identification of the header at networkHeader; sk may be null. */
export function ipSelectIdentSegs(net: Net, skb: SkBuff, sk: InetSock | null, segs: number): void {
  const at = skb.networkHeader;
  if (sk !== null && sk.inetDaddr !== 0) {
    skb.view.setUint16(at + IPH_ID, sk.inetId & 0xffff);
    sk.inetId = (sk.inetId + segs) & 0xffff;
    return;
  }
  const df = (skb.view.getUint16(at + IPH_FRAG_OFF) & IP_DF) !== 0;
  if (df && (ipcbFlags(skb) & IPSKB_IGNORE_DF) === 0) skb.view.setUint16(at + IPH_ID, 0);
  else __ipSelectIdent(net, skb, segs);
}

/** As ipSelectIdentSegs(), for one datagram. */
export function ipSelectIdent(net: Net, skb: SkBuff, sk: InetSock | null): void {
  ipSelectIdentSegs(net, skb, sk, 1);
}
