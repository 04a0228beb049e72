/*
 * ARP packets that we send (RFC 826): requests, replies, announcements (RFC 5227 §2.3).
 */
import { SKB_DROP_REASON_NEIGH_HH_FILLFAIL } from '@stack/kernel';
import { ARPHRD_ETHER, ARPHRD_LOOPBACK, ETH_P_ARP, ETH_P_IP, devHardHeader, devQueueXmit, llReservedSpace } from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import { NFPROTO_ARP, nfHook } from '@stack/netfilter';
import { allocSkb, skbPut, skbReserve, kfreeSkbReason } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { ARPH_HLN, ARPH_HRD, ARPH_OP, ARPH_PLN, ARPH_PRO, ARPH_SHA, ARPOP_REQUEST, NF_ARP_OUT, arpHdrLen, arphSip, arphTha, arphTip } from './arp-header.ts';
import type { InIfaddr } from './inetdevice.ts';

/** The hardware type in ARP packets on dev. */
function arpHrd(dev: NetDevice): number {
  return dev.type === ARPHRD_LOOPBACK ? ARPHRD_ETHER : dev.type;
}

/**
 * An ARP packet with its link-layer header: operation op, to destHw (null: everybody), saying that
 * srcIp is at srcHw (null: dev's address), about destIp at targetHw (null: unknown, zeros).
 * The caller's; null without memory.
 */
export function arpCreate(
  op: number, destIp: number, dev: NetDevice, srcIp: number, destHw: Uint8Array | null, srcHw: Uint8Array | null,
  targetHw: Uint8Array | null,
): SkBuff | null {
  const hln = dev.addrLen;
  const room = llReservedSpace(dev);
  const skb = allocSkb(dev.net, room + arpHdrLen(hln));
  if (skb === null) return null;
  skbReserve(skb, room);
  const at = skbPut(skb, arpHdrLen(hln));
  skb.networkHeader = at;
  skb.dev = dev;
  skb.protocol = ETH_P_ARP;
  skb.view.setUint16(at + ARPH_HRD, arpHrd(dev));
  skb.view.setUint16(at + ARPH_PRO, ETH_P_IP);
  skb.view.setUint8(at + ARPH_HLN, hln);
  skb.view.setUint8(at + ARPH_PLN, 4);
  skb.view.setUint16(at + ARPH_OP, op);
  const sha = srcHw ?? dev.devAddr;
  for (let i = 0; i < hln; i++) {
    skb.buf[at + ARPH_SHA + i] = sha[i];
    skb.buf[at + arphTha(hln) + i] = targetHw === null ? 0 : targetHw[i];
  }
  skb.view.setInt32(at + arphSip(hln), srcIp);
  skb.view.setInt32(at + arphTip(hln), destIp);
  if (devHardHeader(skb, dev, ETH_P_ARP, destHw ?? dev.broadcast, sha, skb.len) < 0) {
    kfreeSkbReason(skb, SKB_DROP_REASON_NEIGH_HH_FILLFAIL);
    return null;
  }
  return skb;
}

/** Makes an ARP packet (see arpCreate()) and sends it. */
export function arpSend(
  op: number, destIp: number, dev: NetDevice, srcIp: number, destHw: Uint8Array | null, srcHw: Uint8Array | null,
  targetHw: Uint8Array | null,
): void {
  const skb = arpCreate(op, destIp, dev, srcIp, destHw, srcHw, targetHw);
  if (skb !== null) nfHook(NFPROTO_ARP, NF_ARP_OUT, skb, null, dev, devQueueXmit);
}

/** Tells everybody on the link that an address is at this device (gratuitous ARP, RFC 5227 §2.3). */
export function arpAnnounce(ifa: InIfaddr): void {
  arpSend(ARPOP_REQUEST, ifa.ifaLocal, ifa.inDev.dev, ifa.ifaLocal, null, null, null);
}
