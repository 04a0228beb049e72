/*
 * What a packet socket keeps in a packet that waits for its reader (PACKET_SKB_CB): the address of the link layer, as
 * sockaddr_ll will say it, and the packet's length before the filter cut it. pktType and protocol are in the sk_buff itself.
 *   cb0 ifindex   cb1 hatype | halen << 16   cb2, cb3 address   cb4 origlen   cb11 drops before it (sockRecvCmsgs)
 */
import { devParseHeader } from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import type { SkBuff } from '@stack/skbuff';
import { AF_PACKET } from '@stack/socket';
import { SLL_ADDRLEN } from './if-packet.ts';
import type { SockAddrLl } from './if-packet.ts';

/** Fills the control block of skb, which came by `dev` and is shown to the user as of the device numbered `ifindex`. */
export function packetCbSet(skb: SkBuff, dev: NetDevice, ifindex: number, origlen: number): void {
  const { haddr, haddrView } = dev.net.packet;
  const halen = devParseHeader(skb, haddr);
  skb.cb0 = ifindex;
  skb.cb1 = dev.type | (halen << 16);
  skb.cb2 = haddrView.getInt32(0);
  skb.cb3 = haddrView.getInt32(4);
  skb.cb4 = origlen;
}

/** Octets of the packet before the filter cut it. */
export function packetCbOriglen(skb: SkBuff): number {
  return skb.cb4;
}

/** The sender's address of a packet, or the destination's of none: what recvmsg says of it. */
export function packetCbAddr(skb: SkBuff, addr: SockAddrLl): void {
  const halen = skb.cb1 >> 16;
  addr.saFamily = AF_PACKET;
  addr.sllProtocol = skb.protocol;
  addr.sllIfindex = skb.cb0;
  addr.sllHatype = skb.cb1 & 0xffff;
  addr.sllPkttype = skb.pktType;
  addr.sllHalen = halen;
  for (let i = 0; i < SLL_ADDRLEN; i++) {
    const word = i < 4 ? skb.cb2 : skb.cb3;
    addr.sllAddr[i] = i < halen ? word >> (24 - 8 * (i & 3)) : 0;
  }
}
