/*
 * Ping sockets (net/ipv4/ping.c, icmp(7)): SOCK_DGRAM of IPPROTO_ICMP. The user sends echo requests and nothing else, the kernel
 * puts the sock's identifier and the checksum in; the replies, and ICMP errors about requests, come back to that sock.
 * pingV4Sendmsg -> ip_make_skb -> ip_send_skb; ICMP -> pingRcv, pingErr (pingOps).
 */
import { EINVAL, ENOBUFS, SKB_DROP_REASON_SOCKET_FILTER, SKB_DROP_REASON_SOCKET_RCVBUFF } from '@stack/kernel';
import { INET_FLAGS_RECVERR, inetTestBit } from '@stack/inet-sock';
import type { InetSock } from '@stack/inet-sock';
import {
  ICMP_ECHO, ICMP_HDR_LEN, ICMPH_CHECKSUM, ICMPH_CODE, ICMPH_ID, ICMPH_SEQUENCE, ICMPH_TYPE, icmpOutCount, ipHdrDaddr, ipMakeSkb,
  IPPROTO_ICMP, ipSendSkb, ipv4PktinfoPrepare,
} from '@stack/ip';
import type { Flowi4, GetFrag, IpcmCookie, PingOps, Rtable } from '@stack/ip';
import {
  __skbPush, CHECKSUM_NONE, csumAdd, csumBlockAdd, csumFold, csumPartial, kfreeSkbReason, skbClone,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  copyFromIter, csumAndCopyFromIter, iovIterRevert, MSG_MORE, skFilterTrimCap, sockQueueRcvSkb, sockStampSkb,
} from '@stack/socket';
import type { MsgHdr, Sock } from '@stack/socket';
import { inetDgramErr } from './dgram-err.ts';
import { inetDgramDestination, inetDgramRoute } from './dgram-send.ts';
import { pingLookup } from './ping-table.ts';

/**
 * Proto.sendmsg: `len`, or -errno. The message is an ICMP echo request, header and data; its identifier and checksum do not count.
 * -EINVAL for any other ICMP message, and for less than a header.
 */
export function pingV4Sendmsg(sock: Sock, msg: MsgHdr, len: number): number {
  const { skNet: net } = sock;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'ping_v4_sendmsg', null);
  const sk = sock as InetSock;
  if (len < ICMP_HDR_LEN) return -EINVAL;
  const { flow: fl } = net.ipv4;
  const { cookie: ipc, ping } = net.inet;
  const bad = inetDgramDestination(sk, msg, len, fl, ipc);
  if (bad < 0) return bad;
  copyFromIter(ping.header, 0, ICMP_HDR_LEN, msg);
  const echo = ping.header[ICMPH_TYPE] === ICMP_ECHO && ping.header[ICMPH_CODE] === 0;
  const rt = echo ? inetDgramRoute(sk, msg, fl, ipc, IPPROTO_ICMP) : -EINVAL;
  const err = typeof rt === 'number' ? rt : pingSend(sk, fl, msg, len, rt, ipc);
  // What could not be sent is begun anew when the call is made again.
  if (err < 0) iovIterRevert(msg, len - msg.msgIterCount);
  if (err === -ENOBUFS && !inetTestBit(sk, INET_FLAGS_RECVERR)) return len;
  return err < 0 ? err : len;
}

/** GetFrag of ping sockets: sums what it copies, for no device does ICMP's checksum. */
const pingGetfrag: GetFrag = (from, skb, buf, view, at, len, odd) => {
  if (from.msgIterCount < len) return -EINVAL;
  skb.csum = csumBlockAdd(skb.csum, csumAndCopyFromIter(buf, view, at, len, from, 0), odd);
  return 0;
};

/** Makes and sends the request; its header, as the user gave it, is in net.inet.ping.header. Takes the route. 0 or -errno. */
function pingSend(sk: InetSock, fl: Flowi4, msg: MsgHdr, len: number, rt: Rtable, ipc: IpcmCookie): number {
  const net = sk.skNet;
  const { headerView } = net.inet.ping;
  const skb = ipMakeSkb(sk, fl, pingGetfrag, msg, len, ICMP_HDR_LEN, ipc, rt, msg.msgFlags & ~MSG_MORE);
  if (skb === null || typeof skb === 'number') return skb ?? 0;
  const { buf, transportHeader: at, view } = skb;
  view.setInt32(at, ICMP_ECHO << 24);
  view.setUint16(at + ICMPH_ID, sk.inetSport);
  view.setUint16(at + ICMPH_SEQUENCE, headerView.getUint16(ICMPH_SEQUENCE));
  view.setUint16(at + ICMPH_CHECKSUM, csumFold(csumAdd(skb.csum, csumPartial(buf, view, at, ICMP_HDR_LEN, 0))));
  skb.ipSummed = CHECKSUM_NONE;
  icmpOutCount(net, ICMP_ECHO);
  return ipSendSkb(net, skb);
}

/** PingOps.rcv: an echo reply, data behind its ICMP header; the sock gets a clone that begins with the header. */
function pingRcv(skb: SkBuff): boolean {
  const { net } = skb;
  if (net.trace !== null) net.trace.hit(net, 'ping_rcv', skb);
  const ident = skb.view.getUint16(skb.transportHeader + ICMPH_ID);
  const sk = pingLookup(net.inet.ping, ident, ipHdrDaddr(skb), skb.skbIif);
  if (sk === null) return false;
  const clone = skbClone(skb);
  if (clone === null) return false;
  __skbPush(clone, clone.data - clone.transportHeader);
  pingQueueRcvSkb(sk, clone);
  return true;
}

/** Queues skb (consumed) for its reader. */
function pingQueueRcvSkb(sk: InetSock, skb: SkBuff): void {
  ipv4PktinfoPrepare(sk, skb);
  if (skFilterTrimCap(sk, skb, ICMP_HDR_LEN) !== 0) {
    kfreeSkbReason(skb, SKB_DROP_REASON_SOCKET_FILTER);
    return;
  }
  sockStampSkb(sk, skb);
  skb.cb11 = sk.skDrops;
  if (sockQueueRcvSkb(sk, skb) < 0) kfreeSkbReason(skb, SKB_DROP_REASON_SOCKET_RCVBUFF);
}

/** PingOps.err: skb (lent) has its data at the IP header of the ICMP message that came back. Only requests are a sock's. */
function pingErr(skb: SkBuff, info: number): void {
  const { net, view } = skb;
  const hlen = (view.getUint8(skb.data) & 0x0f) << 2;
  const at = skb.data + hlen;
  if (view.getUint8(at + ICMPH_TYPE) !== ICMP_ECHO || view.getUint8(at + ICMPH_CODE) !== 0) return;
  const sk = pingLookup(net.inet.ping, view.getUint16(at + ICMPH_ID), ipHdrDaddr(skb), skb.skbIif);
  if (sk !== null) inetDgramErr(sk, skb, info, hlen);
}

/** Ping sockets as ICMP sees them. */
export const pingOps: PingOps = { rcv: pingRcv, err: pingErr };
