/*
 * Retransmission: what is marked lost goes out again, as the congestion window lets it.
 *
 * Order of calls: tcpAck → tcpXmitRecovery → tcpXmitRetransmitQueue → tcpRetransmitSkb → __tcpRetransmitSkb;
 * tcpRetransmitTimer and the loss probe call the latter two.
 * Read first: RFC 6675 §4 NextSeg; RFC 9293 §3.8.1; RFC 5681 §3.2.
 */
import { ICSK_TIME_REO_TIMEOUT, ICSK_TIME_RETRANS } from '@stack/inet-sock';
import { EAGAIN, EBUSY, EHOSTUNREACH, EINVAL, ENOMEM } from '@stack/kernel';
import { skbUncloneKeeptruesize, __skbHeaderRelease } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { tcpSkbTimestampTs } from './tcp-clock.ts';
import { tcpEcnClearSyn } from './tcp-ecn.ts';
import { tcpInCwndReduction } from './tcp-input-cwnd.ts';
import {
  LINUX_MIB_TCPFASTRETRANS, LINUX_MIB_TCPRETRANSFAIL, LINUX_MIB_TCPSLOWSTARTRETRANS, LINUX_MIB_TCPSYNRETRANS,
  TCP_MIB_RETRANSSEGS,
} from './tcp-mib.ts';
import { netAddStats, netIncStats, tcpAddStats } from './netns-tcp.ts';
import { tcpRetransTryCollapse } from './tcp-output-collapse.ts';
import { tcpFragment, tcpRecountSkb, tcpTrimHead } from './tcp-output-frag.ts';
import { tcpCurrentMss } from './tcp-output-mss.ts';
import { tcpPacingCheck, tcpPacingDelay } from './tcp-output-pacing.ts';
import { tcpResetXmitTimer } from './tcp-output-timer.ts';
import { tcpSmallQueueCheck } from './tcp-output-tsq.ts';
import { tcpTsoSegs } from './tcp-output-tso.ts';
import { tcpTransmitSkb } from './tcp-output.ts';
import { tcpPacketsInFlight, tcpRtxQueueHead, tcpWndEnd } from './tcp-rtx-queue.ts';
import {
  TCPCB_EVER_RETRANS, TCPCB_LOST, TCPCB_RETRANS, TCPCB_SACKED_ACKED, TCPCB_SACKED_RETRANS, TCPHDR_SYN, TCPHDR_SYN_ECN,
  before, tcbEndSeq, tcbSacked, tcbSeq, tcbSetSacked, tcbSetSeq, tcbSetTcpFlags, tcbTcpFlags, tcpSkbPcount,
} from './tcp-skb-cb.ts';
import { TCP_CA_Loss } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** A part of skb is acknowledged already: only the rest is sent. @returns 0 or -errno */
function tcpRetransmitTrim(sk: TcpSock, skb: SkBuff): number {
  if (!before(tcbSeq(skb), sk.sndUna)) return 0;
  if ((tcbTcpFlags(skb) & TCPHDR_SYN) !== 0) {
    tcbSetTcpFlags(skb, tcbTcpFlags(skb) & ~TCPHDR_SYN);
    tcbSetSeq(skb, tcbSeq(skb) + 1);
    if (!before(tcbSeq(skb), sk.sndUna)) return 0;
  }
  if (before(tcbEndSeq(skb), sk.sndUna)) return -EINVAL;
  return tcpTrimHead(sk, skb, (sk.sndUna - tcbSeq(skb)) | 0);
}

/** Cuts skb to `segs` segments and to the window. @returns 0 or -errno */
function tcpRetransmitCut(sk: TcpSock, skb: SkBuff, segs: number): number {
  const mss = tcpCurrentMss(sk);
  let window = (tcpWndEnd(sk) - tcbSeq(skb)) | 0;
  // A window that has shrunk: only the first segment goes, as a probe.
  if (window <= 0) {
    if (tcbSeq(skb) !== sk.sndUna) return -EAGAIN;
    window = mss;
  }
  let len = mss * segs;
  if (len > window) {
    len = window - (window % mss);
    if (len === 0) len = window;
  }
  if (skb.len > len) return tcpFragment(sk, sk.tcpRtxQueue, skb, len, mss);
  if (skbUncloneKeeptruesize(skb) !== 0) return -ENOMEM;
  __skbHeaderRelease(skb);
  tcpRecountSkb(sk, skb, mss);
  const space = Math.min(window, mss);
  if (skb.len < space) tcpRetransTryCollapse(sk, skb, space);
  return 0;
}

/**
 * Sends skb, or its first `segs` segments, again; the rest becomes an sk_buff of its own. Marks EVER_RETRANS only.
 * @returns 0, or -errno: -EAGAIN outside the window, -EHOSTUNREACH no route, -ENOMEM; > 0 dropped locally
 */
export function __tcpRetransmitSkb(sk: TcpSock, skb: SkBuff, segs: number): number {
  if (sk.icskMtup !== null) sk.icskMtup.probeSize = 0;
  let err = tcpRetransmitTrim(sk, skb);
  if (err !== 0) return err;
  if (sk.afSpecific.rebuildHeader(sk) !== 0) return -EHOSTUNREACH;
  err = tcpRetransmitCut(sk, skb, segs);
  if (err !== 0) return err;

  const flags = tcbTcpFlags(skb);
  if ((flags & TCPHDR_SYN_ECN) === TCPHDR_SYN_ECN) tcpEcnClearSyn(sk, skb);
  const pcount = tcpSkbPcount(skb);
  tcpAddStats(sk.skNet, TCP_MIB_RETRANSSEGS, pcount);
  if ((flags & TCPHDR_SYN) !== 0) netIncStats(sk.skNet, LINUX_MIB_TCPSYNRETRANS);
  sk.totalRetrans = (sk.totalRetrans + pcount) | 0;
  sk.bytesRetrans += skb.len;
  err = tcpTransmitSkb(sk, skb, true);
  // Even if it did not go out: its time of sending is not that of the original any more (Karn).
  tcbSetSacked(skb, tcbSacked(skb) | TCPCB_EVER_RETRANS);
  if (err !== 0 && err !== -EBUSY) netAddStats(sk.skNet, LINUX_MIB_TCPRETRANSFAIL, pcount);
  return err;
}

/** __tcpRetransmitSkb, and the scoreboard: skb is in flight again. */
export function tcpRetransmitSkb(sk: TcpSock, skb: SkBuff, segs: number): number {
  const err = __tcpRetransmitSkb(sk, skb, segs);
  if (err === 0) {
    const sacked = tcbSacked(skb);
    // After an undo, what was sent again counts as in flight still. Deviation: Linux counts it twice here.
    if ((sacked & TCPCB_SACKED_RETRANS) === 0) sk.retransOut += tcpSkbPcount(skb);
    tcbSetSacked(skb, sacked | TCPCB_RETRANS);
  }
  if (sk.retransStamp === 0) sk.retransStamp = tcpSkbTimestampTs(sk, skb);
  if (sk.undoRetrans < 0) sk.undoRetrans = 0;
  sk.undoRetrans += tcpSkbPcount(skb);
  return err;
}

/** RFC 6675 §5 (C): sends what is lost and was not sent again yet, oldest first, while the window has room. */
export function tcpXmitRetransmitQueue(sk: TcpSock): void {
  if (sk.packetsOut === 0) return;
  const head = tcpRtxQueueHead(sk);
  const maxSegs = tcpTsoSegs(sk, tcpCurrentMss(sk));
  let hole = false;
  let rearm = false;
  for (let skb = sk.retransmitSkbHint ?? head; skb !== null; skb = skb.next) {
    if (tcpPacingCheck(sk)) break;
    // What lies before the first segment that may still become lost need not be looked at again.
    if (!hole) sk.retransmitSkbHint = skb;
    const segs = Math.min(sk.sndCwnd - tcpPacketsInFlight(sk), maxSegs);
    if (segs <= 0) break;
    const sacked = tcbSacked(skb);
    if (sk.retransOut >= sk.lostOut) break;
    if ((sacked & TCPCB_LOST) === 0) {
      if ((sacked & (TCPCB_SACKED_RETRANS | TCPCB_SACKED_ACKED)) === 0) hole = true;
      continue;
    }
    if ((sacked & (TCPCB_SACKED_ACKED | TCPCB_SACKED_RETRANS)) !== 0) continue;
    if (tcpSmallQueueCheck(sk, skb, 1)) break;
    const isHead = skb === head;
    if (tcpRetransmitSkb(sk, skb, segs) !== 0) break;
    const pcount = tcpSkbPcount(skb);
    const slow = sk.icskCaState === TCP_CA_Loss;
    netAddStats(sk.skNet, slow ? LINUX_MIB_TCPSLOWSTARTRETRANS : LINUX_MIB_TCPFASTRETRANS, pcount);
    if (tcpInCwndReduction(sk)) sk.prrOut += pcount;
    if (isHead && sk.icskPending !== ICSK_TIME_REO_TIMEOUT) rearm = true;
  }
  if (rearm) tcpResetXmitTimer(sk, ICSK_TIME_RETRANS, sk.icskRto + tcpPacingDelay(sk));
}
