/*
 * UDP over IPv4, the reader's side (net/ipv4/udp.c): udpRecvmsg takes one datagram from the queue for one call, and says
 * where it came from.
 */
import { snmpInc } from '@stack/kernel';
import type { SockAddrIn } from '@stack/inet-sock';
import { ipCmsgRecv, ipHdrSaddr, ipRecvError } from '@stack/ip';
import type { SkBuff } from '@stack/skbuff';
import {
  AF_INET, MSG_ERRQUEUE, MSG_PEEK, MSG_TRUNC, skbCopyDatagramMsg, skbFreeDatagram, skbRecvDatagram, sockRecvCmsgs,
} from '@stack/socket';
import type { MsgHdr, Sock } from '@stack/socket';
import { udpSource } from './udp-hdr.ts';
import { UDP_MIB_INDATAGRAMS, UDP_MIB_INERRORS } from './udp-mib.ts';
import { udpSk } from './udp-sock.ts';

/** Octets of struct sockaddr_in, for msgNamelen. */
const SOCKADDR_IN_LEN = 16;

/**
 * Proto.recvmsg: the bytes given (with MSG_TRUNC among the flags: the length of the datagram), or -errno. A datagram
 * longer than the buffers is cut, and MSG_TRUNC set in msgFlags.
 */
export function udpRecvmsg(sock: Sock, msg: MsgHdr, len: number, flags: number): number {
  const { skNet: net } = sock;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'udp_recvmsg', null);
  const sk = udpSk(sock);
  if ((flags & MSG_ERRQUEUE) !== 0) return ipRecvError(sk, msg, len);
  const skb = skbRecvDatagram(sk, flags);
  if (typeof skb === 'number') return skb;
  if (net.trace !== null) net.trace.hit(net, 'udp_recvmsg', skb);
  const ulen = skb.len;
  const copied = len < ulen ? len : ulen;
  if (copied < ulen) msg.msgFlags |= MSG_TRUNC;
  const err = skbCopyDatagramMsg(skb, 0, msg, copied);
  if (err < 0) {
    snmpInc(net.udp.mib, UDP_MIB_INERRORS);
    skbFreeDatagram(sk, skb);
    return err;
  }
  if ((flags & MSG_PEEK) === 0) snmpInc(net.udp.mib, UDP_MIB_INDATAGRAMS);
  udpRecvName(msg, skb);
  sockRecvCmsgs(msg, sk, skb);
  if (sk.cmsgFlags !== 0) ipCmsgRecv(msg, sk, skb);
  skbFreeDatagram(sk, skb);
  return (flags & MSG_TRUNC) !== 0 ? ulen : copied;
}

/** Fills in the sender. */
function udpRecvName(msg: MsgHdr, skb: SkBuff): void {
  if (msg.msgName === null) return;
  const addr = msg.msgName as SockAddrIn;
  addr.saFamily = AF_INET;
  addr.sinAddr = ipHdrSaddr(skb);
  addr.sinPort = udpSource(skb);
  msg.msgNamelen = SOCKADDR_IN_LEN;
}
