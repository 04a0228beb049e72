/*
 * Sending (net/packet/af_packet.c): packetSendmsg copies the user's frame (SOCK_RAW), or pushes the link-layer header in front
 * of what he gives (SOCK_DGRAM, by the device's hard_header), and hands it to dev_queue_xmit. No layer above sees it.
 */
import { EINVAL, EMSGSIZE, ENETDOWN, ENOBUFS, ENXIO, SKB_DROP_REASON_DEV_HDR, SKB_DROP_REASON_PKT_TOO_BIG } from '@stack/kernel';
import {
  devGetByIndex, devHardHeader, devQueueXmit, ETH_HLEN, ETH_P_8021Q, ETH_P_ALL, ETH_TYPE, IFF_UP, llReservedSpace, VLAN_HLEN,
} from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import { NET_XMIT_CN, NET_XMIT_DROP, skbPut, skbReserve, kfreeSkbReason } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { AF_PACKET, copyFromIter, sockAllocSendSkb, sockCmsgSend, sockcmInit, SOCK_DGRAM } from '@stack/socket';
import type { MsgHdr, Sock, Socket } from '@stack/socket';
import type { SockAddrLl } from './if-packet.ts';
import { packetSk } from './packet-sock.ts';
import type { PacketSock } from './packet-sock.ts';

/**
 * ProtoOps.sendmsg: `len`, or -errno. msgName says where to, or bind did. -ENXIO without a device, -ENETDOWN, -EMSGSIZE (longer
 * than the device's MTU), -EINVAL (an address of another family or length, a frame without its header), -EAGAIN while
 * the send buffer is full, -ENOBUFS when a queue below had no room.
 */
export function packetSendmsg(sock: Socket, msg: MsgHdr, len: number): number {
  const { net } = sock;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'packet_sendmsg', null);
  const po = packetSk(sock.sk as Sock);
  const addr = msg.msgName as SockAddrLl | null;
  if (addr !== null && addr.saFamily !== AF_PACKET) return -EINVAL;
  const dev = devGetByIndex(net, addr === null ? po.ifindex : addr.sllIfindex);
  if (dev === null) return -ENXIO;
  if ((dev.flags & IFF_UP) === 0) return -ENETDOWN;
  const { sockc } = net.packet;
  sockcmInit(sockc, po);
  const err = sockCmsgSend(msg, sockc);
  if (err < 0) return err;
  const skb = packetSnd(po, msg, len, dev, addr);
  if (typeof skb === 'number') return skb;
  skb.priority = sockc.priority;
  skb.mark = sockc.mark;
  const rc = devQueueXmit(skb);
  if (rc === 0 || rc === NET_XMIT_CN) return len;
  return rc === NET_XMIT_DROP ? -ENOBUFS : rc;
}

/** The packet that is to leave by dev, its link-layer header in front; the caller's. Or -errno. */
function packetSnd(po: PacketSock, msg: MsgHdr, len: number, dev: NetDevice, addr: SockAddrLl | null): SkBuff | number {
  const raw = po.skType !== SOCK_DGRAM;
  const header = raw ? dev.hardHeaderLen : 0;
  if (raw && len < header) return -EINVAL;
  if (len > dev.mtu + header + VLAN_HLEN) return -EMSGSIZE;
  if (!raw && addr !== null && addr.sllHalen !== 0 && addr.sllHalen !== dev.addrLen) return -EINVAL;
  const room = llReservedSpace(dev);
  const skb = sockAllocSendSkb(po, room + len + dev.neededTailroom);
  if (typeof skb === 'number') return skb;
  skb.dev = dev;
  skbReserve(skb, room - header);
  const at = skbPut(skb, len);
  copyFromIter(skb.buf, at, len, msg);
  skb.networkHeader = at + header;
  skb.protocol = addr === null || addr.sllProtocol === 0 ? po.num : addr.sllProtocol;
  const err = raw ? packetParseHeaders(skb, dev) : packetHardHeader(skb, len, dev, addr);
  if (err < 0 || (len > dev.mtu + header && !packetExtraVlanLenAllowed(skb, dev))) {
    kfreeSkbReason(skb, err < 0 ? SKB_DROP_REASON_DEV_HDR : SKB_DROP_REASON_PKT_TOO_BIG);
    return err < 0 ? err : -EMSGSIZE;
  }
  return skb;
}

/** SOCK_DGRAM: the device makes its header. 0, or -EINVAL where there is no address to put into it. */
function packetHardHeader(skb: SkBuff, len: number, dev: NetDevice, addr: SockAddrLl | null): number {
  const daddr = addr === null || addr.sllHalen === 0 ? null : addr.sllAddr;
  return devHardHeader(skb, dev, skb.protocol, daddr, null, len) < 0 ? -EINVAL : 0;
}

/** SOCK_RAW: the frame has its header; where the user names no protocol, the header does. 0. */
function packetParseHeaders(skb: SkBuff, dev: NetDevice): number {
  if (skb.protocol === 0 || skb.protocol === ETH_P_ALL) skb.protocol = headerType(skb, dev);
  return 0;
}

/** Only a VLAN tag may make a frame longer than the MTU. */
function packetExtraVlanLenAllowed(skb: SkBuff, dev: NetDevice): boolean {
  return headerType(skb, dev) === ETH_P_8021Q;
}

/** The type in the Ethernet header that skb begins with; 0 for another link's. */
function headerType(skb: SkBuff, dev: NetDevice): number {
  return dev.hardHeaderLen === ETH_HLEN ? skb.view.getUint16(skb.data + ETH_TYPE) : 0;
}
