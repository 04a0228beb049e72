/*
 * The error queue of a sock (include/linux/errqueue.h, sock_queue_err_skb of net/core/skbuff.c): what MSG_ERRQUEUE reads.
 * Each entry is the packet that met the error, with a sock_extended_err in its control block (SOCK_EXTERR_SKB):
 * cb0 errno, cb1 origin | type << 8 | code << 16, cb2 info, cb3 data, cb4 address, cb5 port, cb6 offset of the payload, cb7 EXTERR_….
 */
import { ENOMEM } from '@stack/kernel';
import { SkBuffHead, skbDequeue, skbOrphan, skbPeek, skbQueueTail } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { sockFlag, SOCK_DEAD } from './sock-struct.ts';
import type { Sock } from './sock-struct.ts';

/* Origin of an error. */
export const SO_EE_ORIGIN_NONE = 0;
export const SO_EE_ORIGIN_LOCAL = 1;
export const SO_EE_ORIGIN_ICMP = 2;
export const SO_EE_ORIGIN_ICMP6 = 3;
export const SO_EE_ORIGIN_TIMESTAMPING = 4;
export const SO_EE_ORIGIN_ZEROCOPY = 5;

/** cb7: the payload is statistics (SOF_TIMESTAMPING_OPT_STATS). */
export const EXTERR_OPT_STATS = 1;

/** struct sock_extended_err, the data of an IP_RECVERR control message, and in it the offender's address (SO_EE_OFFENDER). */
export class SockExtendedErr {
  eeErrno: number;
  eeOrigin: number;
  eeType: number;
  eeCode: number;
  eeInfo: number;
  eeData: number;
  /** Address of the node that reported the error; 0 if it was this host. */
  offender: number;

  constructor(eeErrno: number, eeOrigin: number, eeType: number, eeCode: number, eeInfo: number, eeData: number, offender: number) {
    this.eeErrno = eeErrno;
    this.eeOrigin = eeOrigin;
    this.eeType = eeType;
    this.eeCode = eeCode;
    this.eeInfo = eeInfo;
    this.eeData = eeData;
    this.offender = offender;
  }
}

/** Writes the error into the packet's control block. `addr` and `port`: where the packet was going. */
export function skbSetExterr(
  skb: SkBuff, errno: number, origin: number, type: number, code: number, info: number, addr: number, port: number,
): void {
  skb.cb0 = errno;
  skb.cb1 = origin | (type << 8) | (code << 16);
  skb.cb2 = info;
  skb.cb3 = 0;
  skb.cb4 = addr;
  skb.cb5 = port;
  skb.cb6 = 0;
  skb.cb7 = 0;
}

/** The error of a packet from the error queue. */
export function skbExterr(skb: SkBuff, offender: number): SockExtendedErr {
  return new SockExtendedErr(skb.cb0, skb.cb1 & 0xff, (skb.cb1 >> 8) & 0xff, (skb.cb1 >> 16) & 0xff, skb.cb2, skb.cb3, offender);
}

function isIcmp(skb: SkBuff): boolean {
  const origin = skb.cb1 & 0xff;
  return origin === SO_EE_ORIGIN_ICMP || origin === SO_EE_ORIGIN_ICMP6;
}

/** sk_buff destructor of what lies in an error queue. */
function sockRmemFree(skb: SkBuff): void {
  const sk = skb.sk as Sock;
  skb.sk = null;
  sk.skRmemAlloc -= skb.truesize;
}

/** Queues an error for the user. Takes the sk_buff if it returns 0; -ENOMEM when the receive buffer is full. */
export function sockQueueErrSkb(sk: Sock, skb: SkBuff): number {
  if (sk.skRmemAlloc + skb.truesize >= sk.skRcvbuf) return -ENOMEM;
  skbOrphan(skb);
  skb.sk = sk;
  skb.destructor = sockRmemFree;
  sk.skRmemAlloc += skb.truesize;
  if (sk.skErrorQueue === null) sk.skErrorQueue = new SkBuffHead();
  skbQueueTail(sk.skErrorQueue, skb);
  if (!sockFlag(sk, SOCK_DEAD)) sk.skErrorReport(sk);
  return 0;
}

/** The oldest error, the caller's to free; null if there is none. skErr goes on to the next ICMP error in the queue. */
export function sockDequeueErrSkb(sk: Sock): SkBuff | null {
  const queue = sk.skErrorQueue;
  const skb = queue === null ? null : skbDequeue(queue);
  if (queue === null || skb === null) return null;
  const next = skbPeek(queue);
  if (isIcmp(skb) && next === null) sk.skErr = 0;
  if (next !== null && isIcmp(next)) {
    sk.skErr = next.cb0;
    sk.skErrorReport(sk);
  }
  return skb;
}
