/*
 * Receiving (net/packet/af_packet.c): packetRcv is the func of the sock's PacketType. It shows the packet from the link-layer
 * header on (SOCK_RAW) or from the network header on (SOCK_DGRAM), asks the filter, and queues it; packetRecvmsg
 * (packet-recvmsg.ts) hands it up.
 */
import { SKB_DROP_REASON_PACKET_SOCK_ERROR } from '@stack/kernel';
import { PACKET_LOOPBACK, PACKET_OUTGOING } from '@stack/netdev';
import type { NetDevice, PacketType } from '@stack/netdev';
import {
  __skbPull, __skbPush, consumeSkb, kfreeSkbReason, nfReset, NET_RX_DROP, NET_RX_SUCCESS, pskbTrim, skbDstDrop, skbShareCheck,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { skRunFilter, SOCK_DGRAM, sockQueueRcvSkb, sockStampSkb } from '@stack/socket';
import { packetCbSet } from './packet-cb.ts';
import { packetSk } from './packet-sock.ts';
import type { PacketSock } from './packet-sock.ts';
import type { Sock } from '@stack/socket';

/** PacketType.func: takes skb, one of the sock's own (a clone where others have it too). NET_RX_SUCCESS or NET_RX_DROP. */
export function packetRcv(skb: SkBuff, dev: NetDevice, pt: PacketType, origDev: NetDevice): number {
  const { net } = dev;
  if (net.trace !== null) net.trace.hit(net, 'packet_rcv', skb);
  const po = packetSk(pt.afPacketPriv as Sock);
  if (skb.pktType === PACKET_LOOPBACK || (skb.pktType === PACKET_OUTGOING && po.ignoreOutgoing)) return packetIgnore(skb);
  const own = skbShareCheck(skb);
  if (own === null) return NET_RX_DROP;
  packetShow(po, own, dev);
  const snaplen = skRunFilter(po, own);
  if (snaplen === 0) return packetIgnore(own);
  const origlen = own.len;
  packetCbSet(own, dev, po.origdev ? origDev.ifindex : dev.ifindex, origlen);
  if (pskbTrim(own, snaplen) !== 0) return packetDrop(po, own);
  sockStampSkb(po, own);
  skbDstDrop(own);
  nfReset(own);
  own.cb11 = po.skDrops;
  if (sockQueueRcvSkb(po, own) < 0) return packetDrop(po, own);
  po.tpPackets++;
  return NET_RX_SUCCESS;
}

/** Not for this user: no drop. */
function packetIgnore(skb: SkBuff): number {
  consumeSkb(skb);
  return NET_RX_SUCCESS;
}

/** No room. */
function packetDrop(po: PacketSock, skb: SkBuff): number {
  po.tpDrops++;
  kfreeSkbReason(skb, SKB_DROP_REASON_PACKET_SOCK_ERROR);
  return NET_RX_DROP;
}

/** Moves data to where the user's bytes begin. It is at the network header on the way up, at the link's on the way down. */
function packetShow(po: PacketSock, skb: SkBuff, dev: NetDevice): void {
  if (dev.headerOps === null) return;
  if (po.skType !== SOCK_DGRAM) {
    if (skb.macHeader >= 0) __skbPush(skb, skb.data - skb.macHeader);
  } else if (skb.pktType === PACKET_OUTGOING) {
    __skbPull(skb, skb.networkHeader - skb.data);
  }
}
