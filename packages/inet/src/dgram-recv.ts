/*
 * What the recvmsg of raw and of ping sockets have in common (net/ipv4/raw.c, ping.c): one packet for one call, its sender, and
 * the control messages that the user asked for.
 */
import { EOPNOTSUPP } from '@stack/kernel';
import type { InetSock, SockAddrIn } from '@stack/inet-sock';
import { ipCmsgRecv, ipHdrSaddr, ipRecvError } from '@stack/ip';
import {
  AF_INET, MSG_ERRQUEUE, MSG_OOB, MSG_TRUNC, skbCopyDatagramMsg, skbFreeDatagram, skbRecvDatagram, sockRecvCmsgs,
} from '@stack/socket';
import type { MsgHdr } from '@stack/socket';

/** Octets of struct sockaddr_in, for msgNamelen. */
const SOCKADDR_IN_LEN = 16;

/**
 * The octets given (with MSG_TRUNC among the flags: those that the packet has), or -errno. A packet longer than the buffers is
 * cut, and MSG_TRUNC set in msgFlags. `name` is the protocol's recvmsg in the kernel's spelling, for the trace.
 */
export function inetDgramRecvmsg(sk: InetSock, msg: MsgHdr, len: number, flags: number, name: string): number {
  const { skNet: net } = sk;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, name, null);
  if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
  if ((flags & MSG_ERRQUEUE) !== 0) return ipRecvError(sk, msg, len);
  const skb = skbRecvDatagram(sk, flags);
  if (typeof skb === 'number') return skb;
  if (net.trace !== null) net.trace.hit(net, name, skb);
  const whole = skb.len;
  const copied = len < whole ? len : whole;
  if (copied < whole) msg.msgFlags |= MSG_TRUNC;
  const err = skbCopyDatagramMsg(skb, 0, msg, copied);
  if (err === 0) {
    if (msg.msgName !== null) {
      const addr = msg.msgName as SockAddrIn;
      addr.saFamily = AF_INET;
      addr.sinAddr = ipHdrSaddr(skb);
      addr.sinPort = 0;
      msg.msgNamelen = SOCKADDR_IN_LEN;
    }
    sockRecvCmsgs(msg, sk, skb);
    if (sk.cmsgFlags !== 0) ipCmsgRecv(msg, sk, skb);
  }
  skbFreeDatagram(sk, skb);
  if (err < 0) return err;
  return (flags & MSG_TRUNC) !== 0 ? whole : copied;
}
