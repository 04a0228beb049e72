/*
 * SO_TIMESTAMPING (net/core/skbuff.c, __skb_tstamp_tx; Documentation/networking/timestamping.rst): a copy of the
 * packet, stamped, comes back by the error queue from each point that the user asked for: the qdisc (SCHED), the driver (SND), the
 * peer's acknowledgment (ACK). OPT_ID numbers them by octet of the stream; OPT_TSONLY leaves the payload out, OPT_STATS puts statistics in its
 * place. What is received has its time in a control message (RX_SOFTWARE; scm.ts).
 *
 * Order of calls: sockTxFlags (sendmsg) → skbTstampTx (devices), skbCompleteTxTimestamp → sockQueueErrSkb; sockRecvErrTimestamp gives the time.
 */
import { EINVAL, ENOMSG, EOPNOTSUPP } from '@stack/kernel';
import { SKBTX_SCHED_TSTAMP, SKBTX_SW_TSTAMP, allocSkb, kfreeSkb, skbClone } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { EXTERR_OPT_STATS, SO_EE_ORIGIN_TIMESTAMPING, skbSetExterr, sockQueueErrSkb } from './errqueue.ts';
import { SOCK_TIMESTAMPING_RX_SOFTWARE, sockValboolFlag } from './sock-struct.ts';
import type { Sock } from './sock-struct.ts';

/* Flags of SO_TIMESTAMPING (net_tstamp.h). */
export const SOF_TIMESTAMPING_TX_SOFTWARE = 1 << 1;
export const SOF_TIMESTAMPING_RX_SOFTWARE = 1 << 3;
export const SOF_TIMESTAMPING_SOFTWARE = 1 << 4;
export const SOF_TIMESTAMPING_OPT_ID = 1 << 7;
export const SOF_TIMESTAMPING_TX_SCHED = 1 << 8;
export const SOF_TIMESTAMPING_TX_ACK = 1 << 9;
export const SOF_TIMESTAMPING_OPT_CMSG = 1 << 10;
export const SOF_TIMESTAMPING_OPT_TSONLY = 1 << 11;
export const SOF_TIMESTAMPING_OPT_STATS = 1 << 12;
export const SOF_TIMESTAMPING_OPT_ID_TCP = 1 << 16;
/** Only who asks for the making of receive times is told of them. */
export const SOF_TIMESTAMPING_OPT_RX_FILTER = 1 << 17;

/** What of them asks for a stamp: a control message may set these for one send. */
export const SOF_TIMESTAMPING_TX_RECORD_MASK = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_ACK;

/** All that Linux knows; what is about hardware is taken, and never comes true. */
const SOF_TIMESTAMPING_MASK = (1 << 19) - 1;

/** What a protocol does for SO_TIMESTAMPING of what is sent. */
export interface SkTstampOps {
  /** OPT_ID begins: sets skTskey. 0 or -EINVAL. */
  readonly tskeyInit: (sk: Sock, tsflags: number) => number;
  /** OPT_STATS: an sk_buff, the caller's, whose payload is the statistics of now; null without memory. */
  readonly optStats: (sk: Sock) => SkBuff | null;
}

/* eeInfo of a stamp: where it was taken. */
export const SCM_TSTAMP_SND = 0;
export const SCM_TSTAMP_SCHED = 1;
export const SCM_TSTAMP_ACK = 2;

/**
 * SO_TIMESTAMPING: 0; -EINVAL for flags that are not known, OPT_ID in a state without sequence numbers, or OPT_STATS without OPT_TSONLY;
 * -EOPNOTSUPP.
 * Deviation: of what is sent, TCP's alone is stamped.
 */
export function sockSetTimestamping(sk: Sock, val: number): number {
  if ((val & ~SOF_TIMESTAMPING_MASK) !== 0) return -EINVAL;
  if ((val & SOF_TIMESTAMPING_OPT_ID_TCP) !== 0 && (val & SOF_TIMESTAMPING_OPT_ID) === 0) return -EINVAL;
  if ((val & SOF_TIMESTAMPING_TX_RECORD_MASK) !== 0 && sk.skTstampOps === null) return -EOPNOTSUPP;
  if ((val & SOF_TIMESTAMPING_OPT_ID) !== 0 && (sk.skTsflags & SOF_TIMESTAMPING_OPT_ID) === 0 && sk.skTstampOps !== null) {
    const err = sk.skTstampOps.tskeyInit(sk, val);
    if (err < 0) return err;
  }
  if ((val & SOF_TIMESTAMPING_OPT_STATS) !== 0 && (val & SOF_TIMESTAMPING_OPT_TSONLY) === 0) return -EINVAL;
  sk.skTsflags = val;
  sockValboolFlag(sk, SOCK_TIMESTAMPING_RX_SOFTWARE, (val & SOF_TIMESTAMPING_RX_SOFTWARE) !== 0);
  return 0;
}

/** shinfo.txFlags (SKBTX_…) of a send with these flags of SO_TIMESTAMPING. */
export function sockTxFlags(tsflags: number): number {
  let flags = 0;
  if ((tsflags & SOF_TIMESTAMPING_TX_SOFTWARE) !== 0) flags |= SKBTX_SW_TSTAMP;
  if ((tsflags & SOF_TIMESTAMPING_TX_SCHED) !== 0) flags |= SKBTX_SCHED_TSTAMP;
  return flags;
}

/** Tells the sock that its packet `orig` (lent) is at `tstype` (SCM_TSTAMP_…) now. Without room it is not told. */
export function skbCompleteTxTimestamp(orig: SkBuff, sk: Sock, tstype: number): void {
  const tsonly = (sk.skTsflags & SOF_TIMESTAMPING_OPT_TSONLY) !== 0;
  const stats = tsonly && (sk.skTsflags & SOF_TIMESTAMPING_OPT_STATS) !== 0 ? sk.skTstampOps : null;
  const skb = stats !== null ? stats.optStats(sk) : tsonly ? allocSkb(sk.skNet, 0) : skbClone(orig);
  if (skb === null) return;
  const { tskey } = orig.shinfo;
  skb.tstamp = sk.skNet.world.now;
  skbSetExterr(skb, ENOMSG, SO_EE_ORIGIN_TIMESTAMPING, 0, 0, tstype, 0, 0);
  if (stats !== null) skb.cb7 = EXTERR_OPT_STATS;
  if ((sk.skTsflags & SOF_TIMESTAMPING_OPT_ID) !== 0) skb.cb3 = (tskey - sk.skTskey) >>> 0;
  if (sockQueueErrSkb(sk, skb) !== 0) kfreeSkb(skb);
}

/** pool.tstampTx: the sock that a packet on its way down belongs to hears of it. */
export function sockTstampTx(skb: SkBuff, flag: number): void {
  const sk = skb.sk as Sock | null;
  if (sk !== null) skbCompleteTxTimestamp(skb, sk, flag === SKBTX_SCHED_TSTAMP ? SCM_TSTAMP_SCHED : SCM_TSTAMP_SND);
}
