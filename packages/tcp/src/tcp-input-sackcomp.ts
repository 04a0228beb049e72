/*
 * Fewer ACKs for what is out of order: after three of them for one hole, a timer of 5 % of the round trip gathers the
 * rest (net.ipv4.tcp_comp_sack_delay_ns, _slack_ns, _nr).
 *
 * Order of calls: __tcpAckSndCheck → tcpSackCompress; tcpSackNewOfoSkb, the delayed ACK's handler → tcpSackCompressSendAck;
 * each ACK that leaves → tcpSackCompressSent. Times in ns of the World's clock.
 * Read first: RFC 5681 §4.2 (which asks for an ACK each: Deviation, Linux's); draft-gomez-tcpm-ack-rate-request for why.
 */
import { hrtimerActive, hrtimerCancel, hrtimerSetup, hrtimerStart } from '@stack/kernel';
import type { Hrtimer } from '@stack/kernel';
import { sockHold, sockOwnedByUser, sockPut } from '@stack/socket';
import { LINUX_MIB_TCPACKCOMPRESSED } from './tcp-mib.ts';
import { netAddStats } from './netns-tcp.ts';
import { tcpSendAck } from './tcp-output-ctrl.ts';
import { tcpIsSack } from './tcp-rtx-queue.ts';
import { TCPF_DELACK_TIMER_DEFERRED, tcpRare } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** ACKs that a hole gets at once: the peer's threshold of duplicates. */
const TCP_FASTRETRANS_THRESH = 3;

/** What a sock has that saw something out of order. */
export class TcpSackCompression {
  /** ACKs that were saved, and are owed as one. */
  compressedAck: number;
  /** Duplicate ACKs that went out at once for the hole at rcvNxt. */
  dupAckCounter: number;
  rcvNxt: number;
  timer: Hrtimer;

  constructor(sk: TcpSock) {
    this.compressedAck = 0;
    this.dupAckCounter = 0;
    this.rcvNxt = sk.rcvNxt;
    this.timer = hrtimerSetup(sk.skNet, tcpCompressedAckKick, sk);
  }
}

function tcpSackCompression(sk: TcpSock): TcpSackCompression {
  const rare = tcpRare(sk);
  rare.sackCompression ??= new TcpSackCompression(sk);
  return rare.sackCompression;
}

/** 5 % of the round trip, at most what the sysctl says; and its slack. */
function tcpCompressedAckDelay(sk: TcpSock): number {
  const tcp = sk.skNet.tcp;
  let rtt = sk.rcvRttEstUs;
  if (sk.srttUs !== 0 && sk.srttUs < rtt) rtt = sk.srttUs;
  return Math.min(tcp.sysctlTcpCompSackDelayNs, Math.floor((rtt * 125) / 20)) + tcp.sysctlTcpCompSackSlackNs;
}

/** An ACK is owed for a segment out of order. @returns true if it may wait for others: the timer runs */
export function tcpSackCompress(sk: TcpSock): boolean {
  if (!tcpIsSack(sk)) return false;
  const comp = tcpSackCompression(sk);
  if (comp.compressedAck >= sk.skNet.tcp.sysctlTcpCompSackNr) return false;
  if (comp.rcvNxt !== sk.rcvNxt) {
    comp.rcvNxt = sk.rcvNxt;
    comp.dupAckCounter = 0;
  }
  if (comp.dupAckCounter < TCP_FASTRETRANS_THRESH) {
    comp.dupAckCounter++;
    return false;
  }
  comp.compressedAck++;
  if (!hrtimerActive(comp.timer)) {
    sockHold(sk);
    hrtimerStart(comp.timer, sk.skNet.world.now + tcpCompressedAckDelay(sk));
  }
  return true;
}

/** An ACK leaves: it tells all that was saved. */
export function tcpSackCompressSent(sk: TcpSock, comp: TcpSackCompression): void {
  if (comp.compressedAck === 0) return;
  netAddStats(sk.skNet, LINUX_MIB_TCPACKCOMPRESSED, comp.compressedAck);
  comp.compressedAck = 0;
  if (hrtimerCancel(comp.timer)) sockPut(sk);
}

/** Sends the one ACK for those that were saved. @returns false if none was */
export function tcpSackCompressSendAck(sk: TcpSock): boolean {
  const comp = sk.rare === null ? null : sk.rare.sackCompression;
  if (comp === null || comp.compressedAck === 0) return false;
  // One of them is sent after all.
  comp.compressedAck--;
  if (comp.compressedAck === 0 && hrtimerCancel(comp.timer)) sockPut(sk);
  tcpSendAck(sk);
  return true;
}

/** The time is over. */
function tcpCompressedAckKick(timer: Hrtimer): void {
  const sk = timer.data as TcpSock;
  if (sockOwnedByUser(sk)) sk.tsqFlags |= TCPF_DELACK_TIMER_DEFERRED;
  else tcpSackCompressSendAck(sk);
  sockPut(sk);
}

/** The connection is over: the timer gives its reference back. */
export function tcpSackCompressStop(sk: TcpSock): void {
  const comp = sk.rare === null ? null : sk.rare.sackCompression;
  if (comp !== null && hrtimerCancel(comp.timer)) sockPut(sk);
}
