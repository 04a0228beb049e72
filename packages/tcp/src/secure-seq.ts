/*
 * Numbers that a stranger must not guess: initial sequence numbers (RFC 6528), timestamp offsets (RFC 7323 §5.4), local
 * ports (RFC 6056 §3.3.4). Keyed by secrets of the Net; addresses are words, so that any carrier can use them.
 *
 * Order of calls: tcpV4Connect, tcpConnRequest → secureTcpSeq, secureTcpTsOff; the choice of a local port → secureIpv4PortEphemeral.
 */
import { siphash2u32, siphash3u32 } from '@stack/kernel';
import type { Net } from '@stack/kernel';

/** RFC 6528 §3: a keyed hash of the four-tuple, plus a clock that ticks every 64 ns and so runs round in 4.6 minutes. */
export function secureTcpSeq(net: Net, saddr: number, daddr: number, sport: number, dport: number): number {
  const hash = siphash3u32(saddr, daddr, (sport << 16) | dport, net.tcp.netSecret);
  return (hash + Math.floor(net.world.now / 64)) | 0;
}

/** The offset of our timestamps towards a peer; 0 when net.ipv4.tcp_timestamps is not 1. */
export function secureTcpTsOff(net: Net, saddr: number, daddr: number): number {
  if (net.tcp.sysctlTcpTimestamps !== 1) return 0;
  return siphash2u32(saddr, daddr, net.tcp.tsSecret);
}

/** Where the search for a local port begins. */
export function secureIpv4PortEphemeral(net: Net, saddr: number, daddr: number, dport: number): number {
  return siphash3u32(saddr, daddr, dport, net.tcp.netSecret);
}
