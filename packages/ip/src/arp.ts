/*
 * ARP (RFC 826): the resolver of IPv4 on links with hardware addresses.
 *
 * arpTableOps and the NeighOps tables are called by the neighbour layer: arpConstructor() for a
 * new entry, arpSolicit() to ask, arpErrorReport() when nobody answered. arpRcv() is the ETH_P_ARP
 * handler. Read first: RFC 826, RFC 1122 §2.3.2, RFC 5227 §2.4 (conflicts).
 */
import {
  EINVAL, HZ, SKB_DROP_REASON_ARP_GRATUITOUS, SKB_DROP_REASON_ARP_INVALID_ADDR, SKB_DROP_REASON_ARP_INVALID_HEADER,
  SKB_DROP_REASON_NEIGH_FAILED, SKB_DROP_REASON_NO_IN_DEVICE,
} from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { inNtoa, ipv4IsLoopback, ipv4IsMulticast } from '@stack/inet-sock';
import { AF_INET } from '@stack/socket';
import {
  NEIGH_UPDATE_F_OVERRIDE, NUD_NOARP, NUD_REACHABLE, NUD_STALE, NUD_VALID, neighConnectedOutput, neighCreate, neighDirectOutput,
  neighLookup, neighRelease, neighResolveOutput, neighUpdate,
} from '@stack/neigh';
import type { NeighOps, NeighTableOps, Neighbour } from '@stack/neigh';
import {
  ARPHRD_ETHER, ARPHRD_IEEE802, ETH_P_ARP, ETH_P_IP, IFF_LOOPBACK, IFF_NOARP, IFF_POINTOPOINT, PACKET_HOST, PACKET_LOOPBACK,
  PACKET_OTHERHOST, devQueueXmit,
} from '@stack/netdev';
import type { NetDevice, PacketType } from '@stack/netdev';
import { NFPROTO_ARP, nfHook } from '@stack/netfilter';
import { NET_RX_DROP, NET_RX_SUCCESS, consumeSkb, dstLinkFailure, kfreeSkbReason, pskbMayPull, skbShareCheck } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  ARPH_HLN, ARPH_HRD, ARPH_OP, ARPH_PLN, ARPH_PRO, ARPH_SHA, ARPOP_REPLY, ARPOP_REQUEST, NF_ARP_IN, arpHdrLen, arphSip, arphTha, arphTip,
} from './arp-header.ts';
import { arpAnnounce, arpSend } from './arp-send.ts';
import { fibLookup, inetDevAddrType } from './fib-lookup.ts';
import { RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST, RTN_UNICAST } from './fib.ts';
import { RT_SCOPE_HOST, RT_SCOPE_LINK } from './flow.ts';
import { inetAddrOnlink, inetConfirmAddr, inetSelectAddr } from './ifaddr.ts';
import { ipEthMcMap } from './igmp.ts';
import {
  inDevArpAccept, inDevArpAnnounce, inDevArpFilter, inDevArpIgnore, inDevDropGratuitousArp, inDevRouteLocalnet,
} from './inetdevice.ts';
import type { InDevice } from './inetdevice.ts';
import { ipHdrSaddr } from './ip-header.ts';

/** RFC 5227 §1.1: least time between two defences of an address. */
const DEFEND_INTERVAL = 10 * HZ;

/** Devices with a header cache: the first packet of a connected neighbour makes the cache. */
const arpHhOps: NeighOps = {
  family: AF_INET,
  solicit: arpSolicit,
  errorReport: arpErrorReport,
  output: neighResolveOutput,
  connectedOutput: neighResolveOutput,
  hhOutput: devQueueXmit,
  queueXmit: devQueueXmit,
};

/** Devices without one: every packet's header is made by the device. */
const arpGenericOps: NeighOps = {
  family: AF_INET,
  solicit: arpSolicit,
  errorReport: arpErrorReport,
  output: neighResolveOutput,
  connectedOutput: neighConnectedOutput,
  hhOutput: devQueueXmit,
  queueXmit: devQueueXmit,
};

/** Devices without link-layer header. */
const arpDirectOps: NeighOps = {
  family: AF_INET,
  solicit: arpSolicit,
  errorReport: arpErrorReport,
  output: neighDirectOutput,
  connectedOutput: neighDirectOutput,
  hhOutput: neighDirectOutput,
  queueXmit: devQueueXmit,
};

/** ARP's table (2.6's arp_tbl). */
export const arpTableOps: NeighTableOps = {
  id: 'arp_cache',
  family: AF_INET,
  protocol: ETH_P_IP,
  defaultOps: arpGenericOps,
  sysctlPath: 'net.ipv4.neigh',
  construct: arpConstructor,
  keyText: arpKeyText,
};

function arpKeyText(neigh: Neighbour): string {
  return inNtoa(neigh.primaryKey0);
}

/** A new entry: what needs no asking gets its address here. Returns 0 or -EINVAL (dev has no IPv4). */
function arpConstructor(neigh: Neighbour): number {
  const dev = neigh.dev;
  if (dev.ipPtr === null) return -EINVAL;
  const addr = neigh.primaryKey0;
  neigh.type = inetDevAddrType(dev.net, dev, addr);
  if (dev.headerOps === null) {
    neigh.nudState = NUD_NOARP;
    neigh.ops = arpDirectOps;
    neigh.output = neighDirectOutput;
    return 0;
  }
  if (neigh.type === RTN_MULTICAST) {
    neigh.nudState = NUD_NOARP;
    arpMcMap(addr, neigh.ha, dev);
  } else if ((dev.flags & (IFF_NOARP | IFF_LOOPBACK)) !== 0) {
    neigh.nudState = NUD_NOARP;
    neigh.ha.set(dev.devAddr);
  } else if (neigh.type === RTN_BROADCAST || (dev.flags & IFF_POINTOPOINT) !== 0) {
    neigh.nudState = NUD_NOARP;
    neigh.ha.set(dev.broadcast);
  }
  neigh.ops = dev.headerOps.cache !== null ? arpHhOps : arpGenericOps;
  neigh.output = (neigh.nudState & NUD_VALID) !== 0 ? neigh.ops.connectedOutput : neigh.ops.output;
  return 0;
}

/** The link-layer address of a group: Ethernet's own, or everybody. */
function arpMcMap(addr: number, ha: Uint8Array, dev: NetDevice): void {
  if (dev.type === ARPHRD_ETHER || dev.type === ARPHRD_IEEE802) ipEthMcMap(addr, ha);
  else ha.set(dev.broadcast);
}

function arpErrorReport(_neigh: Neighbour, skb: SkBuff): void {
  dstLinkFailure(skb);
  kfreeSkbReason(skb, SKB_DROP_REASON_NEIGH_FAILED);
}

/** The source address to ask with: that of the packet that waits if arp_announce lets it. */
function arpSolicitSource(inDev: InDevice, dev: NetDevice, target: number, skb: SkBuff | null): number {
  const announce = inDevArpAnnounce(inDev);
  if (announce < 2 && skb !== null && skb.protocol === ETH_P_IP) {
    const saddr = ipHdrSaddr(skb);
    if (inetDevAddrType(dev.net, null, saddr) === RTN_LOCAL && (announce === 0 || inetAddrOnlink(inDev, target, saddr))) return saddr;
  }
  return inetSelectAddr(dev.net, dev, target, RT_SCOPE_LINK);
}

/** NeighOps.solicit: in unicast to the address we had (RFC 1122 §2.3.2.1 (2)), then to everybody. */
function arpSolicit(neigh: Neighbour, skb: SkBuff | null): void {
  const dev = neigh.dev;
  const inDev = dev.ipPtr;
  if (inDev === null) return;
  const target = neigh.primaryKey0;
  const saddr = arpSolicitSource(inDev, dev, target, skb);
  const unicast = neigh.probes < neigh.parms.ucastSolicit;
  arpSend(ARPOP_REQUEST, target, dev, saddr, unicast ? neigh.ha : null, null, null);
}

/** The ETH_P_ARP handler: checks skb (consumed), data at the ARP header, and asks ARP_IN. */
export function arpRcv(skb: SkBuff, dev: NetDevice, _pt: PacketType, _origDev: NetDevice): number {
  const net = dev.net;
  if (net.trace !== null) net.trace.hit(net, 'arp_rcv', skb);
  if ((dev.flags & IFF_NOARP) !== 0 || skb.pktType === PACKET_OTHERHOST || skb.pktType === PACKET_LOOPBACK) {
    consumeSkb(skb);
    return NET_RX_SUCCESS;
  }
  const own = skbShareCheck(skb);
  if (own === null) return NET_RX_DROP;
  if (!pskbMayPull(own, arpHdrLen(dev.addrLen)) || own.view.getUint8(own.data + ARPH_HLN) !== dev.addrLen ||
    own.view.getUint8(own.data + ARPH_PLN) !== 4) {
    return arpDrop(own, SKB_DROP_REASON_ARP_INVALID_HEADER);
  }
  own.networkHeader = own.data;
  return nfHook(NFPROTO_ARP, NF_ARP_IN, own, dev, null, arpProcess);
}

function arpDrop(skb: SkBuff, reason: number): number {
  kfreeSkbReason(skb, reason);
  return NET_RX_DROP;
}

/** ARP_IN has let it pass. Takes skb. */
function arpProcess(skb: SkBuff): number {
  const dev = skb.dev;
  const inDev = dev === null ? null : dev.ipPtr;
  if (dev === null || inDev === null) return arpDrop(skb, SKB_DROP_REASON_NO_IN_DEVICE);
  if (!arpWellFormed(skb, dev)) return arpDrop(skb, SKB_DROP_REASON_ARP_INVALID_HEADER);
  const hln = dev.addrLen;
  const view = skb.view;
  const op = view.getUint16(skb.data + ARPH_OP);
  const sip = view.getInt32(skb.data + arphSip(hln));
  const tip = view.getInt32(skb.data + arphTip(hln));
  const useless = ipv4IsMulticast(tip) || (ipv4IsLoopback(tip) && !inDevRouteLocalnet(inDev));
  if (useless) return arpDrop(skb, SKB_DROP_REASON_ARP_INVALID_ADDR);
  if (sip === tip && inDevDropGratuitousArp(inDev)) return arpDrop(skb, SKB_DROP_REASON_ARP_GRATUITOUS);
  const sha = skb.buf.slice(skb.data + ARPH_SHA, skb.data + ARPH_SHA + hln);
  const handled = arpConflict(inDev, dev, sip, sha) || (op === ARPOP_REQUEST && arpAnswer(inDev, dev, sip, tip, sha));
  if (!handled) arpLearn(skb, inDev, dev, op, sip, tip, sha);
  consumeSkb(skb);
  return NET_RX_SUCCESS;
}

/** Ethernet or IEEE 802 hardware, IP protocol, request or reply. */
function arpWellFormed(skb: SkBuff, dev: NetDevice): boolean {
  const hrd = skb.view.getUint16(skb.data + ARPH_HRD);
  const op = skb.view.getUint16(skb.data + ARPH_OP);
  const ether = dev.type === ARPHRD_ETHER || dev.type === ARPHRD_IEEE802;
  if (ether ? hrd !== ARPHRD_ETHER && hrd !== ARPHRD_IEEE802 : hrd !== dev.type) return false;
  return skb.view.getUint16(skb.data + ARPH_PRO) === ETH_P_IP && (op === ARPOP_REQUEST || op === ARPOP_REPLY);
}

/** Whether a and the first octets of b are the same. */
function sameHw(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}

/**
 * RFC 5227 §2.4: somebody else on the link says that our address is at his. It is defended by one
 * announcement, but not again within DEFEND_INTERVAL, and kept: choice (c) there, for an address
 * that an administrator gave. Returns whether it was such a packet.
 */
function arpConflict(inDev: InDevice, dev: NetDevice, sip: number, sha: Uint8Array): boolean {
  for (let ifa = inDev.ifaList; ifa !== null; ifa = ifa.ifaNext) {
    if (ifa.ifaLocal !== sip || sameHw(sha, dev.devAddr)) continue;
    const now = inDev.net.world.jiffies;
    const defend = ifa.conflicts === 0 || ((now - ifa.lastConflict) | 0) > DEFEND_INTERVAL;
    ifa.conflicts++;
    ifa.lastConflict = now;
    if (defend) arpAnnounce(ifa);
    return true;
  }
  return false;
}

/** net.ipv4.conf.*.arp_ignore: whether a request for tip from sip is not to be answered on this device. */
function arpIgnore(inDev: InDevice, sip: number, tip: number): boolean {
  const net = inDev.net;
  switch (inDevArpIgnore(inDev)) {
    case 1: return inetConfirmAddr(net, inDev, 0, tip, RT_SCOPE_HOST) === 0;
    case 2: return inetConfirmAddr(net, inDev, sip, tip, RT_SCOPE_HOST) === 0;
    case 3: return inetConfirmAddr(net, null, 0, tip, RT_SCOPE_LINK) === 0;
    case 8: return true;
    default: return false;
  }
}

/** net.ipv4.conf.*.arp_filter: whether an answer to sip would leave by another device. */
function arpFilter(net: Net, sip: number, tip: number, dev: NetDevice): boolean {
  const fl = net.ipv4.lookupFlow;
  fl.daddr = sip;
  fl.saddr = tip;
  fl.flowi4Oif = 0;
  fl.flowi4Tos = 0;
  fl.flowi4Scope = 0;
  const res = net.ipv4.checkResult;
  return fibLookup(net, fl, res) !== 0 || res.nh === null || res.nh.dev !== dev;
}

/** A request: answered if it is for us; the asker is learned, for he is about to talk to us (RFC 826). Returns whether it was for us. */
function arpAnswer(inDev: InDevice, dev: NetDevice, sip: number, tip: number, sha: Uint8Array): boolean {
  const net = inDev.net;
  if (inetDevAddrType(net, null, tip) !== RTN_LOCAL || ipv4IsLoopback(tip)) return false;
  if (arpIgnore(inDev, sip, tip) || (inDevArpFilter(inDev) && sip !== 0 && arpFilter(net, sip, tip, dev))) return true;
  // RFC 5227 §2.1.1: sender 0 asks whether the address is taken, and has none to be learned.
  if (sip !== 0) {
    if (inetDevAddrType(net, null, sip) !== RTN_UNICAST) return true;
    const neigh = neighCreate(net.ipv4.arpTbl, sip, 0, 0, 0, dev);
    if (typeof neigh === 'number') return true;
    neighUpdate(neigh, sha, NUD_STALE, NEIGH_UPDATE_F_OVERRIDE);
    neighRelease(neigh);
  }
  arpSend(ARPOP_REPLY, sip, dev, tip, sha, null, sha);
  return true;
}

/** Whether the packet announces its sender's own address; a reply must then name him as target too. */
function arpIsGarp(skb: SkBuff, dev: NetDevice, op: number, sip: number, tip: number, sha: Uint8Array): boolean {
  if (sip !== tip) return false;
  if (op === ARPOP_REPLY) {
    const tha = skb.data + arphTha(dev.addrLen);
    for (let i = 0; i < dev.addrLen; i++) {
      if (skb.buf[tha + i] !== sha[i]) return false;
    }
  }
  return inetDevAddrType(dev.net, null, sip) === RTN_UNICAST;
}

/** What the packet says of its sender: updates the entry if there is one; arp_accept lets a gratuitous ARP make one. */
function arpLearn(skb: SkBuff, inDev: InDevice, dev: NetDevice, op: number, sip: number, tip: number, sha: Uint8Array): void {
  if (sip === 0) return;
  const table = inDev.net.ipv4.arpTbl;
  const garp = arpIsGarp(skb, dev, op, sip, tip, sha);
  let neigh = neighLookup(table, sip, 0, 0, 0, dev);
  if (neigh === null) {
    const wanted = inDevArpAccept(inDev) !== 0 && (garp || op === ARPOP_REPLY) && inetDevAddrType(inDev.net, null, sip) === RTN_UNICAST;
    const made = wanted ? neighCreate(table, sip, 0, 0, 0, dev) : 0;
    if (typeof made === 'number') return;
    neigh = made;
  }
  // Locktime: of several answers to one question the first counts (proxies).
  const since = (table.net.world.jiffies - neigh.updated) | 0;
  const override = garp || since > neigh.parms.locktime * (HZ / 100);
  const state = op === ARPOP_REPLY && skb.pktType === PACKET_HOST ? NUD_REACHABLE : NUD_STALE;
  neighUpdate(neigh, sha, state, override ? NEIGH_UPDATE_F_OVERRIDE : 0);
  neighRelease(neigh);
}

/** How netdev finds ARP. */
export const arpPacketType: PacketType = { type: ETH_P_ARP, dev: null, func: arpRcv, afPacketPriv: null };
