/*
 * What the network says of the path to a destination: its MTU (RFC 1191), kept for mtu_expires, and
 * a better gateway (redirects).
 *
 * rtUpdatePmtu() when a transport has found an ICMP "fragmentation needed" credible; routes made
 * before are then found invalid by their check, and the next one made has the new MTU.
 */
import { HZ } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { FibNhException } from './rtable.ts';

/** Destinations remembered. */
const FNHE_MAX = 2048;
/** Jiffies for which a redirect is believed. */
const REDIRECT_EXPIRES = 300 * HZ;

/** MTUs of links, as RFC 1191 §7.1 has them. */
const PLATEAUS: readonly number[] = [32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];

/** The plateau below a packet of `length` octets that was too large; 68 if there is none. */
export function guessMtu(length: number): number {
  for (const plateau of PLATEAUS) {
    if (plateau < length) return plateau;
  }
  return 68;
}

/** What is known of daddr and still holds, or null. */
export function rtFindException(net: Net, daddr: number): FibNhException | null {
  const exceptions = net.ipv4.rtCache.exceptions;
  if (exceptions.size === 0) return null;
  const fnhe = exceptions.get(daddr);
  if (fnhe === undefined) return null;
  if (((net.world.jiffies - fnhe.expires) | 0) < 0) return fnhe;
  exceptions.delete(daddr);
  return null;
}

/**
 * The path to daddr takes packets of at most mtu octets. oldMtu is what was thought before: a
 * message that says more changes nothing. Below net.ipv4.route.min_pmtu the path is taken to be
 * broken or the message forged: fragments of that least size, DF not set.
 */
export function rtUpdatePmtu(net: Net, daddr: number, oldMtu: number, mtu: number): void {
  const ipv4 = net.ipv4;
  if (oldMtu < mtu) return;
  let value = mtu;
  let locked = false;
  if (mtu < ipv4.sysctlMinPmtu) {
    locked = true;
    value = Math.min(oldMtu, ipv4.sysctlMinPmtu);
  }
  const expires = (net.world.jiffies + ipv4.sysctlMtuExpires * HZ) | 0;
  const known = rtFindException(net, daddr);
  if (known !== null && known.pmtu === value && known.mtuLocked === locked) {
    const half = (ipv4.sysctlMtuExpires * HZ) >> 1;
    if (((known.expires - net.world.jiffies) | 0) > half) return;
  }
  const fnhe = known ?? rtNewException(net, daddr);
  fnhe.pmtu = value;
  fnhe.mtuLocked = locked;
  rtExceptionChanged(net, fnhe, expires);
}

/** Packets to daddr by dev are better sent to gw. */
export function rtRedirectException(net: Net, daddr: number, gw: number, dev: NetDevice): void {
  const fnhe = rtFindException(net, daddr) ?? rtNewException(net, daddr);
  fnhe.gw = gw;
  fnhe.dev = dev;
  rtExceptionChanged(net, fnhe, (net.world.jiffies + REDIRECT_EXPIRES) | 0);
}

/** Routes made before are invalid. */
function rtExceptionChanged(net: Net, fnhe: FibNhException, expires: number): void {
  const cache = net.ipv4.rtCache;
  fnhe.expires = expires === 0 ? 1 : expires;
  cache.fnheGenid = (cache.fnheGenid + 1) | 0;
  fnhe.genid = cache.fnheGenid;
}

/** Makes room for daddr, the oldest going first. */
function rtNewException(net: Net, daddr: number): FibNhException {
  const exceptions = net.ipv4.rtCache.exceptions;
  if (exceptions.size >= FNHE_MAX) {
    for (const oldest of exceptions.keys()) {
      exceptions.delete(oldest);
      break;
    }
  }
  const fnhe = new FibNhException(daddr);
  exceptions.set(daddr, fnhe);
  return fnhe;
}
