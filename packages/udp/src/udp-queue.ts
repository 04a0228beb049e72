/*
 * Between the network and the reader (net/ipv4/udp.c): queueing with the receive buffer's limit, FIONREAD, poll, and the
 * end of a sock. No address is read here.
 */
import { SKB_DROP_REASON_PROTO_MEM, SKB_DROP_REASON_SOCKET_RCVBUFF, ENOIOCTLCMD, ENOMEM, snmpInc } from '@stack/kernel';
import { kfreeSkbReason, skbPeek, skbQueuePurge } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  FIONREAD, SIOCOUTQ, skCommonRelease, skMemReclaim, sockQueueRcvSkb, sockStampSkb,
} from '@stack/socket';
import type { ProtoMem, Sock } from '@stack/socket';
import { UDP_MIB_INERRORS, UDP_MIB_MEMERRORS, UDP_MIB_RCVBUFERRORS } from './udp-mib.ts';
import { udpSk } from './udp-sock.ts';

/**
 * Queues a datagram, its header pulled, for the reader. Takes the sk_buff. 0, or -1 if it was dropped: the receive buffer
 * is full (RcvbufErrors), or UDP is out of memory (MemErrors).
 */
export function __udpQueueRcvSkb(sk: Sock, skb: SkBuff): number {
  sockStampSkb(sk, skb);
  skb.cb11 = sk.skDrops;
  const err = sockQueueRcvSkb(sk, skb);
  if (err === 0) return 0;
  const { mib } = sk.skNet.udp;
  const full = err === -ENOMEM;
  snmpInc(mib, full ? UDP_MIB_RCVBUFERRORS : UDP_MIB_MEMERRORS);
  snmpInc(mib, UDP_MIB_INERRORS);
  kfreeSkbReason(skb, full ? SKB_DROP_REASON_SOCKET_RCVBUFF : SKB_DROP_REASON_PROTO_MEM);
  return -1;
}

/** Proto.ioctl: SIOCOUTQ is what is under way, FIONREAD the length of the next datagram. */
export function udpIoctl(sk: Sock, cmd: number): number {
  if (cmd === SIOCOUTQ) return sk.skWmemAlloc - 1;
  if (cmd === FIONREAD) return skbPeek(sk.skReceiveQueue)?.len ?? 0;
  return -ENOIOCTLCMD;
}

/** Proto.close: the socks of UDP are gone at once. */
export function udpLibClose(sk: Sock, _timeout: number): number {
  skCommonRelease(sk);
  return 0;
}

/** sk.skDestruct: what was never read, and the memory. */
export function udpDestructSock(sk: Sock): void {
  skbQueuePurge(sk.skReceiveQueue);
  skMemReclaim(sk);
}

/** Proto.init. */
export function udpInitSock(sk: Sock): number {
  sk.skDestruct = udpDestructSock;
  return 0;
}

/** Proto.mem. */
export function udpMem(sk: Sock): ProtoMem {
  return sk.skNet.udp.mem;
}

/** Does the sock gather a datagram (UDP_CORK, MSG_MORE)? */
export function udpPending(sk: Sock): boolean {
  return udpSk(sk).pending !== 0;
}
