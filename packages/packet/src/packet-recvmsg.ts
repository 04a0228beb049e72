/*
 * The reader's side (net/packet/af_packet.c): packetRecvmsg takes one packet from the queue for one call, says where it came
 * from (sockaddr_ll) and, with PACKET_AUXDATA, what the frame alone does not tell.
 */
import { EAGAIN, EINVAL } from '@stack/kernel';
import { CHECKSUM_NONE, CHECKSUM_PARTIAL } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  MSG_DONTWAIT, MSG_ERRQUEUE, MSG_PEEK, MSG_TRUNC, putCmsg, skbCopyDatagramMsg, skbFreeDatagram, skbRecvDatagram, sockRecvCmsgs,
  SOL_PACKET,
} from '@stack/socket';
import type { MsgHdr, Sock, Socket } from '@stack/socket';
import {
  PACKET_AUXDATA, TP_STATUS_CSUM_VALID, TP_STATUS_CSUMNOTREADY, TP_STATUS_GSO_TCP, TP_STATUS_USER, TP_STATUS_VLAN_TPID_VALID,
  TP_STATUS_VLAN_VALID, TpacketAuxdata, isSockAddrLl,
} from './if-packet.ts';
import { packetCbAddr, packetCbOriglen } from './packet-cb.ts';
import { packetSk } from './packet-sock.ts';

/** Octets of struct sockaddr_ll, for msgNamelen. */
const SOCKADDR_LL_LEN = 20;

/** Flags that recvmsg takes. */
const RECV_FLAGS = MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_ERRQUEUE;

/**
 * ProtoOps.recvmsg: the octets given (with MSG_TRUNC among the flags: those that the packet has), or -errno: a pending error
 * (-ENETDOWN), -EINVAL for flags that it does not know or another family's msgName. A packet longer than the buffers is cut, MSG_TRUNC set in msgFlags.
 */
export function packetRecvmsg(sock: Socket, msg: MsgHdr, len: number, flags: number): number {
  const { net } = sock;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'packet_recvmsg', null);
  if ((flags & ~RECV_FLAGS) !== 0 || (msg.msgName !== null && !isSockAddrLl(msg.msgName))) return -EINVAL;
  // Nothing is ever in a packet socket's error queue.
  if ((flags & MSG_ERRQUEUE) !== 0) return -EAGAIN;
  const sk = sock.sk as Sock;
  const skb = skbRecvDatagram(sk, flags);
  if (typeof skb === 'number') return skb;
  if (net.trace !== null) net.trace.hit(net, 'packet_recvmsg', skb);
  let copied = skb.len;
  if (copied > len) {
    copied = len;
    msg.msgFlags |= MSG_TRUNC;
  }
  const err = skbCopyDatagramMsg(skb, 0, msg, copied);
  if (err === 0) {
    sockRecvCmsgs(msg, sk, skb);
    if (msg.msgName !== null && isSockAddrLl(msg.msgName)) {
      packetCbAddr(skb, msg.msgName);
      msg.msgNamelen = SOCKADDR_LL_LEN;
    }
    if (packetSk(sk).auxdata) putCmsg(msg, SOL_PACKET, PACKET_AUXDATA, packetAuxdata(skb));
  }
  const whole = skb.len;
  skbFreeDatagram(sk, skb);
  if (err < 0) return err;
  return (flags & MSG_TRUNC) !== 0 ? whole : copied;
}

function packetAuxdata(skb: SkBuff): TpacketAuxdata {
  let status = TP_STATUS_USER;
  if (skb.ipSummed === CHECKSUM_PARTIAL) status |= TP_STATUS_CSUMNOTREADY;
  else if (skb.ipSummed !== CHECKSUM_NONE) status |= TP_STATUS_CSUM_VALID;
  if (skb.shinfo.gsoSize !== 0) status |= TP_STATUS_GSO_TCP;
  const aux = new TpacketAuxdata(status, packetCbOriglen(skb), skb.len, skb.networkHeader - skb.data);
  if (skb.vlanProto !== 0) {
    aux.tpVlanTci = skb.vlanTci;
    aux.tpVlanTpid = skb.vlanProto;
    aux.tpStatus |= TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID;
  }
  return aux;
}
