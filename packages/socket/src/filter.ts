/*
 * Filters of socks (net/core/filter.c): SO_ATTACH_FILTER gives a sock a function that says of each packet, before it is
 * queued, how much of it the user wants. The protocol calls skRunFilter (packet sockets, who keep the packet's true length)
 * or skFilterTrimCap (all others) with data where the user's bytes begin.
 * Deviation: Linux takes a program for a virtual machine, BPF; here it is a function of the host language, over what
 * such a program sees: the bytes, the length, and by its ancillary loads the rest of the sk_buff.
 */
import { EINVAL, ENOENT, EOPNOTSUPP, EPERM } from '@stack/kernel';
import { pskbTrim, skbLinearize } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { SOCK_FILTER_LOCKED, sockFlag, sockSetFlag } from './sock-struct.ts';
import type { Sock, SockOptValue } from './sock-struct.ts';
import { SO_ATTACH_FILTER, SO_DETACH_FILTER, SOCK_STREAM } from './uapi-socket.ts';

/**
 * How many octets of a packet the user wants: 0 none, it is not for him; a number beyond its length means all of it.
 * `buf[offset … offset + length)` is what is at hand of the packet (memory of the packet pool: not to be kept, nor written),
 * `wireLength` its true length, which is more than `length` when it was cut before. It begins where recvmsg of the sock
 * begins: at the link-layer header for SOCK_RAW of PF_PACKET, else at the network header, for UDP at its own.
 * `skb` is the packet itself, lent, for what else is known of it: its device (SKF_AD_IFINDEX and the like are Linux's way to ask).
 * Called on the packet path, in softirq: it must not throw, and not call the stack.
 */
export type SockFilter = (buf: Uint8Array, offset: number, length: number, wireLength: number, skb: SkBuff) => number;

/** Asks the sock's filter: the octets of skb (lent; made linear) that the user wants, 0 for none, skb.len without a filter. */
export function skRunFilter(sk: Sock, skb: SkBuff): number {
  const filter = sk.skFilter;
  if (filter === null) return skb.len;
  if (skbLinearize(skb) !== 0) return 0;
  const keep = filter(skb.buf, skb.data, skb.len, skb.len, skb);
  if (!(keep > 0)) return 0;
  return keep < skb.len ? Math.trunc(keep) : skb.len;
}

/** Cuts skb (lent) to what the sock's filter wants, at least `cap` octets (sk_filter_trim_cap). 0, or -EPERM: not for the user. */
export function skFilterTrimCap(sk: Sock, skb: SkBuff, cap: number): number {
  const keep = skRunFilter(sk, skb);
  if (keep === 0 && skb.len !== 0) return -EPERM;
  return pskbTrim(skb, Math.max(keep, cap));
}

/** SO_ATTACH_FILTER, SO_DETACH_FILTER and SO_LOCK_FILTER. 0, -EPERM once locked, -ENOENT with nothing to detach, -EINVAL, -EOPNOTSUPP. */
export function sockSetFilter(sk: Sock, name: number, value: SockOptValue): number {
  if (name === SO_ATTACH_FILTER) return skAttachFilter(sk, value);
  if (name === SO_DETACH_FILTER) return skDetachFilter(sk);
  if (typeof value !== 'number') return -EINVAL;
  if (sockFlag(sk, SOCK_FILTER_LOCKED)) return value === 0 ? -EPERM : 0;
  if (value !== 0) sockSetFlag(sk, SOCK_FILTER_LOCKED);
  return 0;
}

/** Deviation: a stream takes no filter: one that drops segments of a connection has no use. */
function skAttachFilter(sk: Sock, value: SockOptValue): number {
  if (typeof value !== 'function') return -EINVAL;
  if (sk.skType === SOCK_STREAM) return -EOPNOTSUPP;
  if (sockFlag(sk, SOCK_FILTER_LOCKED)) return -EPERM;
  sk.skFilter = value as SockFilter;
  return 0;
}

function skDetachFilter(sk: Sock): number {
  if (sockFlag(sk, SOCK_FILTER_LOCKED)) return -EPERM;
  if (sk.skFilter === null) return -ENOENT;
  sk.skFilter = null;
  return 0;
}
