/*
 * Raw sockets, receiving (net/ipv4/raw.c): IP asks rawLocalDeliver before it looks for the transport, so that each raw sock of
 * the protocol gets a clone, IP header and all (rawRcv); rawIcmpError brings them ICMP errors. IP knows them as
 * rawOps. Read first: raw(7), RFC 1122 §3.2.2.
 */
import { SKB_DROP_REASON_SOCKET_FILTER, SKB_DROP_REASON_SOCKET_RCVBUFF } from '@stack/kernel';
import { INET_FLAGS_HDRINCL, inetTestBit } from '@stack/inet-sock';
import type { InetSock } from '@stack/inet-sock';
import {
  IP_HDR_LEN, IPH_DADDR, IPH_SADDR, ipHdrDaddr, ipHdrSaddr, ipMcSfAllow, IPPROTO_ICMP, ipv4PktinfoPrepare,
} from '@stack/ip';
import type { RawOps } from '@stack/ip';
import { __skbPush, kfreeSkbReason, nfReset, pskbMayPull, skbClone } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { skFilterTrimCap, sockQueueRcvSkb, sockStampSkb } from '@stack/socket';
import { inetDgramErr } from './dgram-err.ts';
import { rawHashChain, rawV4Match } from './raw-sock.ts';
import type { RawSock } from './raw-sock.ts';

/** RawOps.localDeliver: skb (lent) has its data at the transport header. Was there a raw sock of this protocol? */
function rawLocalDeliver(skb: SkBuff, protocol: number): boolean {
  const { net } = skb;
  let sk = rawHashChain(net, protocol);
  if (sk === null) return false;
  if (net.trace !== null) net.trace.hit(net, 'raw_local_deliver', skb);
  const saddr = ipHdrSaddr(skb);
  const daddr = ipHdrDaddr(skb);
  const dif = skb.skbIif;
  let delivered = false;
  for (; sk !== null; sk = sk.skNext as RawSock | null) {
    if (!rawV4Match(sk, protocol, saddr, daddr, dif)) continue;
    delivered = true;
    if (protocol === IPPROTO_ICMP && icmpFilter(sk, skb)) continue;
    if (!ipMcSfAllow(sk, daddr, saddr, dif)) continue;
    if (sk.skRmemAlloc >= sk.skRcvbuf) {
      sk.skDrops++;
      continue;
    }
    const clone = skbClone(skb);
    if (clone !== null) rawRcv(sk, clone);
  }
  return delivered;
}

/** Does the sock's ICMP_FILTER keep this message away? Types beyond 31 always pass. */
function icmpFilter(sk: RawSock, skb: SkBuff): boolean {
  if (sk.icmpFilter === 0) return false;
  if (!pskbMayPull(skb, 1)) return true;
  const type = skb.view.getUint8(skb.data);
  return type < 32 && (sk.icmpFilter & (1 << type)) !== 0;
}

/** RawOps.rcv: queues skb (consumed) for one raw sock, its data moved back to the IP header. */
function rawRcv(sk: InetSock, skb: SkBuff): void {
  const { net } = skb;
  if (net.trace !== null) net.trace.hit(net, 'raw_rcv', skb);
  nfReset(skb);
  __skbPush(skb, skb.data - skb.networkHeader);
  ipv4PktinfoPrepare(sk, skb);
  if (skFilterTrimCap(sk, skb, IP_HDR_LEN) !== 0) {
    kfreeSkbReason(skb, SKB_DROP_REASON_SOCKET_FILTER);
    return;
  }
  sockStampSkb(sk, skb);
  skb.cb11 = sk.skDrops;
  if (sockQueueRcvSkb(sk, skb) < 0) kfreeSkbReason(skb, SKB_DROP_REASON_SOCKET_RCVBUFF);
}

/** RawOps.icmpError: tells every raw sock that may have sent the packet that came back; skb (lent) has its data at that packet's IP header. */
function rawIcmpError(skb: SkBuff, protocol: number, info: number): void {
  const { view } = skb;
  const daddr = view.getInt32(skb.data + IPH_DADDR);
  const saddr = view.getInt32(skb.data + IPH_SADDR);
  const hlen = (view.getUint8(skb.data) & 0x0f) << 2;
  for (let sk = rawHashChain(skb.net, protocol); sk !== null; sk = sk.skNext as RawSock | null) {
    if (!rawV4Match(sk, protocol, daddr, saddr, skb.skbIif)) continue;
    inetDgramErr(sk, skb, info, inetTestBit(sk, INET_FLAGS_HDRINCL) ? 0 : hlen);
  }
}

/** Raw sockets as IP sees them. */
export const rawOps: RawOps = { localDeliver: rawLocalDeliver, icmpError: rawIcmpError, rcv: rawRcv };
