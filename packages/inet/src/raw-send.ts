/*
 * Raw sockets, sending (net/ipv4/raw.c): rawSendmsg finds the route; the kernel puts the IP header in front of what the user
 * gives (ip_append_data), or, with IP_HDRINCL, the user gives it himself and the kernel fills in what raw(7) lists: checksum and
 * total length always, source address and identification where they are 0.
 */
import { EINVAL, EMSGSIZE, ENOBUFS, SKB_DROP_REASON_IP_INHDR } from '@stack/kernel';
import { INET_FLAGS_HDRINCL, INET_FLAGS_RECVERR, inetTestBit } from '@stack/inet-sock';
import {
  ICMP_HDR_LEN, icmpOutCount, IP_HDR_LEN, ipAppendData, IPH_ID, IPH_PROTOCOL, IPH_SADDR, ipFinishSkb, ipFlushPendingFrames, ipLocalError,
  IPPROTO_ICMP, IPPROTO_RAW, ipSelectIdent, ipSendSkb, ipcbInit,
} from '@stack/ip';
import type { Flowi4, GetFrag, IpcmCookie, Rtable } from '@stack/ip';
import { llReservedSpace } from '@stack/netdev';
import { CHECKSUM_NONE, dstRelease, skbPeekTail, skbPut, skbReserve, kfreeSkbReason } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { copyFromIter, lockSock, MSG_MORE, MSG_PROBE, releaseSock, sockAllocSendSkb } from '@stack/socket';
import type { MsgHdr, Sock } from '@stack/socket';
import { inetDgramDestination, inetDgramRoute } from './dgram-send.ts';
import { rawSk } from './raw-sock.ts';
import type { RawSock } from './raw-sock.ts';

/** Proto.sendmsg: `len`, or -errno; -EAGAIN while the send buffer is full. raw(7). */
export function rawSendmsg(sock: Sock, msg: MsgHdr, len: number): number {
  const { skNet: net } = sock;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'raw_sendmsg', null);
  const sk = rawSk(sock);
  const { flow: fl } = net.ipv4;
  const { cookie: ipc } = net.inet;
  const bad = inetDgramDestination(sk, msg, len, fl, ipc);
  if (bad < 0) return bad;
  const hdrincl = inetTestBit(sk, INET_FLAGS_HDRINCL);
  if (hdrincl && ipc.opt !== null) return -EINVAL;
  const rt = inetDgramRoute(sk, msg, fl, ipc, hdrincl ? IPPROTO_RAW : sk.skProtocol);
  if (typeof rt === 'number') return rt;
  const err = hdrincl ? rawSendHdrinc(sk, fl, msg, len, rt, ipc) : rawAppend(sk, fl, msg, len, rt, ipc);
  // A full queue below is not the user's error: the packet is lost, as others are.
  if (err === -ENOBUFS && !inetTestBit(sk, INET_FLAGS_RECVERR)) return len;
  return err < 0 ? err : len;
}

/** GetFrag of raw sockets: the user's checksum, if there is one, is in what he gives. */
const rawGetfrag: GetFrag = (from, _skb, buf, _view, at, len, _odd) => (copyFromIter(buf, at, len, from) === len ? 0 : -EINVAL);

/** The kernel's IP header: gathers the datagram, and sends it unless more is to come (MSG_MORE). Takes the route. 0 or -errno. */
function rawAppend(sk: RawSock, fl: Flowi4, msg: MsgHdr, len: number, rt: Rtable, ipc: IpcmCookie): number {
  lockSock(sk);
  const first = skbPeekTail(sk.skWriteQueue) === null;
  if (!first) dstRelease(rt);
  let err = ipAppendData(sk, fl, rawGetfrag, msg, len, 0, ipc, first ? rt : null, msg.msgFlags);
  if (err < 0) {
    ipFlushPendingFrames(sk);
  } else if ((msg.msgFlags & (MSG_MORE | MSG_PROBE)) === 0) {
    const skb = ipFinishSkb(sk, fl);
    if (skb !== null) {
      rawCount(skb, skb.transportHeader);
      err = ipSendSkb(sk.skNet, skb);
    }
  }
  releaseSock(sk);
  return err;
}

/** What is an ICMP message counts as one that we sent. `at`: where the transport's header begins. */
function rawCount(skb: SkBuff, at: number): void {
  if (skb.view.getUint8(skb.networkHeader + IPH_PROTOCOL) !== IPPROTO_ICMP || skb.tail - at < ICMP_HDR_LEN) return;
  icmpOutCount(skb.net, skb.view.getUint8(at));
}

/** IP_HDRINCL: one packet as the user wrote it, never cut. Takes the route. 0, -EMSGSIZE (longer than the device's MTU), -EINVAL. */
function rawSendHdrinc(sk: RawSock, fl: Flowi4, msg: MsgHdr, len: number, rt: Rtable, ipc: IpcmCookie): number {
  const { dev } = rt;
  const mtu = dev === null ? 0 : dev.mtu;
  if (dev === null || len > mtu || len < IP_HDR_LEN || (msg.msgFlags & MSG_PROBE) !== 0) {
    if (len > mtu) ipLocalError(sk, EMSGSIZE, fl.daddr, 0, mtu);
    dstRelease(rt);
    if (len > mtu) return -EMSGSIZE;
    return len < IP_HDR_LEN ? -EINVAL : 0;
  }
  const room = llReservedSpace(dev);
  const skb = sockAllocSendSkb(sk, room + len + dev.neededTailroom);
  if (typeof skb === 'number') {
    dstRelease(rt);
    return skb;
  }
  skbReserve(skb, room);
  const at = skbPut(skb, len);
  skb.dst = rt;
  skb.networkHeader = at;
  skb.ipSummed = CHECKSUM_NONE;
  skb.priority = ipc.sockc.priority;
  skb.mark = ipc.sockc.mark;
  copyFromIter(skb.buf, at, len, msg);
  return rawFillHeader(sk, skb, fl, len);
}

/**
 * Completes the user's IP header and sends the packet (consumed). 0 or -errno.
 * Deviation: Linux sends a packet whose header says that it is shorter than 20 octets as it is; here that is -EINVAL, as a header
 * that is longer than the packet is there.
 */
function rawFillHeader(sk: RawSock, skb: SkBuff, fl: Flowi4, len: number): number {
  const { networkHeader: at, view } = skb;
  const hlen = (view.getUint8(at) & 0x0f) << 2;
  if (hlen < IP_HDR_LEN || hlen > len) {
    kfreeSkbReason(skb, SKB_DROP_REASON_IP_INHDR);
    return -EINVAL;
  }
  ipcbInit(skb);
  if (view.getInt32(at + IPH_SADDR) === 0) view.setInt32(at + IPH_SADDR, fl.saddr);
  // Total length and checksum are ip_local_out's.
  if (view.getUint16(at + IPH_ID) === 0) ipSelectIdent(sk.skNet, skb, null);
  skb.transportHeader = at + hlen;
  rawCount(skb, skb.transportHeader);
  return ipSendSkb(sk.skNet, skb);
}
