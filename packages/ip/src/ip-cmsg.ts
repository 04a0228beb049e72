/*
 * Control messages at level SOL_IP: what a sender says of one datagram, what a receiver wants to
 * know of it (ip(7)).
 */
import { EINVAL, ENODEV } from '@stack/kernel';
import { SockAddrIn } from '@stack/inet-sock';
import type { InetSock } from '@stack/inet-sock';
import { devGetByIndex } from '@stack/netdev';
import { skbDstDrop } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { SOL_IP, SOL_SOCKET, __sockCmsgSend, putCmsg } from '@stack/socket';
import type { Cmsg, MsgHdr } from '@stack/socket';
import { fibComputeSpecDst } from './fib-frontend.ts';
import type { IpcmCookie } from './ip-append.ts';
import { ipcbFragMaxSize, ipcbIif, ipcbNexthop, ipcbSetIif, ipcbSetNexthop } from './ip-cb.ts';
import { IPH_OPTIONS, IP_HDR_LEN, ipHdrDaddr, ipHdrTos, ipHdrTtl, ipHdrlen } from './ip-header.ts';
import { ipOptionsEcho } from './ip-options-path.ts';
import { ipOptionsParse } from './ip-options-user.ts';
import {
  IP_CMSG_ORIGDSTADDR, IP_CMSG_PKTINFO, IP_CMSG_RECVFRAGSIZE, IP_CMSG_RECVOPTS, IP_CMSG_RETOPTS, IP_CMSG_TOS, IP_CMSG_TTL, IP_PKTINFO,
  IP_RECVFRAGSIZE, IP_RECVOPTS, IP_RECVORIGDSTADDR, IP_RETOPTS, IP_TOS, IP_TTL, InPktinfo,
} from './ip-uapi.ts';

/** Takes what the control messages of msg say of the datagram into ipc. Returns 0, -EINVAL, -ENODEV. */
export function ipCmsgSend(sk: InetSock, msg: MsgHdr, ipc: IpcmCookie): number {
  const control = msg.msgControl;
  if (control === null) return 0;
  for (const cmsg of control) {
    const error = cmsg.cmsgLevel === SOL_SOCKET ? __sockCmsgSend(cmsg, ipc.sockc) : ipCmsgSendOne(sk, cmsg, ipc);
    if (error < 0) return error;
  }
  return 0;
}

function ipCmsgSendOne(sk: InetSock, cmsg: Cmsg, ipc: IpcmCookie): number {
  const data = cmsg.cmsgData;
  if (cmsg.cmsgLevel !== SOL_IP) return 0;
  switch (cmsg.cmsgType) {
    case IP_PKTINFO:
      if (!(data instanceof InPktinfo)) return -EINVAL;
      if (data.ipiIfindex !== 0) {
        if (devGetByIndex(sk.skNet, data.ipiIfindex) === null) return -ENODEV;
        ipc.oif = data.ipiIfindex;
      }
      ipc.addr = data.ipiSpecDst;
      return 0;
    case IP_TTL:
      if (typeof data !== 'number' || data < 1 || data > 255) return -EINVAL;
      ipc.ttl = data;
      return 0;
    case IP_TOS:
      if (typeof data !== 'number' || data < 0 || data > 255) return -EINVAL;
      ipc.tos = data;
      return 0;
    case IP_RETOPTS: {
      const opt = data instanceof Uint8Array ? ipOptionsParse(sk.skNet, data) : -EINVAL;
      if (typeof opt === 'number') return opt;
      ipc.opt = opt;
      return 0;
    }
    default:
      return -EINVAL;
  }
}

/**
 * Before a datagram is queued for sk: what IP_PKTINFO will want is taken from its route, and the
 * route is dropped, so that a packet nobody reads holds none. The control block's IP part must still be there.
 */
export function ipv4PktinfoPrepare(sk: InetSock, skb: SkBuff): void {
  if ((sk.cmsgFlags & IP_CMSG_PKTINFO) !== 0) {
    ipcbSetIif(skb, skb.skbIif);
    ipcbSetNexthop(skb, fibComputeSpecDst(skb));
  }
  skbDstDrop(skb);
}

/** Adds the control messages that sk wants of skb (lent; its networkHeader still there) to msg. */
export function ipCmsgRecv(msg: MsgHdr, sk: InetSock, skb: SkBuff): void {
  const flags = sk.cmsgFlags;
  if (flags === 0) return;
  if ((flags & IP_CMSG_PKTINFO) !== 0) {
    putCmsg(msg, SOL_IP, IP_PKTINFO, new InPktinfo(ipcbIif(skb), ipcbNexthop(skb), ipHdrDaddr(skb)));
  }
  if ((flags & IP_CMSG_TTL) !== 0) putCmsg(msg, SOL_IP, IP_TTL, ipHdrTtl(skb));
  if ((flags & IP_CMSG_TOS) !== 0) putCmsg(msg, SOL_IP, IP_TOS, ipHdrTos(skb));
  if (ipHdrlen(skb) > IP_HDR_LEN) {
    const at = skb.networkHeader + IPH_OPTIONS;
    if ((flags & IP_CMSG_RECVOPTS) !== 0) putCmsg(msg, SOL_IP, IP_RECVOPTS, skb.buf.slice(at, skb.networkHeader + ipHdrlen(skb)));
    const back = (flags & IP_CMSG_RETOPTS) !== 0 ? ipOptionsEcho(skb) : null;
    if (back !== null) putCmsg(msg, SOL_IP, IP_RETOPTS, back);
  }
  if ((flags & IP_CMSG_ORIGDSTADDR) !== 0) {
    putCmsg(msg, SOL_IP, IP_RECVORIGDSTADDR, new SockAddrIn(ipHdrDaddr(skb), skb.view.getUint16(skb.transportHeader + 2)));
  }
  if ((flags & IP_CMSG_RECVFRAGSIZE) !== 0 && ipcbFragMaxSize(skb) !== 0) putCmsg(msg, SOL_IP, IP_RECVFRAGSIZE, ipcbFragMaxSize(skb));
}
