/*
 * Which segments are lost: the marks of the scoreboard, and NewReno's way to set them.
 *
 * Order of calls: tcpIdentifyPacketLoss (per ACK) → RACK's (tcp-recovery.ts), or without SACK tcpNewrenoMarkLost; on a
 * timeout tcpTimeoutMarkLost. Read first: RFC 6675 §2–3 (the scoreboard); RFC 6582; RFC 8985.
 * As in Linux since 6.17, RFC 6675's IsLost (a count of SACKs) is not there beside RACK.
 */
import type { TcpSacktagState } from './tcp-ack-state.ts';
import type { SkBuff } from '@stack/skbuff';
import { FLAG_LOST_RETRANS, FLAG_SET_XMIT_TIMER, FLAG_SND_UNA_ADVANCED } from './tcp-consts.ts';
import { LINUX_MIB_TCPLOSTRETRANSMIT, LINUX_MIB_TCPRENOREORDER, LINUX_MIB_TCPSACKRENEGING } from './tcp-mib.ts';
import { netAddStats, netIncStats } from './netns-tcp.ts';
import { tcpFragment } from './tcp-output-frag.ts';
import { tcpRackMarkLost, tcpRackSkbTimeout } from './tcp-recovery.ts';
import {
  tcpIsReno, tcpRtxQueueEmpty, tcpRtxQueueHead,
} from './tcp-rtx-queue.ts';
import {
  TCPCB_LOST, TCPCB_SACKED_ACKED, TCPCB_SACKED_RETRANS, before, tcbSacked, tcbSeq, tcbSetSacked,
  tcpSkbMss, tcpSkbPcount,
} from './tcp-skb-cb.ts';
import { TCP_CA_Recovery } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Retransmission starts no later than at skb. */
function tcpVerifyRetransmitHint(sk: TcpSock, skb: SkBuff): void {
  const hint = sk.retransmitSkbHint;
  if (hint === null ? sk.retransOut >= sk.lostOut : before(tcbSeq(skb), tcbSeq(hint))) sk.retransmitSkbHint = skb;
}

/** skb is lost, or its retransmission is lost again. */
export function tcpMarkSkbLost(sk: TcpSock, skb: SkBuff): void {
  const sacked = tcbSacked(skb);
  if ((sacked & TCPCB_SACKED_ACKED) !== 0) return;
  const pcount = tcpSkbPcount(skb);
  tcpVerifyRetransmitHint(sk, skb);
  if ((sacked & TCPCB_LOST) === 0) {
    sk.lostOut += pcount;
    tcbSetSacked(skb, sacked | TCPCB_LOST);
    sk.lost = (sk.lost + pcount) | 0;
  } else if ((sacked & TCPCB_SACKED_RETRANS) !== 0) {
    tcbSetSacked(skb, sacked & ~TCPCB_SACKED_RETRANS);
    sk.retransOut -= pcount;
    netAddStats(sk.skNet, LINUX_MIB_TCPLOSTRETRANSMIT, pcount);
    sk.lost = (sk.lost + pcount) | 0;
  }
}

/** Segments delivered, and with ECE those that met congestion. */
export function tcpCountDelivered(sk: TcpSock, delivered: number, eceAck: boolean): void {
  sk.delivered = (sk.delivered + delivered) | 0;
  if (eceAck) sk.deliveredCe = (sk.deliveredCe + delivered) | 0;
}

/** Forgets all of recovery: nothing is lost, SACKed or retransmitted. */
export function tcpClearRetrans(sk: TcpSock): void {
  sk.retransOut = 0;
  sk.lostOut = 0;
  sk.undoMarker = 0;
  sk.undoRetrans = -1;
  sk.sackedOut = 0;
  sk.retransStamp = 0;
  sk.tlpHighSeq = 0;
}

// --- Without SACK: sackedOut counts duplicate ACKs -----------------------------------------------------------

/** More duplicate ACKs than segments that can cause them: bounds the count. @returns whether it had to */
export function tcpLimitRenoSacked(sk: TcpSock): boolean {
  const holes = Math.min(Math.max(sk.lostOut, 1), sk.packetsOut);
  if (sk.sackedOut + holes <= sk.packetsOut) return false;
  sk.sackedOut = sk.packetsOut - holes;
  return true;
}

/** Too many duplicate ACKs show reordering. */
function tcpCheckRenoReordering(sk: TcpSock, addend: number): void {
  if (!tcpLimitRenoSacked(sk)) return;
  sk.reordering = Math.min(sk.packetsOut + addend, sk.skNet.tcp.sysctlTcpMaxReordering);
  sk.reordSeen++;
  netIncStats(sk.skNet, LINUX_MIB_TCPRENOREORDER);
}

/** Duplicate ACKs: as many segments have left the network. */
export function tcpAddRenoSack(sk: TcpSock, numDupack: number, eceAck: boolean): void {
  if (numDupack === 0) return;
  const prior = sk.sackedOut;
  sk.sackedOut += numDupack;
  tcpCheckRenoReordering(sk, 0);
  const delivered = sk.sackedOut - prior;
  if (delivered > 0) tcpCountDelivered(sk, delivered, eceAck);
}

/** `acked` segments were acknowledged: one filled the hole, the others had caused duplicate ACKs. */
export function tcpRemoveRenoSacks(sk: TcpSock, acked: number, eceAck: boolean): void {
  if (acked > 0) {
    tcpCountDelivered(sk, Math.max(acked - sk.sackedOut, 1), eceAck);
    sk.sackedOut = acked - 1 >= sk.sackedOut ? 0 : sk.sackedOut - (acked - 1);
  }
  tcpCheckRenoReordering(sk, acked);
}

export function tcpResetRenoSack(sk: TcpSock): void {
  sk.sackedOut = 0;
}

/** RFC 6582 §3.2: at the start of recovery, and on each partial ACK, the first segment is lost. */
function tcpNewrenoMarkLost(sk: TcpSock, sndUnaAdvanced: boolean): void {
  const state = sk.icskCaState;
  const lost = state < TCP_CA_Recovery ? sk.sackedOut >= sk.reordering : state === TCP_CA_Recovery && sndUnaAdvanced;
  if (!lost) return;
  const skb = tcpRtxQueueHead(sk)!;
  if ((tcbSacked(skb) & TCPCB_LOST) !== 0) return;
  const mss = tcpSkbMss(skb);
  if (tcpSkbPcount(skb) > 1 && skb.len > mss) tcpFragment(sk, sk.tcpRtxQueue, skb, mss, mss);
  tcpMarkSkbLost(sk, skb);
}

// --- Either way -----------------------------------------------------------------------------------------------

/** May recovery begin? Something is marked lost. */
export function tcpTimeToRecover(sk: TcpSock): boolean {
  return sk.lostOut !== 0;
}

/** Marks the losses that this ACK tells of; notes in st.flag if it armed a timer, or lost a retransmission. */
export function tcpIdentifyPacketLoss(sk: TcpSock, st: TcpSacktagState): void {
  if (tcpRtxQueueEmpty(sk)) return;
  if (tcpIsReno(sk)) {
    tcpNewrenoMarkLost(sk, (st.flag & FLAG_SND_UNA_ADVANCED) !== 0);
  } else {
    const priorRetrans = sk.retransOut;
    if (tcpRackMarkLost(sk)) st.flag &= ~FLAG_SET_XMIT_TIMER;
    if (priorRetrans > sk.retransOut) st.flag |= FLAG_LOST_RETRANS;
  }
}

/** RFC 6298 §5 and RFC 2018 §5.1: after a timeout everything is lost but what RACK has reason to believe in flight. */
export function tcpTimeoutMarkLost(sk: TcpSock): void {
  const head = tcpRtxQueueHead(sk);
  const isReneg = head !== null && (tcbSacked(head) & TCPCB_SACKED_ACKED) !== 0;
  if (isReneg) {
    netIncStats(sk.skNet, LINUX_MIB_TCPSACKRENEGING);
    sk.sackedOut = 0;
    sk.isSackReneg = true;
  } else if (tcpIsReno(sk)) {
    tcpResetRenoSack(sk);
  }
  for (let skb = head; skb !== null; skb = skb.next) {
    if (isReneg) tcbSetSacked(skb, tcbSacked(skb) & ~TCPCB_SACKED_ACKED);
    else if (skb !== head && tcpRackSkbTimeout(sk, skb, 0) > 0) continue;
    tcpMarkSkbLost(sk, skb);
  }
  sk.retransmitSkbHint = null;
}
