/*
 * What a new route means for a sock: it is cached, and the device's abilities are noted, so that
 * TCP knows how large an sk_buff may be.
 */
import {
  NETIF_F_GSO, NETIF_F_GSO_MASK, NETIF_F_GSO_SOFTWARE, NETIF_F_HW_CSUM, NETIF_F_SG,
} from '@stack/netdev';
import { SKB_GSO_TCPV4, SKB_GSO_TCPV6 } from '@stack/skbuff';
import type { DstEntry } from '@stack/skbuff';
import { skDstReset } from '@stack/socket';
import type { Sock } from '@stack/socket';

/** Keeps dst in sk.skDstCache, in the place of what was there. Takes over the caller's reference. */
export function skDstSet(sk: Sock, dst: DstEntry | null): void {
  const old = sk.skDstCache;
  if (old === dst && dst !== null) {
    dst.refcnt--;
    return;
  }
  skDstReset(sk);
  sk.skDstCache = dst;
}

/** What all headers of a large segment may take: its length field must not overflow (the kernel's MAX_TCP_HEADER + 1). */
const GSO_HEADER_ROOM = 321;

/** skDstSet(), and notes what the way out can do (skRouteCaps, skGsoMaxSize, skGsoMaxSegs). */
export function skSetupCaps(sk: Sock, dst: DstEntry): void {
  skDstSet(sk, dst);
  const dev = dst.dev;
  if (dev === null) return;
  const gso = (sk.skGsoType & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)) !== 0;
  let caps = dev.features;
  if (gso) caps |= NETIF_F_GSO;
  if ((caps & NETIF_F_GSO) !== 0) caps |= NETIF_F_GSO_SOFTWARE;
  sk.skGsoMaxSegs = 1;
  if (gso) {
    if (dst.headerLen !== 0) {
      caps &= ~NETIF_F_GSO_MASK;
    } else {
      // What the device lacks is made up for when the packet is cut, right in front of it.
      caps |= NETIF_F_SG | NETIF_F_HW_CSUM;
      sk.skGsoMaxSize = dev.gsoMaxSize - GSO_HEADER_ROOM;
      sk.skGsoMaxSegs = Math.max(dev.gsoMaxSegs, 1);
    }
  }
  sk.skRouteCaps = caps;
}
