/*
 * The limit on ACKs that answer segments out of place: net.ipv4.tcp_invalid_ratelimit, so that two ends that disagree
 * do not answer one another for ever.
 *
 * Order of calls: tcpInvalid, tcpSendChallengeAck, tcpCheckReq, tcpTimewaitStateProcess → the limit → tcpOowStamp. Read first: RFC 5961 §7.
 */
import type { Net } from '@stack/kernel';
import type { SkBuff } from '@stack/skbuff';
import { netIncStats } from './netns-tcp.ts';
import { TCPHDR_SYN, tcbEndSeq, tcbSeq, tcbTcpFlags } from './tcp-skb-cb.ts';

/** Whether an ACK went out too short a time ago: `last` (jiffies, 0 never). Counts mib when so; else the caller notes the time. */
export function __tcpOowRateLimited(net: Net, mib: number, last: number): boolean {
  if (last === 0) return false;
  const elapsed = (net.world.jiffies - last) | 0;
  if (elapsed < 0 || elapsed >= net.tcp.sysctlTcpInvalidRatelimit) return false;
  netIncStats(net, mib);
  return true;
}

/** Data, or a FIN, is always answered: it may be a retransmission that we want to end. */
function isAlwaysAnswered(skb: SkBuff): boolean {
  return tcbSeq(skb) !== tcbEndSeq(skb) && (tcbTcpFlags(skb) & TCPHDR_SYN) === 0;
}

/** __tcpOowRateLimited for an ACK that answers skb. */
export function tcpOowRateLimited(net: Net, skb: SkBuff, mib: number, last: number): boolean {
  return !isAlwaysAnswered(skb) && __tcpOowRateLimited(net, mib, last);
}

/** The time to note when the answer to skb goes out: `last` itself when that was never limited. */
export function tcpOowStamp(net: Net, skb: SkBuff, last: number): number {
  return isAlwaysAnswered(skb) ? last : net.world.jiffies;
}
