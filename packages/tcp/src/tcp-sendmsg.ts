/*
 * tcp_sendmsg: user data becomes segments to send. It is copied once, here: into the linear part of the last sk_buff
 * while that has room, then into page fragments of it, up to a size goal of several MSS; then tcpPush decides what
 * leaves now.
 *
 * Order of calls: tcpSendmsg → tcpSendmsgLocked → (tcpStreamAllocSkb, tcpSkbEntail, copies) → tcpPush →
 * __tcpPushPendingFrames. Read first: RFC 9293 §3.7.4 (Nagle), §3.8.6.2.1 (silly windows), §3.10.2 (SEND).
 */
import { TCPF_CLOSE_WAIT, TCPF_ESTABLISHED, TCPF_SYN_RECV, TCPF_SYN_SENT } from '@stack/inet-sock';
import { EAGAIN, EFAULT, ENOBUFS, EPIPE } from '@stack/kernel';
import {
  CHECKSUM_PARTIAL, MAX_SKB_FRAGS, __skbHeaderRelease, __skbPut, __skbQueueTail, __skbReserve, __skbUnlink, allocSkb,
  getPage, skbCanCoalesce, skbFillPageDesc, skbTailroom, consumeSkb,
} from '@stack/skbuff';
import type { SkBuff, UbufInfo } from '@stack/skbuff';
import {
  MSG_DONTWAIT, MSG_EOR, MSG_FASTOPEN, MSG_MORE, MSG_OOB, MSG_ZEROCOPY, SEND_SHUTDOWN, SOCK_ZEROCOPY, copyFromIter, iovIterSegLeft, lockSock, msgFaults, msgZerocopyEnd,
  msgZerocopyRealloc, releaseSock, skbZcopySet, sockFlag, skEnterMemoryPressure,
  skForcedMemSchedule, skMemCharge, skPageFrag, skPageFragRefill, skStreamError, skStreamMemoryFree, skStreamModerateSndbuf,
  skWmemFreeSkb, skWmemSchedule, sockError,
} from '@stack/socket';
import type { MsgHdr, PageFrag, Sock } from '@stack/socket';
import { TCP_CHRONO_BUSY, tcpChronoStart, tcpChronoStop } from './tcp-chrono.ts';
import { tcpFastopenRsk } from './tcp-fastopen.ts';
import { tcpFastopenResume, tcpSendmsgFastopen } from './tcp-fastopen-client.ts';
import { MAX_TCP_HEADER, TCP_SKB_HEAD_TRUESIZE } from './tcp-consts.ts';
import { tcpBoundToHalfWnd, tcpCurrentMss } from './tcp-output-mss.ts';
import { LINUX_MIB_TCPAUTOCORKING } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { TSQF_THROTTLED } from './tcp-output-tsq.ts';
import { tcpSlowStartAfterIdleCheck } from './tcp-output-cwnd.ts';
import { __tcpPushPendingFrames, tcpPushOne } from './tcp-output-xmit.ts';
import { tcpRateCheckAppLimited } from './tcp-rate.ts';
import { tcpRtxAndWriteQueuesEmpty, tcpRtxQueueEmpty, tcpSendHead, tcpWriteQueueEmpty, tcpWriteQueueTail } from './tcp-rtx-queue.ts';
import {
  TCPHDR_ACK, TCPHDR_PSH, after, tcbEndSeq, tcbEor, tcbSeq, tcbSetEndSeq, tcbSetEor, tcbSetSeq, tcbSetTcpFlags, tcbTcpFlags,
  tcpSkbPcountSet,
} from './tcp-skb-cb.ts';
import { TCP_NAGLE_CORK, TCP_NAGLE_PUSH, tcpRare, tcpSk } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpConnectDeferred } from './tcp-space.ts';
import { tcpSendTsflags, tcpTxTimestamp } from './tcp-tx-timestamp.ts';

/** Most payload in the linear part: with the headers it fills the pool's small slot; what is more goes to page fragments. */
const TCP_LINEAR_MAX = 2048 - MAX_TCP_HEADER;

/** Proto.sendmsg. Bytes taken, or -errno; -EAGAIN from a blocking call means: call again when writeable (msg says how far it came). */
export function tcpSendmsg(sock: Sock, msg: MsgHdr, _len: number): number {
  const net = sock.skNet;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'tcp_sendmsg', null);
  const sk = tcpSk(sock);
  lockSock(sk);
  const ret = tcpSendmsgLocked(sk, msg);
  if (msg.msgUbuf !== null) msgZerocopyEnd(msg, ret);
  releaseSock(sk);
  return ret;
}

/** Whether sk can take data at all: 0; -EAGAIN while the handshake goes on; -EPIPE, or the pending error. */
function tcpSendmsgReady(sk: TcpSock, flags: number): number {
  const bit = 1 << sk.skState;
  if ((bit & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)) === 0) {
    if (sk.skErr !== 0) return sockError(sk);
    if ((bit & (TCPF_SYN_SENT | TCPF_SYN_RECV)) === 0) return -EPIPE;
    // The server of a Fast Open may answer before the handshake is complete.
    if (tcpFastopenRsk(sk) === null) return tcpSendmsgConnecting(sk, flags);
  }
  return sk.skErr !== 0 || (sk.skShutdown & SEND_SHUTDOWN) !== 0 ? -EPIPE : 0;
}

/** The handshake goes on: a writer that waits has data that the handshake's last ACK can go with. */
function tcpSendmsgConnecting(sk: TcpSock, flags: number): number {
  if ((flags & MSG_DONTWAIT) === 0) tcpRare(sk).writePending = true;
  return -EAGAIN;
}

/** tcpSendmsg for a caller who owns the sock. */
export function tcpSendmsgLocked(sk: TcpSock, msg: MsgHdr): number {
  const flags = msg.msgFlags;
  let err = 0;
  if (!msg.msgRestarted && ((flags & MSG_FASTOPEN) !== 0 || tcpConnectDeferred(sk))) {
    err = tcpSendmsgFastopen(sk, msg);
    if (err !== 0) return err;
  } else if (sk.rare?.tfo?.fastopenWait === true) {
    err = tcpFastopenResume(sk);
    if (err !== 0) return err;
  }
  err = tcpSendmsgReady(sk, flags);
  // Only a message that came before the connection has a buffer that is none.
  if (err === 0 && (msg.msgRestarted || (flags & MSG_FASTOPEN) !== 0) && msgFaults(msg)) err = -EFAULT;
  if (err === 0 && (flags & MSG_ZEROCOPY) !== 0) err = tcpSendmsgUbuf(sk, msg);
  if (err !== 0) return tcpSendmsgError(sk, msg, err);
  const tsflags = tcpSendTsflags(sk, msg);
  if (tsflags < 0) return tsflags;
  tcpRateCheckAppLimited(sk);
  const mssNow = tcpSendMss(sk);
  const sizeGoal = tcpXmitSizeGoal(sk, mssNow, (flags & MSG_OOB) === 0);
  let fresh = false;
  while (msg.msgIterCount > 0) {
    const skb = tcpSendmsgTail(sk, sizeGoal, fresh, msg.msgUbuf);
    if (skb === null) {
      err = -EAGAIN;
      break;
    }
    const copied = tcpSendmsgCopy(sk, skb, msg, sizeGoal - skb.len);
    if (copied <= 0) {
      // No memory, or no free fragment: then the segment is as good as full.
      if (copied === 0) tcpMarkPush(sk, skb);
      else err = -EAGAIN;
      if (err !== 0) break;
      fresh = true;
      continue;
    }
    fresh = false;
    if (msg.msgIterCount === 0 && (flags & MSG_EOR) !== 0) tcbSetEor(skb, true);
    if (msg.msgIterCount > 0 && skb.len >= sizeGoal && (flags & MSG_OOB) === 0) tcpSendmsgFull(sk, skb, mssNow);
  }
  if (err !== 0) return tcpSendmsgNoSpace(sk, msg, mssNow, sizeGoal, tsflags);
  if (msg.msgCopied > 0) {
    tcpTxTimestamp(sk, tsflags);
    tcpPush(sk, flags, mssNow, sk.nonagle, sizeGoal);
  }
  return msg.msgCopied;
}

/** MSG_ZEROCOPY: sees to it that the call has its notification, if the sock wants any. 0 or -ENOBUFS. */
function tcpSendmsgUbuf(sk: TcpSock, msg: MsgHdr): number {
  if (msg.msgUbuf !== null || msg.msgIterCount === 0 || !sockFlag(sk, SOCK_ZEROCOPY)) return 0;
  const tail = tcpWriteQueueTail(sk);
  msg.msgUbuf = msgZerocopyRealloc(sk, msg.msgIterCount, tail === null ? null : tail.shinfo.uarg);
  return msg.msgUbuf === null ? -ENOBUFS : 0;
}

/** Data remains and the buffer is full: what is queued goes out, Nagle or not, to make room. */
function tcpSendmsgNoSpace(sk: TcpSock, msg: MsgHdr, mssNow: number, sizeGoal: number, tsflags: number): number {
  tcpRemoveEmptySkb(sk);
  sk.noSpace = true;
  if (msg.msgCopied > 0) tcpPush(sk, msg.msgFlags & ~MSG_MORE, mssNow, TCP_NAGLE_PUSH, sizeGoal);
  if ((msg.msgFlags & MSG_DONTWAIT) === 0) return -EAGAIN;
  if (msg.msgCopied > 0) tcpTxTimestamp(sk, tsflags);
  return tcpSendmsgError(sk, msg, -EAGAIN);
}

/** What a call that cannot go on returns: what it did, if anything, else the error. */
function tcpSendmsgError(sk: TcpSock, msg: MsgHdr, err: number): number {
  if (err === -EAGAIN && (msg.msgFlags & MSG_DONTWAIT) === 0) return err;
  if (msg.msgCopied > 0) return msg.msgCopied;
  return skStreamError(sk, err);
}

/** The sk_buff that the next byte joins: the last one while it has room and no record ends there, else a new one; null without memory. */
function tcpSendmsgTail(sk: TcpSock, sizeGoal: number, fresh: boolean, ubuf: UbufInfo | null): SkBuff | null {
  const tail = tcpWriteQueueTail(sk);
  if (tail !== null && !fresh && tail.len < sizeGoal && !tcbEor(tail)) {
    const other = tail.shinfo.uarg;
    if (ubuf === null || other === null || other === ubuf) return tail;
    // One sk_buff has one notification.
    tcpMarkPush(sk, tail);
  }
  if (!skStreamMemoryFree(sk)) return null;
  const linear = ubuf === null ? Math.min(sk.mssCache, TCP_LINEAR_MAX) : 0;
  const skb = tcpStreamAllocSkb(sk, linear, tcpRtxAndWriteQueuesEmpty(sk));
  if (skb === null) return null;
  tcpSkbEntail(sk, skb);
  return skb;
}

/** A segment of the full size: it may leave while the rest is still copied. */
function tcpSendmsgFull(sk: TcpSock, skb: SkBuff, mssNow: number): void {
  if (tcpForcedPush(sk)) {
    tcpMarkPush(sk, skb);
    __tcpPushPendingFrames(sk, mssNow, TCP_NAGLE_PUSH);
  } else if (skb === tcpSendHead(sk)) {
    tcpPushOne(sk, mssNow);
  }
}

/**
 * Copies at most `room` bytes of the message to the end of skb: into its linear part, or into one fragment.
 * Returns the bytes copied; 0 when the sk_buff has no fragment left, -1 without memory.
 */
function tcpSendmsgCopy(sk: TcpSock, skb: SkBuff, msg: MsgHdr, room: number): number {
  const want = room < msg.msgIterCount ? room : msg.msgIterCount;
  const ubuf = msg.msgUbuf;
  const linear = ubuf === null ? skbTailroom(skb) : 0;
  let copied: number;
  if (linear > 0) {
    copied = tcpWmemSchedule(sk, want < linear ? want : linear);
    if (copied <= 0) return -1;
    copyFromIter(skb.buf, __skbPut(skb, copied), copied, msg);
    tcpWmemCharge(sk, skb, copied);
  } else {
    copied = tcpSendmsgCopyPage(sk, skb, msg, ubuf === null ? want : Math.min(want, iovIterSegLeft(msg)));
    if (copied <= 0) return copied;
    if (ubuf !== null) skbZcopySet(skb, ubuf);
  }
  if (msg.msgCopied === 0) tcbSetTcpFlags(skb, tcbTcpFlags(skb) & ~TCPHDR_PSH);
  sk.writeSeq = (sk.writeSeq + copied) | 0;
  tcbSetEndSeq(skb, tcbEndSeq(skb) + copied);
  tcpSkbPcountSet(skb, 0);
  msg.msgCopied += copied;
  return copied;
}

/** The part of tcpSendmsgCopy that fills a page fragment: the last one if the page goes on, or a new one. */
function tcpSendmsgCopyPage(sk: TcpSock, skb: SkBuff, msg: MsgHdr, want: number): number {
  const pfrag = skPageFrag(sk);
  if (!skPageFragRefill(sk, pfrag)) return -1;
  const page = pfrag.page;
  if (page === null) return -1;
  const i = skb.shinfo.nrFrags;
  // What is not copied has a fragment for each piece of the user's memory.
  const merge = skbCanCoalesce(skb, i, page, pfrag.offset) && (msg.msgUbuf === null || msg.msgIterOffset !== 0);
  if (!merge && i >= MAX_SKB_FRAGS) return 0;
  const copied = tcpWmemSchedule(sk, Math.min(want, pfrag.size - pfrag.offset));
  if (copied <= 0) return -1;
  copyFromIter(page.buf, pfrag.offset, copied, msg);
  tcpAddFragment(skb, pfrag, merge, copied);
  tcpWmemCharge(sk, skb, copied);
  return copied;
}

/** Makes `size` bytes at the front of pfrag part of skb. */
function tcpAddFragment(skb: SkBuff, pfrag: PageFrag, merge: boolean, size: number): void {
  const i = skb.shinfo.nrFrags;
  const page = pfrag.page;
  if (page === null) return;
  const last = merge ? skb.shinfo.frags[i - 1] : undefined;
  if (last !== undefined) {
    last.size += size;
  } else {
    skbFillPageDesc(skb, i, page, pfrag.offset, size);
    getPage(page);
  }
  pfrag.offset += size;
  skb.len += size;
  skb.dataLen += size;
}

/** `size` bytes of payload came into skb: they are in its truesize, and in the sock's accounts. */
export function tcpWmemCharge(sk: TcpSock, skb: SkBuff, size: number): void {
  skb.truesize += size;
  sk.skWmemQueued += size;
  skMemCharge(sk, size);
}

/** Takes room for `copy` bytes of payload from the sock's memory account; how many it got. */
function tcpWmemSchedule(sk: TcpSock, copy: number): number {
  if (skWmemSchedule(sk, copy)) return copy;
  // A sock may always use its minimum.
  const left = (sk.skNet.tcp.mem.sysctlWmem[0] ?? 0) - sk.skWmemQueued;
  if (left > 0) skForcedMemSchedule(sk, Math.min(left, copy));
  return Math.min(copy, sk.skForwardAlloc);
}

/**
 * An empty sk_buff for the write queue with room for all headers and `size` bytes in its linear part; `force`: also when
 * the account is exhausted. Null without memory.
 */
export function tcpStreamAllocSkb(sk: TcpSock, size: number, force: boolean): SkBuff | null {
  const skb = allocSkb(sk.skNet, MAX_TCP_HEADER + size);
  if (skb === null) {
    skEnterMemoryPressure(sk);
    skStreamModerateSndbuf(sk);
    return null;
  }
  skb.truesize = TCP_SKB_HEAD_TRUESIZE;
  if (force) {
    skForcedMemSchedule(sk, skb.truesize);
  } else if (!skWmemSchedule(sk, skb.truesize)) {
    consumeSkb(skb);
    return null;
  }
  __skbReserve(skb, MAX_TCP_HEADER);
  skb.ipSummed = CHECKSUM_PARTIAL;
  return skb;
}

/** Puts a fresh sk_buff at the end of the write queue, at writeSeq. The queue owns it from here. */
export function tcpSkbEntail(sk: TcpSock, skb: SkBuff): void {
  tcbSetSeq(skb, sk.writeSeq);
  tcbSetEndSeq(skb, sk.writeSeq);
  tcbSetTcpFlags(skb, TCPHDR_ACK);
  __skbHeaderRelease(skb);
  __skbQueueTail(sk.skWriteQueue, skb);
  tcpChronoStart(sk, TCP_CHRONO_BUSY);
  sk.skWmemQueued += skb.truesize;
  skMemCharge(sk, skb.truesize);
  sk.nonagle &= ~TCP_NAGLE_PUSH;
  tcpSlowStartAfterIdleCheck(sk);
}

/** Takes back an sk_buff into which nothing could be copied. */
export function tcpRemoveEmptySkb(sk: TcpSock): void {
  const skb = tcpWriteQueueTail(sk);
  if (skb === null || tcbSeq(skb) !== tcbEndSeq(skb)) return;
  __skbUnlink(skb, sk.skWriteQueue);
  if (tcpWriteQueueEmpty(sk)) tcpChronoStop(sk, TCP_CHRONO_BUSY);
  skWmemFreeSkb(sk, skb);
}

/** The MSS of now. */
export function tcpSendMss(sk: TcpSock): number {
  return tcpCurrentMss(sk);
}

/** How large an sk_buff may grow: a multiple of the MSS that a device may cut, within half of the peer's window. */
export function tcpXmitSizeGoal(sk: TcpSock, mssNow: number, largeAllowed: boolean): number {
  if (!largeAllowed) return mssNow;
  const newGoal = tcpBoundToHalfWnd(sk, sk.skGsoMaxSize);
  let goal = sk.gsoSegs * mssNow;
  // A division only when the old answer no longer fits.
  if (newGoal < goal || newGoal >= goal + mssNow) {
    sk.gsoSegs = Math.min(Math.trunc(newGoal / mssNow), sk.skGsoMaxSegs);
    goal = sk.gsoSegs * mssNow;
  }
  return goal > mssNow ? goal : mssNow;
}

/** skb carries PSH: the last byte written so far must reach the reader. */
export function tcpMarkPush(sk: TcpSock, skb: SkBuff): void {
  tcbSetTcpFlags(skb, tcbTcpFlags(skb) | TCPHDR_PSH);
  sk.pushedSeq = sk.writeSeq;
}

/** More than half of the peer's window was written since the last PSH. */
function tcpForcedPush(sk: TcpSock): boolean {
  return after(sk.writeSeq, (sk.pushedSeq + (sk.maxWindow >> 1)) | 0);
}

/** Small writes wait for one another while an earlier packet is still below us (net.ipv4.tcp_autocorking). */
function tcpShouldAutocork(sk: TcpSock, skb: SkBuff, sizeGoal: number): boolean {
  return skb.len < sizeGoal && sk.skNet.tcp.sysctlTcpAutocorking !== 0 && !tcpRtxQueueEmpty(sk) &&
    sk.skWmemAlloc > skb.truesize && !tcbEor(skb);
}

/** Leaves the small write to tcpWfree, which sends when the packet below is gone. */
function tcpAutocork(sk: TcpSock): void {
  if ((sk.tsqFlags & TSQF_THROTTLED) !== 0) return;
  netIncStats(sk.skNet, LINUX_MIB_TCPAUTOCORKING);
  sk.tsqFlags |= TSQF_THROTTLED;
}

/** After a write: marks PSH and urgent data, and sends what may leave. */
export function tcpPush(sk: TcpSock, flags: number, mssNow: number, nonagle: number, sizeGoal: number): void {
  const skb = tcpWriteQueueTail(sk);
  if (skb === null) return;
  if ((flags & MSG_MORE) === 0 || tcpForcedPush(sk)) tcpMarkPush(sk, skb);
  if ((flags & MSG_OOB) !== 0) sk.sndUp = sk.writeSeq;
  if (tcpShouldAutocork(sk, skb, sizeGoal)) return tcpAutocork(sk);
  __tcpPushPendingFrames(sk, mssNow, (flags & MSG_MORE) !== 0 ? TCP_NAGLE_CORK : nonagle);
}
