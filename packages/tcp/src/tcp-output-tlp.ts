/*
 * Tail loss probe: when the end of a flight is not acknowledged in time, one segment is sent again (or a new one), so
 * that SACK tells what was lost, instead of a timeout.
 *
 * Order of calls: tcpScheduleLossProbe → (timer) tcpSendLossProbe → tcpProcessTlpAck.
 * Read first: RFC 8985 §7.
 */
import { jiffiesToUsecs, usecsToJiffies } from '@stack/kernel';
import { ICSK_TIME_LOSS_PROBE } from '@stack/inet-sock';
import { tcpSetCaState } from './tcp-cong.ts';
import {
  FLAG_DATA_SACKED, FLAG_DSACK_TLP, FLAG_NOT_DUP, FLAG_SND_UNA_ADVANCED, TCP_TIMEOUT_INIT, TCP_TIMEOUT_MIN_US,
} from './tcp-consts.ts';
import { tcpFastopenRsk } from './tcp-fastopen.ts';
import { tcpEndCwndReduction, tcpInitCwndReduction } from './tcp-input-cwnd.ts';
import { tcpTryKeepOpen } from './tcp-input-recovery.ts';
import { tcpRtoMinUs } from './tcp-input-rtt.ts';
import { LINUX_MIB_TCPLOSSPROBERECOVERY, LINUX_MIB_TCPLOSSPROBES } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpFragment } from './tcp-output-frag.ts';
import { tcpCurrentMss } from './tcp-output-mss.ts';
import { __tcpRetransmitSkb } from './tcp-output-retransmit.ts';
import { tcpPacingDelay } from './tcp-output-pacing.ts';
import { tcpRearmRto, tcpResetXmitTimer, tcpRtoDeltaUs } from './tcp-output-timer.ts';
import { tcpSndWndTest, tcpWriteXmit } from './tcp-output-xmit.ts';
import { tcpIsSack, tcpRtxQueueTail, tcpSendHead } from './tcp-rtx-queue.ts';
import { after, before, tcpSkbPcount } from './tcp-skb-cb.ts';
import { TCP_CA_CWR, TCP_CA_Open, TCP_NAGLE_OFF } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/**
 * RFC 8985 §7.2: arms the probe for two round trips from now, if the RTO is not earlier.
 * @param advancingRto the RTO starts now, not when the oldest segment was sent
 * @returns false if a probe is not in order: then the RTO is to be armed
 */
export function tcpScheduleLossProbe(sk: TcpSock, advancingRto: boolean): boolean {
  if (sk.rare !== null && tcpFastopenRsk(sk) !== null) return false;
  const early = sk.skNet.tcp.sysctlTcpEarlyRetrans;
  if ((early !== 3 && early !== 4) || sk.packetsOut === 0 || !tcpIsSack(sk)) return false;
  if (sk.icskCaState !== TCP_CA_Open && sk.icskCaState !== TCP_CA_CWR) return false;

  let timeout = TCP_TIMEOUT_INIT;
  if (sk.srttUs !== 0) {
    // A single segment may wait for a delayed ACK.
    timeout = usecsToJiffies((sk.srttUs >> 2) + (sk.packetsOut === 1 ? tcpRtoMinUs(sk) : TCP_TIMEOUT_MIN_US));
  }
  const rtoDeltaUs = advancingRto ? jiffiesToUsecs(sk.icskRto) : tcpRtoDeltaUs(sk);
  if (rtoDeltaUs > 0) timeout = Math.min(timeout, usecsToJiffies(rtoDeltaUs));
  tcpResetXmitTimer(sk, ICSK_TIME_LOSS_PROBE, timeout + tcpPacingDelay(sk));
  return true;
}

/** RFC 8985 §7.3: new data if the window has room, else the last segment again. @returns whether something was sent */
function tcpLossProbe(sk: TcpSock): boolean {
  const mss = tcpCurrentMss(sk);
  const head = tcpSendHead(sk);
  if (head !== null && tcpSndWndTest(sk, head, mss)) {
    const prior = sk.packetsOut;
    tcpWriteXmit(sk, mss, TCP_NAGLE_OFF, 2);
    return sk.packetsOut > prior;
  }
  let skb = tcpRtxQueueTail(sk);
  if (skb === null) return false;
  const pcount = tcpSkbPcount(skb);
  if (pcount > 1 && skb.len > (pcount - 1) * mss) {
    if (tcpFragment(sk, sk.tcpRtxQueue, skb, (pcount - 1) * mss, mss) !== 0) return false;
    skb = skb.next;
  }
  if (skb === null || tcpSkbPcount(skb) === 0) return false;
  if (__tcpRetransmitSkb(sk, skb, 1) !== 0) return false;
  sk.tlpRetrans = true;
  return true;
}

/** The probe timer fired. At most one probe is out at a time. */
export function tcpSendLossProbe(sk: TcpSock): void {
  if (sk.tlpHighSeq === 0) {
    sk.tlpRetrans = false;
    if (tcpLossProbe(sk)) {
      sk.tlpHighSeq = sk.sndNxt;
      netIncStats(sk.skNet, LINUX_MIB_TCPLOSSPROBES);
      // The RTO starts from now.
      sk.icskPending = 0;
    }
  }
  tcpRearmRto(sk);
}

/** RFC 8985 §7.4: an ACK while a probe is out. If the probe repaired a loss, the window is reduced once. */
export function tcpProcessTlpAck(sk: TcpSock, ack: number, flag: number): void {
  if (before(ack, sk.tlpHighSeq)) return;
  if (!sk.tlpRetrans || (flag & FLAG_DSACK_TLP) !== 0) {
    // New data was acknowledged; or both the original and the probe arrived.
    sk.tlpHighSeq = 0;
  } else if (after(ack, sk.tlpHighSeq)) {
    tcpInitCwndReduction(sk);
    tcpSetCaState(sk, TCP_CA_CWR);
    tcpEndCwndReduction(sk);
    tcpTryKeepOpen(sk);
    netIncStats(sk.skNet, LINUX_MIB_TCPLOSSPROBERECOVERY);
  } else if ((flag & (FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DATA_SACKED)) === 0) {
    // A plain duplicate ACK for the probe: both arrived.
    sk.tlpHighSeq = 0;
  }
}
