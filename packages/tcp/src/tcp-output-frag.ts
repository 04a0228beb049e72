/*
 * Cutting queued segments, and how many segments of one MSS an sk_buff is.
 *
 * Order of calls: tcpSetSkbTsoSegs before each transmission; tcpFragment where only a part may go (window, SACK,
 * a smaller MSS); tcpTrimHead when the front is acknowledged.
 * Read first: RFC 9293 §3.7 (segmentation), §3.9.1.2 (PSH).
 */
import { EINVAL, ENOMEM } from '@stack/kernel';
import {
  CHECKSUM_PARTIAL, SKB_TRUESIZE, __skbHeaderRelease, __skbPull, __skbReserve, allocSkb, skbFragCopy, skbFragUnref,
  skbQueueAfter, skbSplit, skbUncloneKeeptruesize,
} from '@stack/skbuff';
import type { SkBuff, SkBuffHead } from '@stack/skbuff';
import { skForcedMemSchedule, skMemCharge, skMemUncharge } from '@stack/socket';
import { GSO_LEGACY_MAX_SIZE, MAX_TCP_HEADER, TCP_SKB_HEAD_TRUESIZE } from './tcp-consts.ts';
import { LINUX_MIB_TCPWQUEUETOOBIG } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpIsReno, tcpRtxQueueHead, tcpRtxQueueTail, tcpTsortedAddAfter } from './tcp-rtx-queue.ts';
import {
  TCPCB_LOST, TCPCB_SACKED_ACKED, TCPCB_SACKED_RETRANS, TCPHDR_FIN, TCPHDR_PSH, tcbEndSeq, tcbSacked, tcbSeq,
  tcbSetEndSeq, tcbSetSacked, tcbSetSeq, tcbSetTcpFlags, tcbTcpFlags, tcpSkbMss, tcpSkbMssSet, tcpSkbPcount,
  tcpSkbPcountSet, tcpSkbSerial, tcpSkbSetSerial, tcbSetEor, tcbEor,
} from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpFragmentTstamp } from './tcp-tx-timestamp.ts';

/** Works out how many segments skb is at this MSS. @returns that number */
export function tcpSetSkbTsoSegs(skb: SkBuff, mssNow: number): number {
  if (skb.len <= mssNow) {
    tcpSkbPcountSet(skb, 1);
    tcpSkbMssSet(skb, 0);
    return 1;
  }
  const segs = Math.ceil(skb.len / mssNow);
  tcpSkbPcountSet(skb, segs);
  tcpSkbMssSet(skb, mssNow);
  return segs;
}

/** skb, which was sent, became `decr` segments fewer: the counts follow. */
export function tcpAdjustPcount(sk: TcpSock, skb: SkBuff, decr: number): void {
  const sacked = tcbSacked(skb);
  sk.packetsOut -= decr;
  if ((sacked & TCPCB_SACKED_ACKED) !== 0) sk.sackedOut -= decr;
  if ((sacked & TCPCB_SACKED_RETRANS) !== 0) sk.retransOut -= decr;
  if ((sacked & TCPCB_LOST) !== 0) sk.lostOut -= decr;
  if (tcpIsReno(sk) && decr > 0) sk.sackedOut -= Math.min(sk.sackedOut, decr);
}

/** Recounts the segments of skb, which was sent, at this MSS. */
export function tcpRecountSkb(sk: TcpSock, skb: SkBuff, mssNow: number): void {
  const old = tcpSkbPcount(skb);
  const diff = old - tcpSetSkbTsoSegs(skb, mssNow);
  if (diff !== 0) tcpAdjustPcount(sk, skb, diff);
}

/** An sk_buff for what is cut off: room for headers and for `size` linear bytes, in the sock's account. Null without memory. */
function tcpFragmentAlloc(sk: TcpSock, size: number): SkBuff | null {
  const buff = allocSkb(sk.skNet, MAX_TCP_HEADER + size);
  if (buff === null) return null;
  buff.truesize = TCP_SKB_HEAD_TRUESIZE;
  skForcedMemSchedule(sk, buff.truesize);
  __skbReserve(buff, MAX_TCP_HEADER);
  buff.ipSummed = CHECKSUM_PARTIAL;
  sk.skWmemQueued += buff.truesize;
  skMemCharge(sk, buff.truesize);
  return buff;
}

/** Has a peer that acknowledges in tiny pieces made the queue many times its payload (CVE-2019-11478)? */
function tcpQueueTooBig(sk: TcpSock, queue: SkBuffHead, skb: SkBuff): boolean {
  if (sk.skWmemQueued >> 1 <= sk.skSndbuf + 2 * SKB_TRUESIZE(GSO_LEGACY_MAX_SIZE)) return false;
  return queue === sk.tcpRtxQueue && skb !== tcpRtxQueueHead(sk) && skb !== tcpRtxQueueTail(sk);
}

/** Sequence numbers, flags, marks and times of the two parts. */
function tcpFragmentCb(skb: SkBuff, buff: SkBuff, len: number): void {
  const seq = (tcbSeq(skb) + len) | 0;
  tcbSetSeq(buff, seq);
  tcbSetEndSeq(buff, tcbEndSeq(skb));
  tcbSetEndSeq(skb, seq);
  // PSH and FIN belong to the end.
  const flags = tcbTcpFlags(skb);
  tcbSetTcpFlags(buff, flags);
  tcbSetTcpFlags(skb, flags & ~(TCPHDR_FIN | TCPHDR_PSH));
  tcbSetSacked(buff, tcbSacked(skb));
  buff.cb7 = skb.cb7;
  buff.cb8 = skb.cb8;
  buff.cb9 = skb.cb9;
  buff.cb10 = skb.cb10;
  buff.cb11 = skb.cb11;
  tcpSkbSetSerial(buff, tcpSkbSerial(skb));
  if (tcbEor(skb)) tcbSetEor(skb, false);
}

/**
 * Cuts skb at len: what is behind becomes an sk_buff of its own, next in the same queue.
 * @param queue skWriteQueue or tcpRtxQueue, which skb is on @param mssNow for the count of segments
 * @returns 0, -EINVAL if skb is shorter, -ENOMEM
 */
export function tcpFragment(sk: TcpSock, queue: SkBuffHead, skb: SkBuff, len: number, mssNow: number): number {
  if (len > skb.len) return -EINVAL;
  if (tcpQueueTooBig(sk, queue, skb)) {
    netIncStats(sk.skNet, LINUX_MIB_TCPWQUEUETOOBIG);
    return -ENOMEM;
  }
  if (skbUncloneKeeptruesize(skb) !== 0) return -ENOMEM;
  const linear = skb.len - skb.dataLen - len;
  const buff = tcpFragmentAlloc(sk, linear > 0 ? linear : 0);
  if (buff === null) return -ENOMEM;

  const moved = skb.len - len;
  buff.truesize += moved;
  skb.truesize -= moved;
  tcpFragmentCb(skb, buff, len);
  skbSplit(skb, buff, len);
  tcpFragmentTstamp(skb, buff);
  const old = tcpSkbPcount(skb);
  tcpSetSkbTsoSegs(skb, mssNow);
  tcpSetSkbTsoSegs(buff, mssNow);
  if (queue === sk.tcpRtxQueue) {
    const diff = old - tcpSkbPcount(skb) - tcpSkbPcount(buff);
    if (diff !== 0) tcpAdjustPcount(sk, skb, diff);
  }
  __skbHeaderRelease(skb);
  __skbHeaderRelease(buff);
  skbQueueAfter(queue, skb, buff);
  if (queue === sk.tcpRtxQueue) tcpTsortedAddAfter(sk, skb, buff);
  return 0;
}

/** Drops len bytes of payload at the front, linear or not. skb is nobody else's. */
function pskbTrimHead(skb: SkBuff, len: number): void {
  const headlen = skb.len - skb.dataLen;
  let eat = Math.min(len, headlen);
  __skbPull(skb, eat);
  eat = len - eat;
  if (eat === 0) return;
  const shinfo = skb.shinfo;
  let k = 0;
  skb.len -= eat;
  skb.dataLen -= eat;
  for (let i = 0; i < shinfo.nrFrags; i++) {
    const frag = shinfo.frags[i]!;
    if (frag.size <= eat) {
      eat -= frag.size;
      skbFragUnref(skb, i);
      continue;
    }
    frag.offset += eat;
    frag.size -= eat;
    eat = 0;
    if (k !== i) {
      skbFragCopy(shinfo.frags[k]!, frag);
      frag.page = null;
    }
    k++;
  }
  shinfo.nrFrags = k;
}

/** The first len bytes of skb are acknowledged: drops them. @returns 0 or -ENOMEM with nothing changed */
export function tcpTrimHead(sk: TcpSock, skb: SkBuff, len: number): number {
  if (skbUncloneKeeptruesize(skb) !== 0) return -ENOMEM;
  pskbTrimHead(skb, len);
  __skbHeaderRelease(skb);
  tcbSetSeq(skb, tcbSeq(skb) + len);
  skb.truesize -= len;
  sk.skWmemQueued -= len;
  skMemUncharge(sk, len);
  if (tcpSkbPcount(skb) > 1) tcpSetSkbTsoSegs(skb, tcpSkbMss(skb));
  return 0;
}
