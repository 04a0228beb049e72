/*
 * Datagrams made from a user's message: ip_make_skb for one send, ip_append_data and
 * ip_finish_skb for several that are gathered (MSG_MORE).
 *
 * A transport calls ipMakeSkb() with its header's length, fills that header in at
 * skb.transportHeader, and gives the sk_buff to ipSendSkb().
 * Deviation: Linux cuts a large datagram here already; here it stays one sk_buff, with page
 * fragments where the linear area ends, and is cut where every datagram is (ip-fragment-out.ts).
 */
import { EFAULT, EMSGSIZE, ENOBUFS, ENOMEM, SKB_DROP_REASON_QUEUE_PURGE, SKB_DROP_REASON_SKB_UCOPY_FAULT, snmpInc } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { IP_PMTUDISC_DO, IP_PMTUDISC_OMIT, IP_PMTUDISC_PROBE, InetCork, ipv4IsMulticast } from '@stack/inet-sock';
import type { InetSock } from '@stack/inet-sock';
import { NETIF_F_HW_CSUM, NETIF_F_IP_CSUM, llReservedSpace } from '@stack/netdev';
import {
  CHECKSUM_NONE, CHECKSUM_PARTIAL, NET_XMIT_CN, NET_XMIT_DROP, PAGE_SIZE, __skbPush, allocPage, csumBlockAdd, dstRelease,
  skbAddRxFrag, skbDequeue, skbPeekTail, skbPut, skbQueueTail, skbReserve, skbTailroom, kfreeSkbReason,
  skbQueuePurgeReason,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { MSG_MORE, MSG_PROBE, SockcmCookie, copyFromIter, csumAndCopyFromIter, sockAllocSendSkb, sockcmInit } from '@stack/socket';
import type { MsgHdr } from '@stack/socket';
import type { Flowi4 } from './flow.ts';
import { IPSKB_IGNORE_DF, ipcbInit, ipcbSetFlag } from './ip-cb.ts';
import { ipSelectIdent } from './ip-ident.ts';
import {
  IPH_DADDR, IPH_FRAG_OFF, IPH_SADDR, IP_DF, IP_HDR_LEN, IP_MAX_HDR_LEN, IP_MAX_MTU,
} from './ip-header.ts';
import { ipOptionsBuild } from './ip-options-path.ts';
import { ipLocalOut } from './ip-output.ts';
import { ipDontFragment, ipSelectTtl, ipSkUsePmtu } from './ip-sock.ts';
import { ipLocalError } from './ip-recverr.ts';
import type { Rtable } from './rtable.ts';
import { IPSTATS_MIB_OUTDISCARDS } from './snmp-names.ts';

/** What one send says of itself beyond the socket's options (the kernel's ipcm_cookie). */
export class IpcmCookie {
  sockc: SockcmCookie;
  /** The destination, or where the source route begins. */
  addr: number;
  oif: number;
  opt: Uint8Array | null;
  /** 0: the socket's. */
  ttl: number;
  /** -1: the socket's. */
  tos: number;
  protocol: number;
  gsoSize: number;

  constructor() {
    this.sockc = new SockcmCookie();
    this.addr = 0;
    this.oif = 0;
    this.opt = null;
    this.ttl = 0;
    this.tos = -1;
    this.protocol = 0;
    this.gsoSize = 0;
  }
}

/** Starts a cookie with the socket's own values. */
export function ipcmInitSk(ipc: IpcmCookie, sk: InetSock): void {
  sockcmInit(ipc.sockc, sk);
  ipc.addr = sk.inetSaddr;
  ipc.oif = sk.skBoundDevIf;
  ipc.opt = sk.inetOpt;
  ipc.ttl = 0;
  ipc.tos = -1;
  ipc.protocol = sk.skProtocol;
  ipc.gsoSize = 0;
}

/**
 * Copies `len` octets of the message to buf[at]; `odd` is the offset of the first of them in the
 * transport's payload, for sums. Returns 0 or -EFAULT.
 */
export type GetFrag = (from: MsgHdr, skb: SkBuff, buf: Uint8Array, view: DataView, at: number, len: number, odd: number) => number;

/** The GetFrag of transports whose checksum covers all: sums into skb.csum unless the device will (CHECKSUM_PARTIAL). */
export function ipGenericGetfrag(
  from: MsgHdr, skb: SkBuff, buf: Uint8Array, view: DataView, at: number, len: number, odd: number,
): number {
  if (from.msgIterCount < len) return -EFAULT;
  if (skb.ipSummed === CHECKSUM_PARTIAL) copyFromIter(buf, at, len, from);
  else skb.csum = csumBlockAdd(skb.csum, csumAndCopyFromIter(buf, view, at, len, from, 0), odd);
  return 0;
}

/** Most octets of payload that go into the linear area of a new sk_buff. */
const LINEAR_MAX = PAGE_SIZE - 1024;

/** Whether datagrams of sk may be cut here, whatever DF says to others. */
function mayCut(sk: InetSock): boolean {
  return sk.pmtudisc < IP_PMTUDISC_DO || sk.pmtudisc === IP_PMTUDISC_OMIT;
}

/** The MTU that sk goes by on rt. */
function corkMtu(sk: InetSock, rt: Rtable): number {
  if (ipSkUsePmtu(sk) || rt.dev === null) return rt.ops.mtu(rt);
  return Math.min(rt.dev.mtu, IP_MAX_MTU);
}

/** Starts sk's cork (made at first use) for a datagram by rt, whose reference it takes over. */
function ipSetupCork(sk: InetSock, ipc: IpcmCookie, rt: Rtable): InetCork {
  const cork = sk.cork ?? new InetCork();
  sk.cork = cork;
  cork.addr = ipc.addr;
  cork.opt = ipc.opt;
  cork.fragsize = corkMtu(sk, rt);
  cork.length = 0;
  cork.dst = rt;
  cork.ttl = ipc.ttl;
  cork.tos = ipc.tos;
  cork.priority = ipc.sockc.priority;
  cork.gsoSize = ipc.gsoSize;
  cork.mark = ipc.sockc.mark;
  return cork;
}

/** A new sk_buff for the datagram, its transport header's room put; or -errno. */
function ipCorkSkb(sk: InetSock, cork: InetCork, rt: Rtable, length: number, transhdrlen: number, flags: number): SkBuff | number {
  const dev = rt.dev;
  const payload = length - transhdrlen;
  const room = (dev === null ? 16 : llReservedSpace(dev)) + rt.headerLen + IP_MAX_HDR_LEN;
  const skb = sockAllocSendSkb(sk, room + transhdrlen + Math.min(payload, LINEAR_MAX));
  if (typeof skb === 'number') return skb;
  skbReserve(skb, room);
  skbPut(skb, transhdrlen);
  skb.transportHeader = skb.data;
  skb.csum = 0;
  const optlen = cork.opt === null ? 0 : cork.opt.length;
  const offload = dev !== null && (dev.features & (NETIF_F_HW_CSUM | NETIF_F_IP_CSUM)) !== 0;
  const whole = length + IP_HDR_LEN + optlen <= cork.fragsize || cork.gsoSize !== 0;
  const partial = offload && whole && (flags & MSG_MORE) === 0;
  skb.ipSummed = partial ? CHECKSUM_PARTIAL : CHECKSUM_NONE;
  return skb;
}

/** Copies `len` octets of the message behind skb: into its linear area, then into pages. Returns 0 or -errno. */
function ipCopyIn(sk: InetSock, skb: SkBuff, getfrag: GetFrag, from: MsgHdr, len: number, transhdrlen: number): number {
  let left = len;
  const linear = Math.min(left, skbTailroom(skb));
  if (linear > 0) {
    const odd = skb.len - transhdrlen;
    const at = skbPut(skb, linear);
    const error = getfrag(from, skb, skb.buf, skb.view, at, linear, odd);
    if (error < 0) return error;
    left -= linear;
  }
  while (left > 0) {
    const page = allocPage(sk.skNet, PAGE_SIZE);
    if (page === null) return -ENOBUFS;
    const size = Math.min(left, page.size);
    const odd = skb.len - transhdrlen;
    skbAddRxFrag(skb, skb.shinfo.nrFrags, page, page.base, size, page.size);
    sk.skWmemAlloc += page.size;
    const error = getfrag(from, skb, page.buf, page.view, page.base, size, odd);
    if (error < 0) return error;
    left -= size;
  }
  return 0;
}

/** Whether a datagram of `length` octets, transport header counted in, is too long for sk: then the user is told. */
function ipTooLong(sk: InetSock, fl: Flowi4, cork: InetCork, length: number): boolean {
  const optlen = cork.opt === null ? 0 : cork.opt.length;
  if (cork.length + length <= (mayCut(sk) ? IP_MAX_MTU : cork.fragsize) - IP_HDR_LEN - optlen) return false;
  ipLocalError(sk, EMSGSIZE, fl.daddr, sk.inetDport, cork.fragsize - optlen);
  return true;
}

/**
 * One datagram of `length` octets (transhdrlen of them the transport's header, left for the caller
 * to fill in at transportHeader) from the message, by rt, whose reference it takes over in every
 * case. Returns the sk_buff, the caller's, data at its IP header; null for MSG_PROBE; or
 * -EMSGSIZE, -EAGAIN (send buffer full), -ENOBUFS, -EFAULT.
 */
export function ipMakeSkb(
  sk: InetSock, fl: Flowi4, getfrag: GetFrag, from: MsgHdr, length: number, transhdrlen: number, ipc: IpcmCookie, rt: Rtable,
  flags: number,
): SkBuff | number | null {
  if ((flags & MSG_PROBE) !== 0) {
    dstRelease(rt);
    return null;
  }
  const cork = ipSetupCork(sk, ipc, rt);
  const made = ipTooLong(sk, fl, cork, length) ? -EMSGSIZE : ipCorkSkb(sk, cork, rt, length, transhdrlen, flags);
  const error = typeof made === 'number' ? made : ipCopyIn(sk, made, getfrag, from, length - transhdrlen, transhdrlen);
  if (typeof made === 'number' || error < 0) {
    if (typeof made !== 'number') kfreeSkbReason(made, SKB_DROP_REASON_SKB_UCOPY_FAULT);
    ipCorkRelease(cork);
    return error;
  }
  return __ipMakeSkb(sk, fl, cork, made);
}

/**
 * Adds `length` octets of the message to the datagram that sk gathers, the first of its kind by
 * rt, whose reference it takes over if it is the first (rt may be null for later ones).
 * transhdrlen counts in the first only. Returns 0 or -errno; after an error what was gathered before is still there.
 */
export function ipAppendData(
  sk: InetSock, fl: Flowi4, getfrag: GetFrag, from: MsgHdr, length: number, transhdrlen: number, ipc: IpcmCookie, rt: Rtable | null,
  flags: number,
): number {
  if ((flags & MSG_PROBE) !== 0) {
    dstRelease(rt);
    return 0;
  }
  const first = skbPeekTail(sk.skWriteQueue);
  if (first !== null) {
    const cork = sk.cork;
    if (cork === null) return -EFAULT;
    if (ipTooLong(sk, fl, cork, length)) return -EMSGSIZE;
    const error = ipCopyIn(sk, first, getfrag, from, length, cork.flags);
    if (error === 0) cork.length += length;
    return error;
  }
  if (rt === null) return -EFAULT;
  const cork = ipSetupCork(sk, ipc, rt);
  const made = ipTooLong(sk, fl, cork, length) ? -EMSGSIZE : ipCorkSkb(sk, cork, rt, length, transhdrlen, flags | MSG_MORE);
  const error = typeof made === 'number' ? made : ipCopyIn(sk, made, getfrag, from, length - transhdrlen, transhdrlen);
  if (typeof made === 'number' || error < 0) {
    if (typeof made !== 'number') kfreeSkbReason(made, SKB_DROP_REASON_SKB_UCOPY_FAULT);
    ipCorkRelease(cork);
    return error;
  }
  // Where the payload begins in what follows.
  cork.flags = transhdrlen;
  cork.length = length;
  skbQueueTail(sk.skWriteQueue, made);
  return 0;
}

function ipCorkRelease(cork: InetCork): void {
  const dst = cork.dst;
  cork.dst = null;
  cork.opt = null;
  cork.length = 0;
  cork.flags = 0;
  dstRelease(dst);
}

/** Takes what sk has gathered as one datagram, with its IP header; the caller's, or null for nothing. */
export function ipFinishSkb(sk: InetSock, fl: Flowi4): SkBuff | null {
  const skb = skbDequeue(sk.skWriteQueue);
  if (skb === null || sk.cork === null) return null;
  return __ipMakeSkb(sk, fl, sk.cork, skb);
}

/** Finishes and sends what sk has gathered. Returns 0 or -errno. */
export function ipPushPendingFrames(sk: InetSock, fl: Flowi4): number {
  const skb = ipFinishSkb(sk, fl);
  return skb === null ? 0 : ipSendSkb(sk.skNet, skb);
}

/** Drops what sk has gathered. */
export function ipFlushPendingFrames(sk: InetSock): void {
  skbQueuePurgeReason(sk.skWriteQueue, SKB_DROP_REASON_QUEUE_PURGE);
  if (sk.cork !== null) ipCorkRelease(sk.cork);
}

/** The TTL of a datagram: of this send, of the group, of the socket. */
function corkTtl(sk: InetSock, cork: InetCork, rt: Rtable, daddr: number): number {
  if (cork.ttl !== 0) return cork.ttl;
  return ipv4IsMulticast(daddr) ? sk.mcTtl : ipSelectTtl(sk, rt);
}

/** Puts the IP header in front of skb; the cork's route becomes the packet's. */
function __ipMakeSkb(sk: InetSock, fl: Flowi4, cork: InetCork, skb: SkBuff): SkBuff {
  const rt = cork.dst as Rtable;
  const opt = cork.opt;
  const hlen = IP_HDR_LEN + (opt === null ? 0 : opt.length);
  cork.dst = null;
  cork.opt = null;
  cork.length = 0;
  cork.flags = 0;
  skb.dst = rt;
  ipcbInit(skb);
  const total = skb.len + hlen;
  __skbPush(skb, hlen);
  const at = skb.data;
  skb.networkHeader = at;
  const view = skb.view;
  const tos = cork.tos >= 0 ? cork.tos : sk.tos;
  const df = sk.pmtudisc === IP_PMTUDISC_DO || sk.pmtudisc === IP_PMTUDISC_PROBE || (total <= rt.ops.mtu(rt) && ipDontFragment(sk, rt));
  if (mayCut(sk)) ipcbSetFlag(skb, IPSKB_IGNORE_DF);
  view.setUint16(at, 0x4000 | (hlen << 6) | (tos & 0xff));
  view.setInt32(at + IPH_FRAG_OFF, ((df ? IP_DF : 0) << 16) | (corkTtl(sk, cork, rt, fl.daddr) << 8) | sk.skProtocol);
  view.setInt32(at + IPH_SADDR, fl.saddr);
  view.setInt32(at + IPH_DADDR, fl.daddr);
  if (opt !== null) ipOptionsBuild(sk.skNet, skb, opt, fl.saddr);
  ipSelectIdent(sk.skNet, skb, sk);
  skb.priority = cork.priority;
  skb.mark = cork.mark;
  return skb;
}

/** Sends a datagram (consumed) made by ipMakeSkb() or ipFinishSkb(). Returns 0, or -errno: -ENOBUFS for one that a queue had no room for. */
export function ipSendSkb(net: Net, skb: SkBuff): number {
  const ret = ipLocalOut(net, skb);
  if (ret === 0 || ret === NET_XMIT_CN) return 0;
  snmpInc(net.ipv4.ipMib, IPSTATS_MIB_OUTDISCARDS);
  return ret === NET_XMIT_DROP ? -ENOBUFS : ret < 0 ? ret : -ENOMEM;
}
