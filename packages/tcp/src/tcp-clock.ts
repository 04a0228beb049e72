/*
 * The engine's clocks, all read from World.now, which stands still during one entry into the stack:
 * tcpMstamp (µs, int32, wraps after 71 minutes), the timestamp option's (ms), and seconds for PAWS.
 */
import type { Net } from '@stack/kernel';
import { tcpSkbTimestampUs } from './tcp-skb-cb.ts';
import type { SkBuff } from '@stack/skbuff';
import type { TcpSock } from './tcp-sock.ts';

/** Takes the time for what follows: sk.tcpMstamp in µs. Called where a segment or a timer enters. */
export function tcpMstampRefresh(sk: TcpSock): void {
  sk.tcpMstamp = Math.floor(sk.skNet.world.now / 1000) | 0;
}

/** The clock of the timestamp option: ms (RFC 7323 §5.4); without a connection's offset. */
export function tcpClockMs(net: Net): number {
  return Math.floor(net.world.now / 1_000_000) | 0;
}

/** Seconds, from 1 on, so that 0 means never. */
export function tcpClockSeconds(net: Net): number {
  return (Math.floor(net.world.now / 1_000_000_000) + 1) | 0;
}

/** Time from t0 to t1 in µs, not negative. */
export function tcpStampUsDelta(t1: number, t0: number): number {
  const delta = (t1 - t0) | 0;
  return delta > 0 ? delta : 0;
}

/** The timestamp clock (ms) when skb was last sent. */
export function tcpSkbTimestampTs(sk: TcpSock, skb: SkBuff): number {
  const nowUs = Math.floor(sk.skNet.world.now / 1000);
  return Math.floor((nowUs - ((nowUs - tcpSkbTimestampUs(skb)) | 0)) / 1000) | 0;
}
