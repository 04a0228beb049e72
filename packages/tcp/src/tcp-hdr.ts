/*
 * The TCP header (RFC 9293 §3.1) as accessors on an sk_buff whose transportHeader is set, and the option kinds.
 *
 * All offsets are from skb.transportHeader; the header must be in the linear part.
 * Order of calls: none, accessors alone.
 */
import type { SkBuff } from '@stack/skbuff';

/** Bytes of a header without options. */
export const TCP_HDR_LEN = 20;

export const TCPOPT_NOP = 1;
export const TCPOPT_EOL = 0;
export const TCPOPT_MSS = 2;
export const TCPOPT_WINDOW = 3;
export const TCPOPT_SACK_PERM = 4;
export const TCPOPT_SACK = 5;
export const TCPOPT_TIMESTAMP = 8;
export const TCPOPT_MD5SIG = 19;
export const TCPOPT_FASTOPEN = 34;
export const TCPOPT_EXP = 254;

export const TCPOLEN_MSS = 4;
export const TCPOLEN_WINDOW = 3;
export const TCPOLEN_SACK_PERM = 2;
export const TCPOLEN_TIMESTAMP = 10;
export const TCPOLEN_MD5SIG = 18;
/** Lengths with the NOPs that align them. */
export const TCPOLEN_MD5SIG_ALIGNED = 20;
export const TCPOLEN_TSTAMP_ALIGNED = 12;
export const TCPOLEN_WSCALE_ALIGNED = 4;
export const TCPOLEN_SACKPERM_ALIGNED = 4;
export const TCPOLEN_MSS_ALIGNED = 4;
export const TCPOLEN_SACK_BASE = 2;
export const TCPOLEN_SACK_BASE_ALIGNED = 4;
export const TCPOLEN_SACK_PERBLOCK = 8;

/** Bytes 12 and 13: data offset, reserved bits and flags, as one 16-bit word. */
export const TH_OFF_FLAGS = 12;
export const TH_CHECK = 16;

export function thSource(skb: SkBuff): number {
  return skb.view.getUint16(skb.transportHeader);
}
export function thDest(skb: SkBuff): number {
  return skb.view.getUint16(skb.transportHeader + 2);
}
export function thSeq(skb: SkBuff): number {
  return skb.view.getInt32(skb.transportHeader + 4);
}
export function thAckSeq(skb: SkBuff): number {
  return skb.view.getInt32(skb.transportHeader + 8);
}
/** Header length in bytes (data offset × 4). */
export function thHdrLen(skb: SkBuff): number {
  return (skb.buf[skb.transportHeader + 12]! >> 4) << 2;
}
/** TCPHDR_* bits. */
export function thFlags(skb: SkBuff): number {
  return skb.buf[skb.transportHeader + 13]!;
}
/** The window field as it stands: not scaled. */
export function thWindow(skb: SkBuff): number {
  return skb.view.getUint16(skb.transportHeader + 14);
}

export function thUrgPtr(skb: SkBuff): number {
  return skb.view.getUint16(skb.transportHeader + 18);
}
