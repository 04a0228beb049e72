/*
 * The engine's clocks, all read from World.now, which stands still during one entry into the stack:
 * tcpMstamp (µs, int32, wraps after 71 minutes), the timestamp option's (ms), and seconds for PAWS. None begins at 0, which
 * means never.
 *
 * Order of calls: each entry (a segment, a timer, a system call that sends) → tcpMstampRefresh. Read first: RFC 7323 §5.4.
 */
import type { Net } from '@stack/kernel';
import { tcpSkbTimestampUs } from './tcp-skb-cb.ts';
import type { SkBuff } from '@stack/skbuff';
import type { TcpSock } from './tcp-sock.ts';

/** World time (ns) on the engine's clock (µs). */
export function tcpClockUsAt(ns: number): number {
  return (Math.floor(ns / 1000) + 1000) | 0;
}

/** The engine's clock (tcp_clock_us): the µs of tcpMstamp and of sk_buffs. */
export function tcpClockUs(net: Net): number {
  return tcpClockUsAt(net.world.now);
}

/** Takes the time for what follows: sk.tcpMstamp in µs. Called where a segment or a timer enters. */
export function tcpMstampRefresh(sk: TcpSock): void {
  sk.tcpMstamp = tcpClockUs(sk.skNet);
}

/** The clock of the timestamp option: ms (RFC 7323 §5.4); without a connection's offset. */
export function tcpClockMs(net: Net): number {
  return (Math.floor(net.world.now / 1_000_000) + 1) | 0;
}

/** Seconds. */
export function tcpClockSeconds(net: Net): number {
  return (Math.floor(net.world.now / 1_000_000_000) + 1) | 0;
}

/** Time from t0 to t1 in µs, not negative. */
export function tcpStampUsDelta(t1: number, t0: number): number {
  const delta = (t1 - t0) | 0;
  return delta > 0 ? delta : 0;
}

/** tcpClockMs as it was `us` µs ago. */
export function tcpClockMsBefore(net: Net, us: number): number {
  return Math.floor((Math.floor(net.world.now / 1000) + 1000 - us) / 1000) | 0;
}

/** The timestamp clock (ms) when skb was last sent. */
export function tcpSkbTimestampTs(sk: TcpSock, skb: SkBuff): number {
  return tcpClockMsBefore(sk.skNet, (tcpClockUs(sk.skNet) - tcpSkbTimestampUs(skb)) | 0);
}
