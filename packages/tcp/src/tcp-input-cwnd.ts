/*
 * The congestion window around a loss: reduction by PRR, CWR, and what undoes them.
 *
 * Order of calls: tcpInitCwndReduction → tcpCwndReduction per ACK → tcpEndCwndReduction, or tcpUndoCwndReduction.
 * Windows are in segments. Read first: RFC 6937; RFC 5681 §3.2; RFC 4015 and RFC 3522 (undo).
 */
import { CA_EVENT_COMPLETE_CWR, TCP_INFINITE_SSTHRESH, tcpCaEvent, tcpSetCaState } from './tcp-cong.ts';
import { FLAG_SND_UNA_ADVANCED } from './tcp-consts.ts';
import { tcpEcnQueueCwr, tcpEcnWithdrawCwr } from './tcp-ecn.ts';
import { tcpPacketsInFlight } from './tcp-rtx-queue.ts';
import { TCPCB_LOST, tcbSacked, tcbSetSacked } from './tcp-skb-cb.ts';
import { TCP_CA_CWR, TCP_CA_Recovery } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** The window is being reduced (CWR or Recovery). */
export function tcpInCwndReduction(sk: TcpSock): boolean {
  return sk.icskCaState === TCP_CA_CWR || sk.icskCaState === TCP_CA_Recovery;
}

/** ssthresh that an undo may return to: while reducing it stays; else three quarters of the window. */
export function tcpCurrentSsthresh(sk: TcpSock): number {
  if (tcpInCwndReduction(sk)) return sk.sndSsthresh;
  return Math.max(sk.sndSsthresh, (sk.sndCwnd >> 1) + (sk.sndCwnd >> 2));
}

/** A reduction begins: everything up to sndNxt belongs to one loss event. */
export function tcpInitCwndReduction(sk: TcpSock): void {
  sk.highSeq = sk.sndNxt;
  sk.tlpHighSeq = 0;
  sk.sndCwndCnt = 0;
  sk.priorCwnd = sk.sndCwnd;
  sk.prrDelivered = 0;
  sk.prrOut = 0;
  sk.sndSsthresh = sk.icskCaOps.ssthresh(sk);
  tcpEcnQueueCwr(sk);
}

/**
 * RFC 6937 §3.1: proportional rate reduction, and slow start with the reduction bound below ssthresh.
 * @param newlyAckedSacked @param newlyLost segments of this ACK
 */
export function tcpCwndReduction(sk: TcpSock, newlyAckedSacked: number, newlyLost: number, flag: number): void {
  if (newlyAckedSacked <= 0 || sk.priorCwnd === 0) return;
  const inFlight = tcpPacketsInFlight(sk);
  const delta = sk.sndSsthresh - inFlight;
  sk.prrDelivered += newlyAckedSacked;
  let sndcnt: number;
  if (delta < 0) {
    sndcnt = Math.floor((sk.sndSsthresh * sk.prrDelivered + sk.priorCwnd - 1) / sk.priorCwnd) - sk.prrOut;
  } else {
    sndcnt = Math.max(sk.prrDelivered - sk.prrOut, newlyAckedSacked);
    if ((flag & FLAG_SND_UNA_ADVANCED) !== 0 && newlyLost === 0) sndcnt++;
    sndcnt = Math.min(delta, sndcnt);
  }
  // The first ACK of a recovery always lets the fast retransmission out.
  sk.sndCwnd = inFlight + Math.max(sndcnt, sk.prrOut !== 0 ? 0 : 1);
}

/** The reduction is complete: the window is what it was reduced to. */
export function tcpEndCwndReduction(sk: TcpSock): void {
  if (sk.icskCaOps.congControl !== null) return;
  if (sk.sndSsthresh < TCP_INFINITE_SSTHRESH && (sk.icskCaState === TCP_CA_CWR || sk.undoMarker !== 0)) {
    sk.sndCwnd = sk.sndSsthresh;
    sk.sndCwndStamp = sk.skNet.world.jiffies;
  }
  tcpCaEvent(sk, CA_EVENT_COMPLETE_CWR);
}

/** Reduces the window without a loss: ECN, or the queue of our own device was full. */
export function tcpEnterCwr(sk: TcpSock): void {
  sk.priorSsthresh = 0;
  if (sk.icskCaState >= TCP_CA_CWR) return;
  sk.undoMarker = 0;
  tcpInitCwndReduction(sk);
  tcpSetCaState(sk, TCP_CA_CWR);
}

/** Remembers what is needed to find out later that a recovery was needless. */
export function tcpInitUndo(sk: TcpSock): void {
  sk.undoMarker = sk.sndUna;
  sk.undoRetrans = sk.retransOut;
  // A loss probe that was a retransmission counts too.
  if (sk.tlpHighSeq !== 0 && sk.tlpRetrans) sk.undoRetrans++;
  // 0 would mean that all of them were reported as duplicates.
  if (sk.undoRetrans === 0) sk.undoRetrans = -1;
}

/** The reduction was needless: back to the window before. @param unmarkLoss nothing was lost either */
export function tcpUndoCwndReduction(sk: TcpSock, unmarkLoss: boolean): void {
  if (unmarkLoss) {
    for (let skb = sk.tcpRtxQueue.next; skb !== null; skb = skb.next) tcbSetSacked(skb, tcbSacked(skb) & ~TCPCB_LOST);
    sk.lostOut = 0;
    sk.retransmitSkbHint = null;
  }
  if (sk.priorSsthresh !== 0) {
    sk.sndCwnd = sk.icskCaOps.undoCwnd(sk);
    if (sk.priorSsthresh > sk.sndSsthresh) {
      sk.sndSsthresh = sk.priorSsthresh;
      tcpEcnWithdrawCwr(sk);
    }
  }
  sk.sndCwndStamp = sk.skNet.world.jiffies;
  sk.undoMarker = 0;
  // RACK looks at everything again.
  if (sk.rack !== null) sk.rack.advanced = true;
}
