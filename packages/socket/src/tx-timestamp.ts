/*
 * SO_TIMESTAMPING for what is sent (net/core/skbuff.c, __skb_tstamp_tx; Documentation/networking/timestamping.rst): a copy of the
 * packet, stamped, comes back by the error queue from each point that the user asked for: the qdisc (SCHED), the driver (SND), the
 * peer's acknowledgment (ACK). OPT_ID numbers them by octet of the stream; OPT_TSONLY leaves the payload out.
 *
 * Order of calls: sockTxFlags (sendmsg) → skbTstampTx (devices), skbCompleteTxTimestamp → sockQueueErrSkb; sockRecvTimestamp gives the time.
 */
import { EINVAL, ENOMSG, EOPNOTSUPP } from '@stack/kernel';
import { SKBTX_SCHED_TSTAMP, SKBTX_SW_TSTAMP, allocSkb, kfreeSkb, skbClone } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { SO_EE_ORIGIN_TIMESTAMPING, skbSetExterr, sockQueueErrSkb } from './errqueue.ts';
import type { Sock } from './sock-struct.ts';

/* Flags of SO_TIMESTAMPING (net_tstamp.h). */
export const SOF_TIMESTAMPING_TX_SOFTWARE = 1 << 1;
export const SOF_TIMESTAMPING_SOFTWARE = 1 << 4;
export const SOF_TIMESTAMPING_OPT_ID = 1 << 7;
export const SOF_TIMESTAMPING_TX_SCHED = 1 << 8;
export const SOF_TIMESTAMPING_TX_ACK = 1 << 9;
export const SOF_TIMESTAMPING_OPT_CMSG = 1 << 10;
export const SOF_TIMESTAMPING_OPT_TSONLY = 1 << 11;
export const SOF_TIMESTAMPING_OPT_ID_TCP = 1 << 16;

/** What of them asks for a stamp: a control message may set these for one send. */
export const SOF_TIMESTAMPING_TX_RECORD_MASK = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_ACK;

const SOF_TIMESTAMPING_MASK =
  SOF_TIMESTAMPING_TX_RECORD_MASK | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_CMSG |
  SOF_TIMESTAMPING_OPT_TSONLY | SOF_TIMESTAMPING_OPT_ID_TCP;

/* eeInfo of a stamp: where it was taken. */
export const SCM_TSTAMP_SND = 0;
export const SCM_TSTAMP_SCHED = 1;
export const SCM_TSTAMP_ACK = 2;

/**
 * SO_TIMESTAMPING: 0; -EINVAL for flags that are not known, or OPT_ID in a state without sequence numbers; -EOPNOTSUPP.
 * Deviation: what is sent by TCP, in software; receive times are SO_TIMESTAMP's and SO_TIMESTAMPNS's.
 */
export function sockSetTimestamping(sk: Sock, val: number): number {
  if (sk.skTskeyInit === null) return -EOPNOTSUPP;
  if ((val & ~SOF_TIMESTAMPING_MASK) !== 0) return -EINVAL;
  if ((val & SOF_TIMESTAMPING_OPT_ID_TCP) !== 0 && (val & SOF_TIMESTAMPING_OPT_ID) === 0) return -EINVAL;
  if ((val & SOF_TIMESTAMPING_OPT_ID) !== 0 && (sk.skTsflags & SOF_TIMESTAMPING_OPT_ID) === 0) {
    const err = sk.skTskeyInit(sk, val);
    if (err < 0) return err;
  }
  sk.skTsflags = val;
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
  const skb = tsonly ? allocSkb(sk.skNet, 0) : skbClone(orig);
  if (skb === null) return;
  const { tskey } = orig.shinfo;
  skb.tstamp = sk.skNet.world.now;
  skbSetExterr(skb, ENOMSG, SO_EE_ORIGIN_TIMESTAMPING, 0, 0, tstype, 0, 0);
  if ((sk.skTsflags & SOF_TIMESTAMPING_OPT_ID) !== 0) skb.cb3 = (tskey - sk.skTskey) >>> 0;
  if (sockQueueErrSkb(sk, skb) !== 0) kfreeSkb(skb);
}

/** pool.tstampTx: the sock that a packet on its way down belongs to hears of it. */
export function sockTstampTx(skb: SkBuff, flag: number): void {
  const sk = skb.sk as Sock | null;
  if (sk !== null) skbCompleteTxTimestamp(skb, sk, flag === SKBTX_SCHED_TSTAMP ? SCM_TSTAMP_SCHED : SCM_TSTAMP_SND);
}
