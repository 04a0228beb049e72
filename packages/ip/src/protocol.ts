/*
 * inet_protos: how IP calls the transports it does not know, by protocol number.
 *
 * A transport registers one constant InetProtocol with inetAddProtocol(), a NetOffload for
 * cutting and merging with inetAddOffload(). Raw sockets come in by RawOps, which the family fills.
 */
import { EEXIST, EINVAL, ENOENT } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import type { InetSock } from '@stack/inet-sock';
import type { SkBuff, SkBuffHead } from '@stack/skbuff';
import type { Flowi4 } from './flow.ts';
import { MAX_INET_PROTOS } from './ip-header.ts';
import type { Rtable } from './rtable.ts';

/** A transport, as IP sees it (today's net_protocol). */
export interface InetProtocol {
  /**
   * Takes skb, data at the transport header, networkHeader at IP's. It owns skb from then on.
   * Returns 0 (or more), or -n to have the same packet, which is then not consumed, given to protocol n.
   */
  readonly handler: (skb: SkBuff) => number;
  /**
   * An ICMP error about a packet of this protocol (null: not interested). skb stays the caller's;
   * its data is at the IP header that came back inside the message, followed by at least 8 octets
   * of the transport's; networkHeader is the message's own. info is the next hop's MTU for
   * ICMP_FRAG_NEEDED, the gateway for a redirect, the pointer for a parameter problem; type and
   * code are icmpErrType(skb) and icmpErrCode(skb). Returns 0, or -ENOENT if no socket was found.
   */
  readonly errHandler: ((skb: SkBuff, info: number) => number) | null;
  /** INET_PROTO_* */
  readonly flags: number;
}

/** The transport checks IPsec policy itself: connection tracking is not taken off its packets before. */
export const INET_PROTO_NO_POLICY = 1;

/** The transport tells forged ICMP errors from true ones (RFC 5927 §4): with ip_no_pmtu_disc 3 only such ones hear of MTUs. */
export const INET_PROTO_ICMP_STRICT = 2;

/** A transport's part in segmentation offload. */
export interface NetOffload {
  /**
   * Cuts skb (which stays the caller's), data at the transport header, into segments linked by
   * `next`, each with all its headers in front; or -errno.
   */
  readonly gsoSegment: (skb: SkBuff, features: number) => SkBuff | number;
  /**
   * PacketOffload.groReceive one layer up: skb linear, its checksum not verified yet, data at the IP
   * header, transportHeader set. Null: not merged.
   */
  readonly groReceive: ((held: SkBuffHead, skb: SkBuff) => SkBuff | null) | null;
  /** Puts the transport header of a merged packet right, transportHeader set. Returns 0 or -errno. Null where groReceive is. */
  readonly groComplete: ((skb: SkBuff) => number) | null;
}

/** What the raw sockets of the family give to IP. */
export interface RawOps {
  /** Gives every raw socket that wants it a copy of skb (lent), data at the transport header. Returns whether there was one. */
  readonly localDeliver: (skb: SkBuff, protocol: number) => boolean;
  /** An ICMP error for raw sockets, as InetProtocol.errHandler. */
  readonly icmpError: (skb: SkBuff, protocol: number, info: number) => void;
  /** Gives skb (consumed), data at the IP header, to the raw socket sk (the kernel's raw_rcv): a packet with router alert. */
  readonly rcv: (sk: InetSock, skb: SkBuff) => void;
}

/** What the ping sockets of the family give to ICMP. */
export interface PingOps {
  /** An echo reply (lent), data behind its ICMP header, transportHeader at that. Returns whether a socket waited for it. */
  readonly rcv: (skb: SkBuff) => boolean;
  /** An ICMP error about an ICMP message of ours, as InetProtocol.errHandler. */
  readonly err: (skb: SkBuff, info: number) => void;
}

/** What transformations (IPsec) give to IP. */
export interface XfrmOps {
  /**
   * The route of a packet made here is known: rt (taken over). Returns it, or another whose outputs
   * are chained: each wraps the packet, moves skb.dst on and returns NET_XMIT_BYPASS, and the last is ipOutput. Or -errno.
   */
  readonly lookup: (net: Net, rt: Rtable, fl: Flowi4) => Rtable | number;
}

/** An empty table of protocols. */
export function inetProtosNew<T>(): (T | null)[] {
  return new Array<T | null>(MAX_INET_PROTOS).fill(null);
}

/** Registers a transport under its number. Returns 0, -EINVAL, or -EEXIST if the number is taken. */
export function inetAddProtocol(net: Net, prot: InetProtocol, protocol: number): number {
  return tableAdd(net.ipv4.inetProtos, prot, protocol);
}

/** Takes a transport out. Returns 0, or -ENOENT if it is not the one registered. */
export function inetDelProtocol(net: Net, prot: InetProtocol, protocol: number): number {
  return tableDel(net.ipv4.inetProtos, prot, protocol);
}

/** Registers a transport's offload. Returns 0, -EINVAL, or -EEXIST. */
export function inetAddOffload(net: Net, offload: NetOffload, protocol: number): number {
  return tableAdd(net.ipv4.inetOffloads, offload, protocol);
}

/** Takes a transport's offload out. Returns 0, or -ENOENT. */
export function inetDelOffload(net: Net, offload: NetOffload, protocol: number): number {
  return tableDel(net.ipv4.inetOffloads, offload, protocol);
}

/** Registers the family's raw sockets. Returns 0, or -EEXIST. */
export function inetAddRawOps(net: Net, ops: RawOps): number {
  if (net.ipv4.rawOps !== null) return -EEXIST;
  net.ipv4.rawOps = ops;
  return 0;
}

/** Takes them out. Returns 0, or -ENOENT. */
export function inetDelRawOps(net: Net, ops: RawOps): number {
  if (net.ipv4.rawOps !== ops) return -ENOENT;
  net.ipv4.rawOps = null;
  return 0;
}

/** Registers the family's ping sockets. Returns 0, or -EEXIST. */
export function inetAddPingOps(net: Net, ops: PingOps): number {
  if (net.ipv4.pingOps !== null) return -EEXIST;
  net.ipv4.pingOps = ops;
  return 0;
}

/** Takes them out. Returns 0, or -ENOENT. */
export function inetDelPingOps(net: Net, ops: PingOps): number {
  if (net.ipv4.pingOps !== ops) return -ENOENT;
  net.ipv4.pingOps = null;
  return 0;
}

/** Registers transformations. Returns 0, or -EEXIST. */
export function inetAddXfrmOps(net: Net, ops: XfrmOps): number {
  if (net.ipv4.xfrmOps !== null) return -EEXIST;
  net.ipv4.xfrmOps = ops;
  return 0;
}

/** Takes them out. Returns 0, or -ENOENT. */
export function inetDelXfrmOps(net: Net, ops: XfrmOps): number {
  if (net.ipv4.xfrmOps !== ops) return -ENOENT;
  net.ipv4.xfrmOps = null;
  return 0;
}

function tableAdd<T>(table: (T | null)[], entry: T, protocol: number): number {
  if (protocol < 0 || protocol >= MAX_INET_PROTOS) return -EINVAL;
  if (table[protocol] !== null) return -EEXIST;
  table[protocol] = entry;
  return 0;
}

function tableDel<T>(table: (T | null)[], entry: T, protocol: number): number {
  if (table[protocol] !== entry) return -ENOENT;
  table[protocol] = null;
  return 0;
}
