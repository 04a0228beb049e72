/*
 * Challenge ACKs: a segment that would end or disturb the connection, but does not fit exactly, is answered with an ACK;
 * a true peer then repeats itself so that it fits. Limited per socket, and per host (RFC 5961 §7).
 *
 * Order of calls: tcpValidateIncoming, tcpAck, tcpRcvStateProcess → tcpSendChallengeAck → tcpSendAck. Read first: RFC 5961 §3–5, §7.
 */
import { randomBelow } from '@stack/kernel';
import { tcpClockSeconds } from './tcp-clock.ts';
import { LINUX_MIB_TCPACKSKIPPEDCHALLENGE, LINUX_MIB_TCPCHALLENGEACK } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { __tcpOowRateLimited } from './tcp-oow.ts';
import { tcpSendAck } from './tcp-output-ctrl.ts';
import type { TcpSock } from './tcp-sock.ts';

/** net.ipv4.tcp_challenge_ack_limit: no limit for the host. */
const NO_LIMIT = 0x7fffffff;

/** Takes one from this second's budget of the host, which is random, so that it tells nothing (CVE-2016-5696). */
function tcpChallengeBudget(sk: TcpSock, limit: number): boolean {
  const tcp = sk.skNet.tcp;
  const second = tcpClockSeconds(sk.skNet);
  if (second !== tcp.challengeTimestamp) {
    tcp.challengeTimestamp = second;
    tcp.challengeCount = ((limit + 1) >> 1) + (limit > 0 ? randomBelow(sk.skNet.world.random, limit) : 0);
  }
  if (tcp.challengeCount === 0) return false;
  tcp.challengeCount--;
  return true;
}

/** Sends a challenge ACK, if the limits allow. */
export function tcpSendChallengeAck(sk: TcpSock): void {
  const net = sk.skNet;
  if (__tcpOowRateLimited(net, LINUX_MIB_TCPACKSKIPPEDCHALLENGE, sk.lastOowAckTime)) return;
  sk.lastOowAckTime = net.world.jiffies;
  const limit = net.tcp.sysctlTcpChallengeAckLimit;
  if (limit !== NO_LIMIT && !tcpChallengeBudget(sk, limit)) return;
  netIncStats(net, LINUX_MIB_TCPCHALLENGEACK);
  tcpSendAck(sk);
}
