/*
 * Undo: a recovery that proves needless is taken back. Proof is a DSACK for each retransmission, an echoed timestamp
 * older than the first retransmission (Eifel), or F-RTO.
 *
 * Order of calls: from tcpFastretransAlert. Read first: RFC 3522 and RFC 4015 (Eifel); RFC 3708 (DSACK); RFC 5682.
 */
import { TCP_SYN_SENT } from '@stack/socket';
import type { SkBuff } from '@stack/skbuff';
import { tcpSkbTimestampTs } from './tcp-clock.ts';
import { tcpSetCaState } from './tcp-cong.ts';
import { tcpUndoCwndReduction } from './tcp-input-cwnd.ts';
import { tcpRetransStampCleanup, tcpTryKeepOpen } from './tcp-input-recovery.ts';
import { tcpCheckSackReordering } from './tcp-input-sack.ts';
import {
  LINUX_MIB_TCPDSACKUNDO, LINUX_MIB_TCPFULLUNDO, LINUX_MIB_TCPLOSSUNDO, LINUX_MIB_TCPPARTIALUNDO,
  LINUX_MIB_TCPSPURIOUSRTOS,
} from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { TCP_RACK_RECOVERY_THRESH, tcpRack } from './tcp-recovery.ts';
import { tcpIsReno, tcpIsSack } from './tcp-rtx-queue.ts';
import { TCPCB_RETRANS, before, tcbSacked } from './tcp-skb-cb.ts';
import { TCP_CA_Loss, TCP_CA_Open } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** The echoed timestamp is older than `when` (timestamp clock, ms). */
function tcpTsoptEcrBefore(sk: TcpSock, when: number): boolean {
  const rx = sk.rxOpt;
  return rx.sawTstamp && rx.rcvTsecr !== 0 && before(rx.rcvTsecr, when);
}

/** skb was retransmitted, but what the ACK answers is an earlier transmission. */
export function tcpSkbSpuriousRetrans(sk: TcpSock, skb: SkBuff): boolean {
  return (tcbSacked(skb) & TCPCB_RETRANS) !== 0 && tcpTsoptEcrBefore(sk, tcpSkbTimestampTs(sk, skb));
}

/** Nothing was retransmitted (small queues may hold it up), or the original arrived first. */
function tcpPacketDelayed(sk: TcpSock): boolean {
  if (sk.retransStamp !== 0) return tcpTsoptEcrBefore(sk, sk.retransStamp);
  // Where a retransmission has been forgotten: at the recovery point without SACK, and with our SYN's ACK.
  if (!tcpIsSack(sk) && !before(sk.sndUna, sk.highSeq)) return false;
  return sk.skState !== TCP_SYN_SENT;
}

function tcpMayUndo(sk: TcpSock): boolean {
  return sk.undoMarker !== 0 && (sk.undoRetrans === 0 || tcpPacketDelayed(sk));
}

/** Without SACK the old state is held until more than highSeq is acknowledged (RFC 6582 §3.2, false retransmissions). */
function tcpIsNonSackPreventingReopen(sk: TcpSock): boolean {
  if (sk.sndUna !== sk.highSeq || !tcpIsReno(sk)) return false;
  tcpRetransStampCleanup(sk);
  return true;
}

/** highSeq is acknowledged: the recovery ends, undone if it was needless. @returns true if the state is to be held */
export function tcpTryUndoRecovery(sk: TcpSock): boolean {
  if (tcpMayUndo(sk)) {
    const wasLoss = sk.icskCaState === TCP_CA_Loss;
    tcpUndoCwndReduction(sk, false);
    netIncStats(sk.skNet, wasLoss ? LINUX_MIB_TCPLOSSUNDO : LINUX_MIB_TCPFULLUNDO);
  } else if (sk.rack !== null && sk.rack.reoWndPersist !== 0) {
    sk.rack.reoWndPersist--;
  }
  if (tcpIsNonSackPreventingReopen(sk)) return true;
  tcpSetCaState(sk, TCP_CA_Open);
  sk.isSackReneg = false;
  return false;
}

/** All retransmissions were reported as duplicates. */
export function tcpTryUndoDsack(sk: TcpSock): boolean {
  if (sk.undoMarker === 0 || sk.undoRetrans !== 0) return false;
  const rack = tcpRack(sk);
  rack.reoWndPersist = Math.min(TCP_RACK_RECOVERY_THRESH, rack.reoWndPersist + 1);
  tcpUndoCwndReduction(sk, false);
  netIncStats(sk.skNet, LINUX_MIB_TCPDSACKUNDO);
  return true;
}

/** A timeout was spurious. @param frtoUndo F-RTO says so */
export function tcpTryUndoLoss(sk: TcpSock, frtoUndo: boolean): boolean {
  if (!frtoUndo && !tcpMayUndo(sk)) return false;
  tcpUndoCwndReduction(sk, true);
  netIncStats(sk.skNet, LINUX_MIB_TCPLOSSUNDO);
  if (frtoUndo) netIncStats(sk.skNet, LINUX_MIB_TCPSPURIOUSRTOS);
  sk.icskRetransmits = 0;
  if (tcpIsNonSackPreventingReopen(sk)) return true;
  if (frtoUndo || tcpIsSack(sk)) {
    tcpSetCaState(sk, TCP_CA_Open);
    sk.isSackReneg = false;
  }
  return true;
}

/**
 * A partial ACK for an original that was merely late: what was called loss is reordering.
 * @returns true if nothing more is to be marked lost: what was sent again is still out
 */
export function tcpTryUndoPartial(sk: TcpSock, priorSndUna: number): boolean {
  if (sk.undoMarker === 0 || !tcpPacketDelayed(sk)) return false;
  tcpCheckSackReordering(sk, priorSndUna, true);
  // With retransmissions out: send no more of them, but do not undo yet.
  if (sk.retransOut !== 0) return true;
  tcpRetransStampCleanup(sk);
  tcpUndoCwndReduction(sk, true);
  netIncStats(sk.skNet, LINUX_MIB_TCPPARTIALUNDO);
  tcpTryKeepOpen(sk);
  return false;
}
