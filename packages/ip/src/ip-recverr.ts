/*
 * Errors for the user who asked for them (IP_RECVERR, ip(7)): from ICMP, and our own.
 *
 * An entry of the error queue is the packet that came back; its control block says what happened
 * (socket's errqueue.ts). ipRecvError() is recvmsg() with MSG_ERRQUEUE.
 */
import { EAGAIN, SKB_DROP_REASON_PKT_TOO_SMALL, SKB_DROP_REASON_SOCKET_RCVBUFF } from '@stack/kernel';
import { INET_FLAGS_RECVERR, SockAddrIn, inetTestBit } from '@stack/inet-sock';
import type { InetSock } from '@stack/inet-sock';
import { allocSkb, skbClone, skbPull, skbPut, consumeSkb, kfreeSkbReason } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  MSG_ERRQUEUE, MSG_TRUNC, SOL_IP, SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_LOCAL, putCmsg, skbCopyDatagramMsg, skbExterr, skbSetExterr,
  sockDequeueErrSkb, sockQueueErrSkb, sockRecvErrTimestamp,
} from '@stack/socket';
import type { MsgHdr } from '@stack/socket';
import { ICMPH_CODE, ICMPH_TYPE } from './icmp-types.ts';
import { IPH_DADDR, IPH_SADDR, IP_HDR_LEN } from './ip-header.ts';
import { IP_RECVERR } from './ip-uapi.ts';

/**
 * Queues an ICMP error for sk, whoever asked for it: called by errHandler. skb (lent) has its data at the
 * quoted IP header; `payload` is the offset from there of what the user sent; err a positive
 * errno, port the destination port, info as errHandler got it.
 */
export function ipIcmpError(sk: InetSock, skb: SkBuff, err: number, port: number, info: number, payload: number): void {
  const copy = skbClone(skb);
  if (copy === null) return;
  const type = skb.view.getUint8(skb.transportHeader + ICMPH_TYPE);
  const code = skb.view.getUint8(skb.transportHeader + ICMPH_CODE);
  const daddr = skb.view.getInt32(skb.data + IPH_DADDR);
  skbSetExterr(copy, err, SO_EE_ORIGIN_ICMP, type, code, info, daddr, port);
  if (skbPull(copy, payload) < 0) kfreeSkbReason(copy, SKB_DROP_REASON_PKT_TOO_SMALL);
  else if (sockQueueErrSkb(sk, copy) !== 0) kfreeSkbReason(copy, SKB_DROP_REASON_SOCKET_RCVBUFF);
}

/** Queues an error of our own (err, positive) about a datagram to daddr and port, for sk if it asked. */
export function ipLocalError(sk: InetSock, err: number, daddr: number, port: number, info: number): void {
  if (!inetTestBit(sk, INET_FLAGS_RECVERR)) return;
  const skb = allocSkb(sk.skNet, IP_HDR_LEN);
  if (skb === null) return;
  const at = skbPut(skb, IP_HDR_LEN);
  skb.networkHeader = at;
  skb.view.setInt32(at + IPH_DADDR, daddr);
  skbPull(skb, IP_HDR_LEN);
  skbSetExterr(skb, err, SO_EE_ORIGIN_LOCAL, 0, 0, info, daddr, port);
  if (sockQueueErrSkb(sk, skb) !== 0) kfreeSkbReason(skb, SKB_DROP_REASON_SOCKET_RCVBUFF);
}

/** recvmsg() with MSG_ERRQUEUE: the oldest error, and what came back of the datagram. Returns its octets, or -EAGAIN. */
export function ipRecvError(sk: InetSock, msg: MsgHdr, len: number): number {
  const skb = sockDequeueErrSkb(sk);
  if (skb === null) return -EAGAIN;
  let copied = skb.len;
  if (copied > len) {
    msg.msgFlags |= MSG_TRUNC;
    copied = len;
  }
  const error = skbCopyDatagramMsg(skb, 0, msg, copied);
  if (msg.msgName instanceof SockAddrIn) {
    msg.msgName.sinAddr = skb.cb4;
    msg.msgName.sinPort = skb.cb5;
  }
  const icmp = (skb.cb1 & 0xff) === SO_EE_ORIGIN_ICMP;
  sockRecvErrTimestamp(msg, sk, skb);
  putCmsg(msg, SOL_IP, IP_RECVERR, skbExterr(skb, icmp ? skb.view.getInt32(skb.networkHeader + IPH_SADDR) : 0));
  msg.msgFlags |= MSG_ERRQUEUE;
  consumeSkb(skb);
  return error < 0 ? error : copied;
}
