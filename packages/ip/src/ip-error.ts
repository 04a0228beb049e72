/*
 * Where packets without a way go: ipError, the input of an unreachable route, and ipRtBug, the
 * output of a route that leads to ourselves.
 */
import {
  EACCES, EHOSTUNREACH, ENETUNREACH, SKB_DROP_REASON_IP_INADDRERRORS, SKB_DROP_REASON_IP_INNOROUTES,
  SKB_DROP_REASON_IP_RT_BUG, snmpInc,
} from '@stack/kernel';
import { kfreeSkbReason } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, ICMP_NET_UNREACH, ICMP_PKT_FILTERED } from './icmp-types.ts';
import { icmpSend } from './icmp-send.ts';
import { inDevForward } from './inetdevice.ts';
import { IPSTATS_MIB_INADDRERRORS, IPSTATS_MIB_INNOROUTES } from './snmp-names.ts';

/** Drops skb (consumed): a router tells its sender (RFC 1812 §5.2.7.1), a host does not forward and only counts. */
export function ipError(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'ip_error', skb);
  const ipv4 = net.ipv4;
  const dst = skb.dst;
  const error = dst === null ? 0 : dst.error;
  const inDev = skb.dev === null ? null : skb.dev.ipPtr;
  if (inDev === null || !inDevForward(inDev)) {
    if (error === ENETUNREACH) snmpInc(ipv4.ipExtMib, IPSTATS_MIB_INNOROUTES);
    else if (error === EHOSTUNREACH) snmpInc(ipv4.ipMib, IPSTATS_MIB_INADDRERRORS);
    kfreeSkbReason(skb, error === ENETUNREACH ? SKB_DROP_REASON_IP_INNOROUTES : SKB_DROP_REASON_IP_INADDRERRORS);
    return 0;
  }
  const code = unreachCode(error);
  if (code >= 0) icmpSend(skb, ICMP_DEST_UNREACH, code, 0);
  kfreeSkbReason(skb, SKB_DROP_REASON_IP_INNOROUTES);
  return 0;
}

/** The ICMP code that says why; -1 for a blackhole, which says nothing. */
function unreachCode(error: number): number {
  if (error === EHOSTUNREACH) return ICMP_HOST_UNREACH;
  if (error === ENETUNREACH) return ICMP_NET_UNREACH;
  return error === EACCES ? ICMP_PKT_FILTERED : -1;
}

/** A packet that came in for us was sent out again by its own route: nobody may do that. Drops it. */
export function ipRtBug(skb: SkBuff): number {
  kfreeSkbReason(skb, SKB_DROP_REASON_IP_RT_BUG);
  return 0;
}
