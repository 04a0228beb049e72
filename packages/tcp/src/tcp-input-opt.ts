/*
 * Options of an arriving segment, and what timestamps are good for: PAWS.
 *
 * Order of calls: tcpFastParseOptions (established; else tcpParseOptions) → tcpPawsDiscard → tcpReplaceTsRecent.
 * Read first: RFC 9293 §3.2; RFC 7323 §3 and §5; RFC 2018 §2–3.
 */
import { SKB_DROP_REASON_TCP_RFC7323_PAWS, SKB_DROP_REASON_TCP_RFC7323_PAWS_ACK } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import type { SkBuff } from '@stack/skbuff';
import { tcpClockSeconds } from './tcp-clock.ts';
import { TCP_MAX_WSCALE, TCP_PAWS_24DAYS, TCP_PAWS_MSL, TCP_PAWS_WINDOW } from './tcp-consts.ts';
import { TCPOPT_FASTOPEN_MAGIC, tcpParseFastopen } from './tcp-fastopen-cookie.ts';
import {
  TCPOLEN_MSS, TCPOLEN_SACK_BASE, TCPOLEN_SACK_PERBLOCK, TCPOLEN_SACK_PERM, TCPOLEN_TIMESTAMP,
  TCPOLEN_TSTAMP_ALIGNED, TCPOLEN_WINDOW, TCPOPT_EOL, TCPOPT_MSS, TCPOPT_NOP, TCPOPT_SACK, TCPOPT_SACK_PERM,
  TCPOPT_EXP, TCPOPT_FASTOPEN, TCPOPT_TIMESTAMP, TCPOPT_WINDOW, TCP_HDR_LEN, thHdrLen, thWindow,
} from './tcp-hdr.ts';
import {
  TCPHDR_ACK, TCPHDR_SYN, after, before, tcbAckSeq, tcbEndSeq, tcbSeq, tcbSetSacked, tcbTcpFlags,
} from './tcp-skb-cb.ts';
import { TCP_SACK_SEEN } from './tcp-sock.ts';
import type { TcpOptionsReceived, TcpSock } from './tcp-sock.ts';

/** The first word of a timestamp option that is aligned by two NOPs. */
const TSTAMP_ALIGNED_WORD = (TCPOPT_NOP << 24) | (TCPOPT_NOP << 16) | (TCPOPT_TIMESTAMP << 8) | TCPOLEN_TIMESTAMP;

/**
 * Reads all options of a segment into rx. Options that are malformed end the list, unknown ones are skipped
 * (RFC 9293 §3.1 MUST-6, MUST-7). Of SACK only the option's offset is noted, in TCP_SKB_CB's sacked.
 * @param estab false in a handshake: then MSS, window scale and SACK-permitted count, and timestamps if allowed here
 */
export function tcpParseOptions(net: Net, skb: SkBuff, rx: TcpOptionsReceived, estab: boolean): void {
  const buf = skb.buf;
  const th = skb.transportHeader;
  const end = th + thHdrLen(skb);
  let at = th + TCP_HDR_LEN;
  rx.sawTstamp = false;
  if (!estab) net.tcp.fastopenCookie.val = null;
  while (at < end) {
    const opcode = buf[at]!;
    if (opcode === TCPOPT_EOL) return;
    if (opcode === TCPOPT_NOP) {
      at++;
      continue;
    }
    if (at + 1 >= end) return;
    const opsize = buf[at + 1]!;
    if (opsize < 2 || at + opsize > end) return;
    if (opcode === TCPOPT_TIMESTAMP) tcpParseTstamp(net, skb, rx, at, opsize, estab);
    else if (opcode === TCPOPT_SACK) tcpParseSack(skb, rx, at, opsize);
    else if (!estab && (tcbTcpFlags(skb) & TCPHDR_SYN) !== 0) tcpParseSynOption(net, skb, rx, at, opcode, opsize);
    at += opsize;
  }
}

function tcpParseTstamp(
  net: Net, skb: SkBuff, rx: TcpOptionsReceived, at: number, opsize: number, estab: boolean,
): void {
  if (opsize !== TCPOLEN_TIMESTAMP) return;
  if (estab ? !rx.tstampOk : net.tcp.sysctlTcpTimestamps === 0) return;
  rx.sawTstamp = true;
  rx.rcvTsval = skb.view.getInt32(at + 2);
  rx.rcvTsecr = skb.view.getInt32(at + 6);
}

function tcpParseSack(skb: SkBuff, rx: TcpOptionsReceived, at: number, opsize: number): void {
  if (opsize < TCPOLEN_SACK_BASE + TCPOLEN_SACK_PERBLOCK) return;
  if ((opsize - TCPOLEN_SACK_BASE) % TCPOLEN_SACK_PERBLOCK !== 0 || rx.sackOk === 0) return;
  tcbSetSacked(skb, at - skb.transportHeader);
}

/** Options that only a SYN carries. */
function tcpParseSynOption(
  net: Net, skb: SkBuff, rx: TcpOptionsReceived, at: number, opcode: number, opsize: number,
): void {
  const tcp = net.tcp;
  if (opcode === TCPOPT_MSS && opsize === TCPOLEN_MSS) {
    let mss = skb.view.getUint16(at + 2);
    if (mss === 0) return;
    if (rx.userMss !== 0 && rx.userMss < mss) mss = rx.userMss;
    rx.mssClamp = mss;
  } else if (opcode === TCPOPT_WINDOW && opsize === TCPOLEN_WINDOW && tcp.sysctlTcpWindowScaling !== 0) {
    rx.wscaleOk = true;
    rx.sndWscale = Math.min(skb.buf[at + 2]!, TCP_MAX_WSCALE);
  } else if (opcode === TCPOPT_SACK_PERM && opsize === TCPOLEN_SACK_PERM && tcp.sysctlTcpSack !== 0) {
    rx.sackOk = TCP_SACK_SEEN;
    rx.dsack = false;
    rx.numSacks = 0;
  } else if (opcode === TCPOPT_FASTOPEN) {
    tcpParseFastopen(tcp.fastopenCookie, skb.buf, at + 2, opsize - 2, false);
  } else if (opcode === TCPOPT_EXP && opsize >= 4 && skb.view.getUint16(at + 2) === TCPOPT_FASTOPEN_MAGIC) {
    tcpParseFastopen(tcp.fastopenCookie, skb.buf, at + 4, opsize - 4, true);
  }
}

/** The MSS option of a SYN, 0 if there is none: for ICMP errors and SYN cookies. @param userMss upper bound, 0 = none */
export function tcpParseMssOption(skb: SkBuff, userMss: number): number {
  const buf = skb.buf;
  const end = skb.transportHeader + thHdrLen(skb);
  let at = skb.transportHeader + TCP_HDR_LEN;
  while (at < end) {
    const opcode = buf[at]!;
    if (opcode === TCPOPT_EOL) return 0;
    if (opcode === TCPOPT_NOP) {
      at++;
      continue;
    }
    const opsize = at + 1 < end ? buf[at + 1]! : 0;
    if (opsize < 2 || at + opsize > end) return 0;
    if (opcode === TCPOPT_MSS && opsize === TCPOLEN_MSS) {
      const mss = skb.view.getUint16(at + 2);
      return userMss !== 0 && userMss < mss ? userMss : mss;
    }
    at += opsize;
  }
  return 0;
}

/**
 * Options of a segment of a connection: the one layout that nearly all have costs one comparison.
 * rcvTsecr is then without our timestamp offset (0 stays 0).
 * @returns whether a timestamp may have come: false means that there were no options at all
 */
export function tcpFastParseOptions(sk: TcpSock, skb: SkBuff): boolean {
  const rx = sk.rxOpt;
  const hdrLen = thHdrLen(skb);
  if (hdrLen === TCP_HDR_LEN) {
    rx.sawTstamp = false;
    return false;
  }
  if (rx.tstampOk && hdrLen === TCP_HDR_LEN + TCPOLEN_TSTAMP_ALIGNED && tcpParseAlignedTimestamp(sk, skb)) return true;
  tcpParseOptions(sk.skNet, skb, rx, true);
  if (rx.sawTstamp && rx.rcvTsecr !== 0) rx.rcvTsecr = (rx.rcvTsecr - sk.tsoffset) | 0;
  return true;
}

/** The options begin with NOP, NOP, timestamp. @returns whether they do */
export function tcpParseAlignedTimestamp(sk: TcpSock, skb: SkBuff): boolean {
  const at = skb.transportHeader + TCP_HDR_LEN;
  const view = skb.view;
  if (view.getInt32(at) !== TSTAMP_ALIGNED_WORD) return false;
  const rx = sk.rxOpt;
  rx.sawTstamp = true;
  rx.rcvTsval = view.getInt32(at + 4);
  const tsecr = view.getInt32(at + 8);
  rx.rcvTsecr = tsecr === 0 ? 0 : (tsecr - sk.tsoffset) | 0;
  return true;
}

// --- PAWS, RFC 7323 §5 ----------------------------------------------------------------------------------------

/** Takes over the peer's timestamp of this segment. */
export function tcpStoreTsRecent(sk: TcpSock): void {
  sk.rxOpt.tsRecent = sk.rxOpt.rcvTsval;
  sk.rxOpt.tsRecentStamp = tcpClockSeconds(sk.skNet);
}

/** RFC 7323 §4.3 (2): the timestamp of a segment that begins at or before the last ACK sent is the one to echo. */
export function tcpReplaceTsRecent(sk: TcpSock, seq: number): void {
  const rx = sk.rxOpt;
  if (!rx.sawTstamp || after(seq, sk.rcvWup)) return;
  if (tcpPawsCheck(sk.skNet, rx, 0)) tcpStoreTsRecent(sk);
}

/** True if the segment's timestamp is not older than tsRecent by more than `pawsWin` ms, or tsRecent is worth nothing. */
export function tcpPawsCheck(net: Net, rx: TcpOptionsReceived, pawsWin: number): boolean {
  if (((rx.tsRecent - rx.rcvTsval) | 0) <= pawsWin) return true;
  if (((tcpClockSeconds(net) - rx.tsRecentStamp) | 0) >= TCP_PAWS_24DAYS) return true;
  // A peer that began with timestamp 0.
  return rx.tsRecent === 0;
}

/**
 * PAWS for a segment of a handshake or of TIME_WAIT: true if it must be refused.
 * @param rst a reset is believed again once an MSL has passed since tsRecent was taken
 */
export function tcpPawsReject(net: Net, rx: TcpOptionsReceived, rst: boolean): boolean {
  if (tcpPawsCheck(net, rx, 0)) return false;
  return !(rst && ((tcpClockSeconds(net) - rx.tsRecentStamp) | 0) >= TCP_PAWS_MSL);
}

/** An ACK that moves the window: RFC 9293 §3.10.7.4, "SND.WL1 < SEG.SEQ or …", or a change at the same place. */
export function tcpMayUpdateWindow(sk: TcpSock, ack: number, ackSeq: number, nwin: number): boolean {
  return after(ack, sk.sndUna) || after(ackSeq, sk.sndWl1) || (ackSeq === sk.sndWl1 && (nwin > sk.sndWnd || nwin === 0));
}

/** A pure duplicate ACK that was overtaken on its way is harmless, though its timestamp is old. @returns 0, or why it is not one */
function tcpDisorderedAckCheck(sk: TcpSock, skb: SkBuff): number {
  const seq = tcbSeq(skb);
  if ((tcbTcpFlags(skb) & TCPHDR_ACK) === 0 || seq !== tcbEndSeq(skb)) return SKB_DROP_REASON_TCP_RFC7323_PAWS;
  if (before(seq, sk.rcvNxt)) return SKB_DROP_REASON_TCP_RFC7323_PAWS_ACK;
  const ack = tcbAckSeq(skb);
  if (
    seq !== sk.rcvNxt || ack !== sk.sndUna || tcpMayUpdateWindow(sk, ack, seq, thWindow(skb) << sk.rxOpt.sndWscale) ||
    ((sk.rxOpt.tsRecent - sk.rxOpt.rcvTsval) | 0) > sk.icskRto
  ) {
    return SKB_DROP_REASON_TCP_RFC7323_PAWS;
  }
  return 0;
}

/** RFC 7323 §5.3 R1. @returns 0, or why the segment is to be dropped: …_PAWS_ACK for an old pure ACK, which needs no answer */
export function tcpPawsDiscard(sk: TcpSock, skb: SkBuff): number {
  return tcpPawsCheck(sk.skNet, sk.rxOpt, TCP_PAWS_WINDOW) ? 0 : tcpDisorderedAckCheck(sk, skb);
}
