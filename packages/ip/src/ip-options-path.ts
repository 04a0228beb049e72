/*
 * IP options of packets under way: those that arrive, go on, are made here, or are answered.
 * The list itself is understood in ip-options.ts.
 */
import { EINVAL } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { PACKET_HOST } from '@stack/netdev';
import { dstRelease, skbCow, skbHeadroom } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { fibComputeSpecDst } from './fib-frontend.ts';
import { RTN_LOCAL, RTN_UNICAST } from './fib.ts';
import { ICMP_PARAMETERPROB } from './icmp-types.ts';
import { icmpSend } from './icmp-send.ts';
import { inDevSourceRoute } from './inetdevice.ts';
import {
  IPOPT_F_IS_CHANGED, IPOPT_F_RR_NEEDADDR, IPOPT_F_SRR_IS_HIT, IPOPT_F_STRICTROUTE, IPOPT_F_TS_NEEDADDR, ipcbNexthop, ipcbOptFlags,
  ipcbOptlen, ipcbRr, ipcbSetNexthop, ipcbSetOptFlags, ipcbSetOptlen, ipcbSetOpts, ipcbSrr, ipcbTs,
} from './ip-cb.ts';
import {
  IPH_DADDR, IPH_OPTIONS, IPTOS_RT_MASK, IP_HDR_LEN, ipHdrSaddr, ipHdrTos, ipHdrlen, ipSendCheck,
} from './ip-header.ts';
import {
  IPOPT_END, IPOPT_LSRR, IPOPT_RR, IPOPT_SSRR, IPOPT_TIMESTAMP, IpOptions, MAX_IPOPTLEN, ipOptionsCompile, optionLength,
} from './ip-options.ts';
import { ipRouteInput } from './route-input.ts';
import type { Rtable } from './rtable.ts';

/** Offset in the header of the destination address: what the pointer of a parameter problem says. */
const POINTER_DADDR = IPH_DADDR;

/** Checks and enters the options of a packet that arrived, its route known. skb stays the caller's. Returns whether it must be dropped (the sender has been told). */
export function ipRcvOptions(skb: SkBuff, dev: NetDevice): boolean {
  const net = skb.net;
  if (skbCow(skb, skbHeadroom(skb)) !== 0) return true;
  const opt = new IpOptions();
  const optlen = ipHdrlen(skb) - IP_HDR_LEN;
  const addr = fibComputeSpecDst(skb);
  if (ipOptionsCompile(net, skb.view, skb.networkHeader, optlen, addr, opt) !== 0) {
    icmpSend(skb, ICMP_PARAMETERPROB, 0, opt.error << 24);
    return true;
  }
  ipcbSetOptlen(skb, optlen);
  ipcbSetOpts(skb, opt.srr, opt.rr, opt.ts);
  ipcbSetOptFlags(skb, opt.flags);
  let bad = false;
  if (opt.srr !== 0) {
    const inDev = dev.ipPtr;
    bad = inDev === null || !inDevSourceRoute(inDev) || ipOptionsRcvSrr(skb, dev) !== 0;
  }
  if ((ipcbOptFlags(skb) & IPOPT_F_IS_CHANGED) !== 0) ipSendCheck(skb, skb.networkHeader, ipHdrlen(skb) >> 2);
  return bad;
}

/** The packet names its own way (RFC 791 §3.1): its next hop is the next address of the list that is not ours. 0 or -EINVAL. */
function ipOptionsRcvSrr(skb: SkBuff, dev: NetDevice): number {
  const rt = skb.dst as Rtable | null;
  if (rt === null || skb.pktType !== PACKET_HOST) return -EINVAL;
  if (rt.rtType === RTN_UNICAST) {
    // Not for us yet: a strict route would have named us.
    if ((ipcbOptFlags(skb) & IPOPT_F_STRICTROUTE) === 0) return 0;
    icmpSend(skb, ICMP_PARAMETERPROB, 0, POINTER_DADDR << 24);
    return -EINVAL;
  }
  if (rt.rtType !== RTN_LOCAL) return -EINVAL;
  const srr = ipcbSrr(skb);
  const p = skb.networkHeader + srr;
  const space = skb.view.getUint8(p + 1);
  for (let ptr = skb.view.getUint8(p + 2); ptr <= space; ptr += 4) {
    if (ptr + 3 > space) {
      icmpSend(skb, ICMP_PARAMETERPROB, 0, (srr + 2) << 24);
      return -EINVAL;
    }
    const nexthop = skb.view.getInt32(p + ptr - 1);
    const type = srrRoute(skb, nexthop, rt, dev);
    if (type < 0) return type;
    if (type === RTN_LOCAL) {
      skb.view.setInt32(skb.networkHeader + IPH_DADDR, nexthop);
      ipcbSetOptFlags(skb, ipcbOptFlags(skb) | IPOPT_F_IS_CHANGED);
      continue;
    }
    ipcbSetNexthop(skb, nexthop);
    ipcbSetOptFlags(skb, ipcbOptFlags(skb) | IPOPT_F_SRR_IS_HIT | IPOPT_F_IS_CHANGED);
    return 0;
  }
  return 0;
}

/** Gives skb the route to nexthop in the place of rt. Returns its type, or -EINVAL with rt in place. */
function srrRoute(skb: SkBuff, nexthop: number, rt: Rtable, dev: NetDevice): number {
  skb.dst = null;
  const error = ipRouteInput(skb, nexthop, ipHdrSaddr(skb), ipHdrTos(skb) & IPTOS_RT_MASK, dev);
  const rt2 = skb.dst as Rtable | null;
  if (error === 0 && rt2 !== null && (rt2.rtType === RTN_UNICAST || rt2.rtType === RTN_LOCAL)) {
    if (rt2.rtType === RTN_LOCAL) {
      dstRelease(rt2);
      skb.dst = rt;
    } else {
      dstRelease(rt);
    }
    return rt2.rtType;
  }
  dstRelease(rt2);
  skb.dst = rt;
  return -EINVAL;
}

/** The address of ours by which a packet on route rt leaves. */
function ipRtGetSource(skb: SkBuff, rt: Rtable): number {
  if (!rt.rtIsInput) return rt.rtSrc;
  const inDev = rt.dev === null ? null : rt.dev.ipPtr;
  for (let ifa = inDev === null ? null : inDev.ifaList; ifa !== null; ifa = ifa.ifaNext) {
    if (((rt.rtGateway ^ ifa.ifaAddress) & ifa.ifaMask) === 0) return ifa.ifaLocal;
  }
  return inDev?.ifaList?.ifaLocal ?? fibComputeSpecDst(skb);
}

/** A packet with options goes on: puts in the address by which it leaves, and the next hop of a source route. The header is ours to write. */
export function ipForwardOptions(skb: SkBuff): void {
  const rt = skb.dst as Rtable | null;
  if (rt === null || ipcbOptlen(skb) === 0) return;
  const view = skb.view;
  const at = skb.networkHeader;
  const flags = ipcbOptFlags(skb);
  if ((flags & IPOPT_F_RR_NEEDADDR) !== 0) {
    const p = at + ipcbRr(skb);
    view.setInt32(p + view.getUint8(p + 2) - 5, ipRtGetSource(skb, rt));
  }
  if ((flags & IPOPT_F_TS_NEEDADDR) !== 0) {
    const p = at + ipcbTs(skb);
    view.setInt32(p + view.getUint8(p + 2) - 9, ipRtGetSource(skb, rt));
  }
  if ((flags & IPOPT_F_SRR_IS_HIT) !== 0) {
    const p = at + ipcbSrr(skb);
    const ptr = view.getUint8(p + 2);
    view.setInt32(p + ptr - 1, ipRtGetSource(skb, rt));
    view.setInt32(at + IPH_DADDR, ipcbNexthop(skb));
    view.setUint8(p + 2, ptr + 4);
  }
  if ((flags & IPOPT_F_IS_CHANGED) !== 0) ipSendCheck(skb, at, ipHdrlen(skb) >> 2);
}

/** Puts the options `bytes` (a multiple of 4) into the header at networkHeader, whose room is pushed already, and enters saddr and the time. */
export function ipOptionsBuild(net: Net, skb: SkBuff, bytes: Uint8Array, saddr: number): void {
  const at = skb.networkHeader;
  for (let i = 0; i < bytes.length; i++) skb.buf[at + IPH_OPTIONS + i] = bytes[i];
  const opt = new IpOptions();
  ipOptionsCompile(net, skb.view, at, bytes.length, saddr, opt);
  ipcbSetOptlen(skb, bytes.length);
  ipcbSetOpts(skb, opt.srr, opt.rr, opt.ts);
}

/**
 * The options of an answer to skb (RFC 1122 §3.2.2.6): record route and time stamp as they came,
 * a source route the other way round. null for none. An answer with a source route goes first to
 * the address that ipOptionsFirstHop() reads from it.
 */
export function ipOptionsEcho(skb: SkBuff): Uint8Array | null {
  const optlen = ipHdrlen(skb) - IP_HDR_LEN;
  if (optlen === 0) return null;
  const out = new Uint8Array(MAX_IPOPTLEN).fill(0);
  let n = 0;
  const end = skb.networkHeader + IPH_OPTIONS + optlen;
  for (let p = skb.networkHeader + IPH_OPTIONS; p < end; ) {
    const type = skb.view.getUint8(p);
    const len = optionLength(skb.view, p, end - p);
    if (len === 0 || type === 0) break;
    if (type === IPOPT_RR || type === IPOPT_TIMESTAMP) {
      for (let i = 0; i < len; i++) out[n + i] = skb.buf[p + i];
      n += len;
    } else if (type === IPOPT_LSRR || type === IPOPT_SSRR) {
      n = echoSourceRoute(skb, p, out, n);
    }
    p += len;
  }
  while ((n & 3) !== 0) out[n++] = IPOPT_END;
  return n === 0 ? null : out.slice(0, n);
}

/** Appends the way back along the addresses that the source route has passed; its last stop is the sender. */
function echoSourceRoute(skb: SkBuff, p: number, out: Uint8Array, n: number): number {
  const view = skb.view;
  const passed = Math.min(view.getUint8(p + 2), view.getUint8(p + 1) + 1) - 4;
  const hops = passed >> 2;
  if (hops <= 0) return n;
  const o = new DataView(out.buffer);
  out[n] = view.getUint8(p);
  out[n + 1] = 3 + hops * 4;
  out[n + 2] = 4;
  // The first stop back is where the packet came through last; it becomes the destination, so the list begins behind it.
  for (let i = hops - 2, slot = 0; i >= 0; i--, slot++) o.setInt32(n + 3 + slot * 4, view.getInt32(p + 3 + i * 4));
  o.setInt32(n + 3 + (hops - 1) * 4, ipHdrSaddr(skb));
  return n + 3 + hops * 4;
}

/** The first stop of an answer to skb: the last address of its source route, or its sender. */
export function ipOptionsFirstHop(skb: SkBuff): number {
  const optlen = ipHdrlen(skb) - IP_HDR_LEN;
  const end = skb.networkHeader + IPH_OPTIONS + optlen;
  for (let p = skb.networkHeader + IPH_OPTIONS; p < end; ) {
    const type = skb.view.getUint8(p);
    const len = optionLength(skb.view, p, end - p);
    if (len === 0 || type === 0) break;
    const ptr = type === IPOPT_LSRR || type === IPOPT_SSRR ? Math.min(skb.view.getUint8(p + 2), len + 1) : 0;
    if (ptr >= 8) return skb.view.getInt32(p + ptr - 5);
    p += len;
  }
  return ipHdrSaddr(skb);
}
