/*
 * Packetization-layer path MTU discovery (net.ipv4.tcp_mtu_probing): one segment larger than the others tells whether the path takes it.
 * The search is binary, between the size that is known to pass (searchLow) and the largest there may be (searchHigh), both with headers.
 *
 * Order of calls: tcpMtupInit; tcpWriteXmit → tcpMtuProbe; the answer: tcpCleanRtxQueue → tcpMtupProbeSuccess, or tcpFastretransAlert →
 * tcpMtupProbeFailed; tcpMtuProbing from the retransmission timer. Read first: RFC 4821 §7.2–7.7; RFC 8899.
 */
import { IcskMtup } from '@stack/inet-sock';
import { HZ } from '@stack/kernel';
import { __skbHeaderRelease, __skbPut, __skbUnlink, skbCopyBits, skbQueueHead } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { skMemCharge, skWmemFreeSkb } from '@stack/socket';
import { TCP_HDR_LEN } from './tcp-hdr.ts';
import { tcpCurrentSsthresh } from './tcp-input-cwnd.ts';
import { LINUX_MIB_TCPMTUPFAIL, LINUX_MIB_TCPMTUPSUCCESS } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpSetSkbTsoSegs, tcpTrimHead } from './tcp-output-frag.ts';
import { tcpCurrentMss, tcpMssToMtu, tcpMtuToMss, tcpSyncMss } from './tcp-output-mss.ts';
import { tcpPacingCheck } from './tcp-output-pacing.ts';
import { tcpTransmitSkb } from './tcp-output.ts';
import { tcpPacketsInFlight, tcpSendHead, tcpWndEnd } from './tcp-rtx-queue.ts';
import { tcpStreamAllocSkb, tcpWmemCharge } from './tcp-sendmsg.ts';
import {
  TCPHDR_ACK, TCPHDR_FIN, TCPHDR_PSH, after, tcbEor, tcbSeq, tcbSetEndSeq, tcbSetEor, tcbSetSeq, tcbSetTcpFlags, tcbTcpFlags, tcbTxstampAck,
} from './tcp-skb-cb.ts';
import { TCP_CA_Open } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpSkbCollapseTstamp } from './tcp-tx-timestamp.ts';

/** What tcpMtuProbe did: nothing that concerns others; wait, for a probe is to come; a probe is out. */
export const MTU_PROBE_NONE = -1;
export const MTU_PROBE_WAIT = 0;
export const MTU_PROBE_SENT = 1;

/** Fewer segments of window than this leave no room for a probe that is lost (RFC 4821 §7.4). */
const MTU_PROBE_MIN_CWND = 11;

/** The largest packet there may be: the peer takes no larger segment. */
function mtupHigh(sk: TcpSock): number {
  return sk.rxOpt.mssClamp + TCP_HDR_LEN + sk.afSpecific.netHeaderLen;
}

function newMtup(sk: TcpSock, enabled: boolean): IcskMtup {
  const mtup = new IcskMtup();
  mtup.enabled = enabled;
  mtup.searchHigh = mtupHigh(sk);
  mtup.searchLow = tcpMssToMtu(sk, sk.skNet.tcp.sysctlTcpBaseMss);
  mtup.probeTimestamp = sk.skNet.world.jiffies;
  return mtup;
}

/** A connection begins: tcp_mtu_probing 2 searches from tcp_base_mss upwards at once, 1 when it finds a black hole, 0 never. */
export function tcpMtupInit(sk: TcpSock): void {
  const mode = sk.skNet.tcp.sysctlTcpMtuProbing;
  sk.icskMtup = mode === 0 ? null : newMtup(sk, mode > 1);
}

/**
 * Retransmissions come to nothing and nobody says why: large segments may vanish on the path (RFC 4821 §7.7). The MSS goes down to
 * tcp_base_mss, and to half of it each time that this is called again.
 */
export function tcpMtuProbing(sk: TcpSock): void {
  const tcp = sk.skNet.tcp;
  if (tcp.sysctlTcpMtuProbing === 0) return;
  const mtup = sk.icskMtup ??= newMtup(sk, false);
  if (!mtup.enabled) {
    mtup.enabled = true;
    mtup.probeTimestamp = sk.skNet.world.jiffies;
  } else {
    const half = Math.min(tcpMtuToMss(sk, mtup.searchLow) >> 1, tcp.sysctlTcpBaseMss);
    mtup.searchLow = tcpMssToMtu(sk, Math.max(half, tcp.sysctlTcpMtuProbeFloor, tcp.sysctlTcpMinSndMss));
  }
  tcpSyncMss(sk, sk.icskPmtuCookie);
}

/** The search had come to its end: after tcp_probe_interval it begins anew, for paths change. */
function tcpMtuCheckReprobe(sk: TcpSock, mtup: IcskMtup): void {
  const now = sk.skNet.world.jiffies;
  if (((now - mtup.probeTimestamp) | 0) < sk.skNet.tcp.sysctlTcpProbeInterval * HZ) return;
  const mss = tcpCurrentMss(sk);
  mtup.probeSize = 0;
  mtup.searchHigh = mtupHigh(sk);
  mtup.searchLow = tcpMssToMtu(sk, mss);
  mtup.probeTimestamp = now;
}

/** The first `len` octets of the write queue may become one segment: no record ends and no stamp is taken within. */
function tcpCanCoalesceSendQueueHead(sk: TcpSock, len: number): boolean {
  let left = len;
  for (let skb = tcpSendHead(sk); skb !== null && left > skb.len; skb = skb.next) {
    if (tcbEor(skb) || tcbTxstampAck(skb) || skb.shinfo.txFlags !== 0 || skb.shinfo.uarg !== null) return false;
    left -= skb.len;
  }
  return true;
}

/** May a probe of `size` octets go now? One of MTU_PROBE_…; MTU_PROBE_SENT: yes. */
function tcpMtuProbeAllowed(sk: TcpSock, mtup: IcskMtup, size: number): number {
  // With what a fast retransmission needs behind it (RFC 4821 §7.4).
  const needed = size + (sk.reordering + 1) * sk.mssCache;
  const interval = mtup.searchHigh - mtup.searchLow;
  if (size > tcpMtuToMss(sk, mtup.searchHigh) || interval < sk.skNet.tcp.sysctlTcpProbeThreshold) {
    tcpMtuCheckReprobe(sk, mtup);
    return MTU_PROBE_NONE;
  }
  if (((sk.writeSeq - sk.sndNxt) | 0) < needed || sk.sndWnd < needed) return MTU_PROBE_NONE;
  if (after((sk.sndNxt + needed) | 0, tcpWndEnd(sk))) return MTU_PROBE_WAIT;
  const inFlight = tcpPacketsInFlight(sk);
  if (inFlight + 2 > sk.sndCwnd) return inFlight === 0 ? MTU_PROBE_NONE : MTU_PROBE_WAIT;
  return tcpCanCoalesceSendQueueHead(sk, size) ? MTU_PROBE_SENT : MTU_PROBE_NONE;
}

/** Moves the first octets of the write queue into `probe`, as many as it is to have. */
function tcpMtuProbeFill(sk: TcpSock, probe: SkBuff, size: number): void {
  let flags = TCPHDR_ACK;
  for (let skb = tcpSendHead(sk); skb !== null && probe.len < size; skb = tcpSendHead(sk)) {
    const copy = Math.min(skb.len, size - probe.len);
    skbCopyBits(skb, 0, probe.buf, __skbPut(probe, copy), copy);
    if (copy < skb.len) {
      flags |= tcbTcpFlags(skb) & ~(TCPHDR_FIN | TCPHDR_PSH);
      tcpTrimHead(sk, skb, copy);
      tcpSetSkbTsoSegs(skb, sk.mssCache);
      continue;
    }
    flags |= tcbTcpFlags(skb);
    if (tcbEor(skb)) tcbSetEor(probe, true);
    tcpSkbCollapseTstamp(probe, skb);
    __skbUnlink(skb, sk.skWriteQueue);
    skWmemFreeSkb(sk, skb);
  }
  tcbSetTcpFlags(probe, flags);
}

/** Sends a probe, if it is time for one and all is quiet. @returns MTU_PROBE_… */
export function tcpMtuProbe(sk: TcpSock): number {
  const mtup = sk.icskMtup;
  if (mtup === null || !mtup.enabled || mtup.probeSize !== 0 || sk.icskCaState !== TCP_CA_Open) return MTU_PROBE_NONE;
  if (sk.sndCwnd < MTU_PROBE_MIN_CWND || sk.rxOpt.numSacks !== 0 || sk.rxOpt.dsack) return MTU_PROBE_NONE;
  tcpCurrentMss(sk);
  const size = tcpMtuToMss(sk, (mtup.searchHigh + mtup.searchLow) >> 1);
  const allowed = tcpMtuProbeAllowed(sk, mtup, size);
  const head = tcpSendHead(sk);
  if (allowed !== MTU_PROBE_SENT || head === null) return allowed;
  if (tcpPacingCheck(sk)) return MTU_PROBE_WAIT;
  const probe = tcpStreamAllocSkb(sk, size, false);
  if (probe === null) return MTU_PROBE_NONE;
  sk.skWmemQueued += probe.truesize;
  skMemCharge(sk, probe.truesize);
  tcbSetSeq(probe, tcbSeq(head));
  tcbSetEndSeq(probe, tcbSeq(head) + size);
  tcpMtuProbeFill(sk, probe, size);
  tcpWmemCharge(sk, probe, size);
  __skbHeaderRelease(probe);
  skbQueueHead(sk.skWriteQueue, probe);
  tcpSetSkbTsoSegs(probe, probe.len);
  if (tcpTransmitSkb(sk, probe, true) !== 0) return MTU_PROBE_NONE;
  // It takes the place of two.
  sk.sndCwnd--;
  mtup.probeSize = tcpMssToMtu(sk, size);
  mtup.probeSeqStart = tcbSeq(probe);
  mtup.probeSeqEnd = (tcbSeq(probe) + size) | 0;
  return MTU_PROBE_SENT;
}

/** The probe arrived: segments are so large from now on, the window in octets stays as it is. */
export function tcpMtupProbeSuccess(sk: TcpSock, mtup: IcskMtup): void {
  const octets = sk.sndCwnd * tcpMssToMtu(sk, sk.mssCache);
  sk.sndCwnd = Math.max(1, Math.trunc(octets / mtup.probeSize));
  sk.sndCwndCnt = 0;
  sk.sndCwndStamp = sk.skNet.world.jiffies;
  sk.sndSsthresh = tcpCurrentSsthresh(sk);
  mtup.searchLow = mtup.probeSize;
  mtup.probeSize = 0;
  tcpSyncMss(sk, sk.icskPmtuCookie);
  netIncStats(sk.skNet, LINUX_MIB_TCPMTUPSUCCESS);
}

/** The probe, and nothing else, was lost: too large. The window gets back what the probe took. */
export function tcpMtupProbeFailed(sk: TcpSock, mtup: IcskMtup): void {
  mtup.searchHigh = mtup.probeSize - 1;
  mtup.probeSize = 0;
  sk.sndCwnd++;
  netIncStats(sk.skNet, LINUX_MIB_TCPMTUPFAIL);
}
