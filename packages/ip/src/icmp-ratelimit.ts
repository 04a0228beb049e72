/*
 * Limits of ICMP errors (RFC 1812 §4.3.2.8): a token bucket for the host
 * (net.ipv4.icmp_msgs_per_sec, icmp_msgs_burst) and one per destination (icmp_ratelimit), for the
 * types in icmp_ratemask. Path MTU discovery is never held up, loopback is not limited.
 */
import { HZ, randomBelow, snmpInc } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { IFF_LOOPBACK } from '@stack/netdev';
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, NR_ICMP_TYPES } from './icmp-types.ts';
import { IcmpPeer } from './icmp-limits.ts';
import type { Rtable } from './rtable.ts';
import { ICMP_MIB_RATELIMITGLOBAL, ICMP_MIB_RATELIMITHOST } from './snmp-names.ts';

/** Errors that may go to one destination in a burst. */
const XRLIM_BURST_FACTOR = 6;
/** Destinations remembered. */
const PEERS_MAX = 1024;

/** Whether messages of this type are not limited at all. */
export function icmpv4MaskAllow(net: Net, type: number, code: number): boolean {
  if (type > NR_ICMP_TYPES) return true;
  if (type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED) return true;
  return ((1 << type) & net.ipv4.sysctlIcmpRatemask) === 0;
}

/** Takes a token of the host's bucket. Returns false if there is none. */
export function icmpGlobalAllow(net: Net): boolean {
  const ipv4 = net.ipv4;
  const limits = ipv4.icmpLimits;
  const now = net.world.jiffies;
  const delta = Math.min((now - limits.stamp) >>> 0, HZ);
  if (delta >= HZ / 50) {
    const incr = Math.floor((ipv4.sysctlIcmpMsgsPerSec * delta) / HZ);
    if (incr > 0) {
      limits.credit = Math.min(limits.credit + incr, ipv4.sysctlIcmpMsgsBurst);
      limits.stamp = now;
    }
  }
  if (limits.credit <= 0) {
    snmpInc(ipv4.icmpMib, ICMP_MIB_RATELIMITGLOBAL);
    return false;
  }
  // Up to two tokens more go at random: an outsider must not learn from the limit what else we sent.
  limits.credit = Math.max(limits.credit - 1 - randomBelow(net.world.random, 3), 0);
  return true;
}

/** Takes a token of the destination's bucket. Returns false if there is none. */
export function icmpv4XrlimAllow(net: Net, rt: Rtable, daddr: number, type: number, code: number): boolean {
  if (icmpv4MaskAllow(net, type, code)) return true;
  if (rt.dev !== null && (rt.dev.flags & IFF_LOOPBACK) !== 0) return true;
  const timeout = net.ipv4.sysctlIcmpRatelimit;
  if (timeout === 0) return true;
  if (peerXrlimAllow(net, daddr, timeout)) return true;
  snmpInc(net.ipv4.icmpMib, ICMP_MIB_RATELIMITHOST);
  return false;
}

function peerXrlimAllow(net: Net, daddr: number, timeout: number): boolean {
  const now = net.world.jiffies;
  const peer = icmpPeer(net, daddr, now, timeout);
  const idle = (now - peer.rateLast) >>> 0;
  peer.rateLast = now;
  peer.rateTokens = Math.min(peer.rateTokens + idle, XRLIM_BURST_FACTOR * timeout);
  if (peer.rateTokens < timeout) return false;
  peer.rateTokens -= timeout;
  return true;
}

/** What is remembered of daddr; a new bucket is full. */
export function icmpPeer(net: Net, daddr: number, now: number, timeout: number): IcmpPeer {
  const peers = net.ipv4.icmpLimits.peers;
  const known = peers.get(daddr);
  if (known !== undefined) {
    peers.delete(daddr);
    peers.set(daddr, known);
    return known;
  }
  if (peers.size >= PEERS_MAX) {
    for (const oldest of peers.keys()) {
      peers.delete(oldest);
      break;
    }
  }
  const peer = new IcmpPeer(now);
  peer.rateTokens = XRLIM_BURST_FACTOR * timeout;
  peers.set(daddr, peer);
  return peer;
}
