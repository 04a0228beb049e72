/*
 * TCP_SKB_CB: what TCP keeps in an sk_buff's control words.
 *
 * On the way down they are filled when the sk_buff is queued by tcp_sendmsg; on the way up by
 * tcp_v4_fill_cb. seq and endSeq count SYN and FIN as one each (RFC 9293 §3.4).
 * Order of calls: none, accessors alone; tcpFillCb and tcpSkbEntail fill.
 */
import type { SkBuff } from '@stack/skbuff';

export const TCPHDR_FIN = 0x01;
export const TCPHDR_SYN = 0x02;
export const TCPHDR_RST = 0x04;
export const TCPHDR_PSH = 0x08;
export const TCPHDR_ACK = 0x10;
export const TCPHDR_URG = 0x20;
export const TCPHDR_ECE = 0x40;
export const TCPHDR_CWR = 0x80;
export const TCPHDR_SYN_ECN = TCPHDR_SYN | TCPHDR_ECE | TCPHDR_CWR;

/** The scoreboard's marks of one sk_buff in the retransmit queue. */
export const TCPCB_SACKED_ACKED = 0x01;
export const TCPCB_SACKED_RETRANS = 0x02;
export const TCPCB_LOST = 0x04;
export const TCPCB_TAGBITS = 0x07;
export const TCPCB_REPAIRED = 0x10;
export const TCPCB_EVER_RETRANS = 0x80;
export const TCPCB_RETRANS = TCPCB_SACKED_RETRANS | TCPCB_EVER_RETRANS | TCPCB_REPAIRED;

const TX_IN_FLIGHT_MASK = 0xfffff;
const TX_APP_LIMITED = 1 << 20;
const CB_EOR = 1 << 21;
const CB_TXSTAMP_ACK = 1 << 22;

/** First sequence number. */
export function tcbSeq(skb: SkBuff): number {
  return skb.cb0;
}
export function tcbSetSeq(skb: SkBuff, seq: number): void {
  skb.cb0 = seq | 0;
}

/** Sequence number after the last: seq + SYN + FIN + data length. */
export function tcbEndSeq(skb: SkBuff): number {
  return skb.cb1;
}
export function tcbSetEndSeq(skb: SkBuff, seq: number): void {
  skb.cb1 = seq | 0;
}

/** TCPHDR_* of the header. */
export function tcbTcpFlags(skb: SkBuff): number {
  return skb.cb2;
}
export function tcbSetTcpFlags(skb: SkBuff, flags: number): void {
  skb.cb2 = flags;
}

/** Down: TCPCB_* marks. Up: whether SACK or urgent processing has flagged it. */
export function tcbSacked(skb: SkBuff): number {
  return skb.cb3;
}
export function tcbSetSacked(skb: SkBuff, sacked: number): void {
  skb.cb3 = sacked;
}

/** The acknowledgment number. */
export function tcbAckSeq(skb: SkBuff): number {
  return skb.cb4;
}
export function tcbSetAckSeq(skb: SkBuff, seq: number): void {
  skb.cb4 = seq | 0;
}

/** Down: number of segments this sk_buff is cut into, and the size of each (0 while not known). */
export function tcpSkbPcount(skb: SkBuff): number {
  return skb.cb5;
}
export function tcpSkbPcountSet(skb: SkBuff, segs: number): void {
  skb.cb5 = segs;
}
export function tcpSkbMss(skb: SkBuff): number {
  return skb.cb6;
}
export function tcpSkbMssSet(skb: SkBuff, size: number): void {
  skb.cb6 = size;
}

/** Up: the traffic class byte of the carrier's header, with its ECN bits; 0 where it has none. */
export function tcbIpDsfield(skb: SkBuff): number {
  return skb.cb6;
}
export function tcbSetIpDsfield(skb: SkBuff, dsfield: number): void {
  skb.cb6 = dsfield;
}

/** Up: the initial sequence number for a SYN that takes a time-wait sock over; 0 for none. */
export function tcbTcpTwIsn(skb: SkBuff): number {
  return skb.cb5;
}
export function tcbSetTcpTwIsn(skb: SkBuff, isn: number): void {
  skb.cb5 = isn | 0;
}

export function tcbSetTxInFlight(skb: SkBuff, segs: number): void {
  skb.cb7 = (skb.cb7 & ~TX_IN_FLIGHT_MASK) | (segs > TX_IN_FLIGHT_MASK ? TX_IN_FLIGHT_MASK : segs);
}

/** The sender had less to send than the window allowed when this one was sent. */
export function tcbTxIsAppLimited(skb: SkBuff): boolean {
  return (skb.cb7 & TX_APP_LIMITED) !== 0;
}
export function tcbSetTxIsAppLimited(skb: SkBuff, on: boolean): void {
  skb.cb7 = on ? skb.cb7 | TX_APP_LIMITED : skb.cb7 & ~TX_APP_LIMITED;
}

/** A record ends here (MSG_EOR): nothing is appended or merged behind it. */
export function tcbEor(skb: SkBuff): boolean {
  return (skb.cb7 & CB_EOR) !== 0;
}
export function tcbSetEor(skb: SkBuff, on: boolean): void {
  skb.cb7 = on ? skb.cb7 | CB_EOR : skb.cb7 & ~CB_EOR;
}

/** The user wants to hear when shinfo.tskey is acknowledged. */
export function tcbTxstampAck(skb: SkBuff): boolean {
  return (skb.cb7 & CB_TXSTAMP_ACK) !== 0;
}
export function tcbSetTxstampAck(skb: SkBuff, on: boolean): void {
  skb.cb7 = on ? skb.cb7 | CB_TXSTAMP_ACK : skb.cb7 & ~CB_TXSTAMP_ACK;
}

/** The flow's delivered count, its time, and the first send's time when this one was sent (rate sampling). */
export function tcbTxDelivered(skb: SkBuff): number {
  return skb.cb8;
}
export function tcbSetTxDelivered(skb: SkBuff, segs: number): void {
  skb.cb8 = segs;
}
export function tcbTxDeliveredMstamp(skb: SkBuff): number {
  return skb.cb9;
}
export function tcbSetTxDeliveredMstamp(skb: SkBuff, us: number): void {
  skb.cb9 = us | 0;
}
export function tcbTxFirstTxMstamp(skb: SkBuff): number {
  return skb.cb10;
}
export function tcbSetTxFirstTxMstamp(skb: SkBuff, us: number): void {
  skb.cb10 = us | 0;
}

/** When this one was last sent (µs); what the kernel has in skb_mstamp_ns. */
export function tcpSkbTimestampUs(skb: SkBuff): number {
  return skb.cb11;
}
export function tcpSkbSetTimestampUs(skb: SkBuff, us: number): void {
  skb.cb11 = us | 0;
}

/** The number of this transmission among all of the connection. (skb.csum is free on the way down.) */
export function tcpSkbSerial(skb: SkBuff): number {
  return skb.csum;
}
export function tcpSkbSetSerial(skb: SkBuff, serial: number): void {
  skb.csum = serial | 0;
}

/** a < b in sequence space. */
export function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** a > b in sequence space. */
export function after(a: number, b: number): boolean {
  return ((b - a) | 0) < 0;
}

/** s2 <= s1 <= s3 in sequence space. */
export function between(s1: number, s2: number, s3: number): boolean {
  return (s3 - s2) >>> 0 >= (s1 - s2) >>> 0;
}
