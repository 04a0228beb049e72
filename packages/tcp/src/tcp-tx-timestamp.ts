/*
 * Time stamps of sent octets (SO_TIMESTAMPING; tcp_tx_timestamp, tcp_ack_tstamp, tcp_fragment_tstamp): the last octet of a send is
 * stamped, by the sk_buff that carries it; shinfo.tskey is its sequence number.
 *
 * Order of calls: tcpSendTsflags, tcpTxTimestamp (tcpSendmsgLocked) → tcpFragmentTstamp where the sk_buff is cut → tcpAckTstamp.
 * Read first: the kernel's networking/timestamping document; socket(7).
 */
import { EINVAL } from '@stack/kernel';
import { SKBTX_ANY_TSTAMP } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  SCM_TSTAMP_ACK, SOF_TIMESTAMPING_OPT_ID_TCP, SOF_TIMESTAMPING_TX_ACK, SOF_TIMESTAMPING_TX_RECORD_MASK, SockcmCookie, TCP_CLOSE, TCP_LISTEN,
  skbCompleteTxTimestamp, sockCmsgSend, sockTxFlags, sockcmInit,
} from '@stack/socket';
import type { MsgHdr, SkTstampOps, Sock } from '@stack/socket';
import { tcpGetTimestampingOptStats } from './tcp-opt-stats.ts';
import { tcpWriteQueueTail } from './tcp-rtx-queue.ts';
import { before, tcbSeq, tcbSetTxstampAck, tcbTxstampAck } from './tcp-skb-cb.ts';
import { tcpSk } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** SkTstampOps.tskeyInit: OPT_ID counts from the first octet that is not acknowledged, or (OPT_ID_TCP) from the next written. 0 or -EINVAL. */
function tcpTskeyInit(sock: Sock, tsflags: number): number {
  if (sock.skState === TCP_CLOSE || sock.skState === TCP_LISTEN) return -EINVAL;
  const sk = tcpSk(sock);
  sk.skTskey = (tsflags & SOF_TIMESTAMPING_OPT_ID_TCP) !== 0 ? sk.writeSeq : sk.sndUna;
  return 0;
}

export const tcpTstampOps: SkTstampOps = { tskeyInit: tcpTskeyInit, optStats: tcpGetTimestampingOptStats };

/** The stamps that this send wants (SOF_TIMESTAMPING_TX_…): the sock's, or those of its control messages; or -EINVAL. */
export function tcpSendTsflags(sk: TcpSock, msg: MsgHdr): number {
  if (msg.msgControl === null || msg.msgControl.length === 0) return sk.skTsflags & SOF_TIMESTAMPING_TX_RECORD_MASK;
  const cookie = new SockcmCookie();
  sockcmInit(cookie, sk);
  const err = sockCmsgSend(msg, cookie);
  return err < 0 ? err : cookie.tsflags & SOF_TIMESTAMPING_TX_RECORD_MASK;
}

/** The send is queued up to its last octet: that is what will be stamped, unless it has left already. */
export function tcpTxTimestamp(sk: TcpSock, tsflags: number): void {
  const skb = tcpWriteQueueTail(sk);
  if (tsflags === 0 || skb === null || skb.len === 0) return;
  const { shinfo } = skb;
  shinfo.txFlags |= sockTxFlags(tsflags);
  if ((tsflags & SOF_TIMESTAMPING_TX_ACK) !== 0) tcbSetTxstampAck(skb, true);
  shinfo.tskey = (tcbSeq(skb) + skb.len - 1) | 0;
}

/** skb was cut, `buff` has what was behind: the stamped octet may be there. */
export function tcpFragmentTstamp(skb: SkBuff, buff: SkBuff): void {
  const from = skb.shinfo;
  const flags = from.txFlags & SKBTX_ANY_TSTAMP;
  const ack = tcbTxstampAck(skb);
  tcbSetTxstampAck(buff, false);
  if ((flags === 0 && !ack) || before(from.tskey, tcbSeq(buff))) return;
  from.txFlags &= ~SKBTX_ANY_TSTAMP;
  buff.shinfo.txFlags |= flags;
  buff.shinfo.tskey = from.tskey;
  tcbSetTxstampAck(skb, false);
  tcbSetTxstampAck(buff, ack);
}

/** `next` goes into skb: so does its stamp. */
export function tcpSkbCollapseTstamp(skb: SkBuff, next: SkBuff): void {
  const flags = next.shinfo.txFlags & SKBTX_ANY_TSTAMP;
  const ack = tcbTxstampAck(next);
  if (flags === 0 && !ack) return;
  skb.shinfo.txFlags |= flags;
  skb.shinfo.tskey = next.shinfo.tskey;
  if (ack) tcbSetTxstampAck(skb, true);
}

/** An ACK moved sndUna on from priorSndUna: if that passed the stamped octet of skb, the user hears of it. */
export function tcpAckTstamp(sk: TcpSock, skb: SkBuff, priorSndUna: number): void {
  if (!tcbTxstampAck(skb)) return;
  const { tskey } = skb.shinfo;
  if (!before(tskey, priorSndUna) && before(tskey, sk.sndUna)) skbCompleteTxTimestamp(skb, sk, SCM_TSTAMP_ACK);
}
