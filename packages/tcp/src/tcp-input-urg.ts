/*
 * Urgent data: where it is, and its byte, kept aside from the stream unless SO_OOBINLINE is set.
 *
 * The pointer is taken to point behind the urgent byte, as all stacks do, unless net.ipv4.tcp_stdurg is set.
 * Order of calls: tcpRcvEstablished, tcpRcvStateProcess → tcpUrg, before the text is queued.
 * Read first: RFC 9293 §3.8.5; RFC 6093.
 */
import { __skbUnlink, consumeSkb, skbCopyBits } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { SOCK_DEAD, SOCK_URGINLINE, sockFlag } from '@stack/socket';
import { thHdrLen, thUrgPtr } from './tcp-hdr.ts';
import { TCPHDR_SYN, TCPHDR_URG, after, before, tcbEndSeq, tcbSeq, tcbTcpFlags } from './tcp-skb-cb.ts';
import { TCP_URG_NOTYET, TCP_URG_VALID } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** A segment points at urgent data: is it news? */
function tcpCheckUrg(sk: TcpSock, skb: SkBuff): void {
  let ptr = thUrgPtr(skb);
  if (ptr !== 0 && sk.skNet.tcp.sysctlTcpStdurg === 0) ptr--;
  ptr = (ptr + tcbSeq(skb)) | 0;
  if (after(sk.copiedSeq, ptr) || before(ptr, sk.rcvNxt)) return;
  if (sk.urgData !== 0 && !after(ptr, sk.urgSeq)) return;

  // The byte of the last pointer was next to be read, and is not part of the stream: it is skipped now.
  if (
    sk.urgSeq === sk.copiedSeq && sk.urgData !== 0 && !sockFlag(sk, SOCK_URGINLINE) && sk.copiedSeq !== sk.rcvNxt
  ) {
    sk.copiedSeq = (sk.copiedSeq + 1) | 0;
    const first = sk.skReceiveQueue.next;
    if (first !== null && !before(sk.copiedSeq, tcbEndSeq(first))) {
      __skbUnlink(first, sk.skReceiveQueue);
      consumeSkb(first);
    }
  }
  sk.urgData = TCP_URG_NOTYET;
  sk.urgSeq = ptr;
  sk.predFlags = 0;
}

/** RFC 9293 §3.10.7.4, sixth: the URG bit. skb begins at its header. */
export function tcpUrg(sk: TcpSock, skb: SkBuff): void {
  const flags = tcbTcpFlags(skb);
  if ((flags & TCPHDR_URG) !== 0) tcpCheckUrg(sk, skb);
  if (sk.urgData !== TCP_URG_NOTYET) return;
  const syn = (flags & TCPHDR_SYN) !== 0 ? 1 : 0;
  const at = ((sk.urgSeq - tcbSeq(skb)) | 0) + thHdrLen(skb) - syn;
  if (at < 0 || at >= skb.len) return;
  const byte = sk.skNet.tcp.urgByte;
  skbCopyBits(skb, at, byte, 0, 1);
  sk.urgData = TCP_URG_VALID | byte[0]!;
  if (!sockFlag(sk, SOCK_DEAD)) sk.skDataReady(sk);
}
