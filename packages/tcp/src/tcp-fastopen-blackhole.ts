/*
 * Fast Open, the client: firewalls that swallow SYNs with data, or what follows them. When there is a sign of one, no SYN of this host
 * has data for tcp_fastopen_blackhole_timeout_sec; for twice as long each time, up to 64 times.
 *
 * Order of calls: tcpFastopenCookieCheck → tcpFastopenActiveShouldDisable; tcpWriteTimeout → tcpFastopenActiveDetectBlackhole; the sock is
 * destroyed: tcpFastopenActiveDisableOfoCheck. Read first: RFC 7413 §7.1 (middleboxes), §4.1.3.
 */
import { HZ, timeBefore } from '@stack/kernel';
import { rbFirst, rbNext } from '@stack/skbuff';
import { TCP_SYN_SENT } from '@stack/socket';
import { LINUX_MIB_TCPFASTOPENBLACKHOLE } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { TCPHDR_FIN, tcbTcpFlags } from './tcp-skb-cb.ts';
import { tcpTfo, tcpTfoOf } from './tcp-sock.ts';
import { TFO_SYN_RETRANSMITTED } from './tcp-sock-rare.ts';
import type { TcpSock } from './tcp-sock.ts';

/** The pause doubles so often at most. */
const TFO_DISABLE_SHIFT_MAX = 6;

/** A sign of a firewall. */
function tcpFastopenActiveDisable(sk: TcpSock): void {
  const tcp = sk.skNet.tcp;
  if (tcp.sysctlTcpFastopenBlackholeTimeout === 0) return;
  tcp.tfoActiveDisableStamp = sk.skNet.world.jiffies;
  tcp.tfoActiveDisableTimes++;
  netIncStats(sk.skNet, LINUX_MIB_TCPFASTOPENBLACKHOLE);
}

/** Is there a pause? After it, sk tries whether all is well. */
export function tcpFastopenActiveShouldDisable(sk: TcpSock): boolean {
  const tcp = sk.skNet.tcp;
  const times = tcp.tfoActiveDisableTimes;
  if (tcp.sysctlTcpFastopenBlackholeTimeout === 0 || times === 0) return false;
  const pause = 2 ** Math.min(times - 1, TFO_DISABLE_SHIFT_MAX) * tcp.sysctlTcpFastopenBlackholeTimeout * HZ;
  if (timeBefore(sk.skNet.world.jiffies, (tcp.tfoActiveDisableStamp + pause) | 0)) return true;
  tcpTfo(sk).synFastopenCh = true;
  return false;
}

/** A timeout; `expired`: the last. The third in a row, or the end before it, is a sign. */
export function tcpFastopenActiveDetectBlackhole(sk: TcpSock, expired: boolean): void {
  const tfo = tcpTfoOf(sk);
  if (tfo === null || (!tfo.synFastopen && !tfo.synData && !tfo.synDataAcked)) return;
  const timeouts = sk.icskRetransmits;
  if (timeouts !== 2 && (timeouts > 2 || !expired)) return;
  tcpFastopenActiveDisable(sk);
  if (sk.skState === TCP_SYN_SENT) tfo.fastopenClientFail = TFO_SYN_RETRANSMITTED;
}

/** sk ends: of all that the peer sent after the handshake only a FIN came, which is a sign; or data did, and all is well again. */
export function tcpFastopenActiveDisableOfoCheck(sk: TcpSock): void {
  const tfo = tcpTfoOf(sk);
  if (tfo === null || !tfo.synFastopen) return;
  if (sk.dataSegsIn === 0) {
    const first = rbFirst(sk.outOfOrderQueue);
    if (first !== null && rbNext(first) === null && (tcbTcpFlags(first) & TCPHDR_FIN) !== 0) tcpFastopenActiveDisable(sk);
    return;
  }
  if (tfo.synFastopenCh && !sk.afSpecific.isLoopback(sk)) sk.skNet.tcp.tfoActiveDisableTimes = 0;
}
