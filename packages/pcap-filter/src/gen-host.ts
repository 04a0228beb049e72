// Tests on network addresses: `host`, `src net 10.0.0.0/8`, `ip6 host ::1`, and on groups of them: `ip broadcast`.
//
// gen_host, gen_host6 and gen_dnhostop of libpcap. Without a protocol an IPv4 address is looked for in ARP and RARP, too.
// Read first: RFC 791 §3.1, RFC 826, RFC 8200 §3.

import { BPF_B, BPF_H, BPF_W } from './bpf.ts';
import { and, or, type Condition } from './condition.ts';
import { linkBroadcast, linkMulticast, linkType } from './gen-link.ts';
import { atLeast, equals, wrong, OR_LINKPL, type Gen } from './gen-state.ts';
import type { Token } from './lexer.ts';
import { ETHERTYPE_ARP, ETHERTYPE_DN, ETHERTYPE_IP, ETHERTYPE_IPV6, ETHERTYPE_RARP } from './names.ts';
import { Q_AND, Q_ARP, Q_DECNET, Q_DEFAULT, Q_DST, Q_IP, Q_IPV6, Q_LINK, Q_NET, Q_OR, Q_RARP, Q_SRC, protocolWord, type Qualifiers } from './qualifiers.ts';

/** Offsets of the source and the destination in a header; ARP has addresses of hardware and protocol in turns. */
type Places = readonly [source: number, destination: number];
const IN_IP: Places = [12, 16];
const IN_ARP: Places = [14, 24];
const IN_IP6: Places = [8, 24];

/** Whether an IPv4 address under `mask` is `address`, as `qualifiers` say. */
export function host(gen: Gen, address: number, mask: number, qualifiers: Qualifiers, word: Token): Condition {
  const { proto, dir } = qualifiers;
  const of = (type: number, places: Places): Condition => hostIn(gen, address, mask, dir, type, places, word);
  switch (proto) {
    case Q_DEFAULT: {
      const ip = of(ETHERTYPE_IP, IN_IP);
      // Under MPLS ARP cannot be told.
      if (gen.labelStackDepth > 0) return ip;
      return or(or(ip, of(ETHERTYPE_ARP, IN_ARP)), of(ETHERTYPE_RARP, IN_ARP));
    }
    case Q_IP: return of(ETHERTYPE_IP, IN_IP);
    case Q_ARP: return of(ETHERTYPE_ARP, IN_ARP);
    case Q_RARP: return of(ETHERTYPE_RARP, IN_ARP);
    case Q_DECNET: return decnetHost(gen, address, dir, word);
    default: throw misapplied(gen, qualifiers, word, 'an IPv4 address');
  }
}

function hostIn(gen: Gen, address: number, mask: number, dir: number, type: number, places: Places, word: Token): Condition {
  return inDirection(gen, dir, word, (end) => and(linkType(gen, type, word), equals(gen, OR_LINKPL, places[end]!, BPF_W, address, mask)));
}

/** Whether an IPv6 address under `mask` is `address`: four words each. */
export function host6(gen: Gen, address: readonly number[], mask: readonly number[], qualifiers: Qualifiers, word: Token): Condition {
  if (qualifiers.proto !== Q_DEFAULT && qualifiers.proto !== Q_IPV6) throw misapplied(gen, qualifiers, word, 'an IPv6 address');
  return inDirection(gen, qualifiers.dir, word, (end) => {
    const words = address.map((value, i) => equals(gen, OR_LINKPL, IN_IP6[end]! + 4 * i, BPF_W, value, mask[i]!));
    return and(linkType(gen, ETHERTYPE_IPV6, word), words.reduceRight((rest, one) => and(one, rest)));
  });
}

/** `at` the source, the destination, either or both. */
function inDirection(gen: Gen, dir: number, word: Token, at: (end: 0 | 1) => Condition): Condition {
  switch (dir) {
    case Q_SRC: return at(0);
    case Q_DST: return at(1);
    case Q_AND: return and(at(0), at(1));
    case Q_DEFAULT:
    case Q_OR: return or(at(0), at(1));
    default: throw wrong(gen, word, "'addr1' to 'addr4', 'ra' and 'ta' are link-layer addresses");
  }
}

function misapplied(gen: Gen, qualifiers: Qualifiers, word: Token, what: string): Error {
  const id = qualifiers.addr === Q_NET ? 'a network' : what;
  return wrong(gen, word, `'${protocolWord(qualifiers.proto)}' cannot qualify ${id}: expected ip, ip6, arp, rarp or nothing before it`);
}

/**
 * A DECnet node: area in the upper 6 bits, as `10.123`. Its packets have a short or a long header, and perhaps an octet of padding
 * before it, which the first octets of the packet tell; numbers are in little-endian order.
 */
function decnetHost(gen: Gen, address: number, dir: number, word: Token): Condition {
  const little = ((address & 0xff) << 8) | ((address >> 8) & 0xff);
  if (dir === Q_AND) return and(decnetHost(gen, address, Q_SRC, word), decnetHost(gen, address, Q_DST, word));
  if (dir === Q_OR || dir === Q_DEFAULT) return or(decnetHost(gen, address, Q_SRC, word), decnetHost(gen, address, Q_DST, word));
  if (dir !== Q_SRC && dir !== Q_DST) throw wrong(gen, word, "'addr1' to 'addr4', 'ra' and 'ta' are link-layer addresses");
  const [long, short] = dir === Q_SRC ? [15, 3] : [7, 1];
  const decnet = linkType(gen, ETHERTYPE_DN, word);
  const paddedLong = and(equals(gen, OR_LINKPL, 2, BPF_H, 0x8106, 0xff07), equals(gen, OR_LINKPL, 2 + long + 1, BPF_H, little));
  const plainLong = and(equals(gen, OR_LINKPL, 2, BPF_B, 0x06, 0x07), equals(gen, OR_LINKPL, 2 + long, BPF_H, little));
  const paddedShort = and(equals(gen, OR_LINKPL, 2, BPF_H, 0x8102, 0xff07), equals(gen, OR_LINKPL, 2 + short + 1, BPF_H, little));
  const plainShort = and(equals(gen, OR_LINKPL, 2, BPF_B, 0x02, 0x07), equals(gen, OR_LINKPL, 2 + short, BPF_H, little));
  return and(decnet, or(plainShort, or(paddedShort, or(plainLong, paddedLong))));
}

/** `broadcast`, `ether broadcast`, `ip broadcast`: of IP, to the all-zeroes or all-ones host of the network that the netmask says. */
export function broadcast(gen: Gen, proto: number, word: Token): Condition {
  if (proto === Q_DEFAULT || proto === Q_LINK) return linkBroadcast(gen, word);
  if (proto !== Q_IP) throw wrong(gen, word, `'${protocolWord(proto)}' has no broadcast: expected ether, ip or nothing before it`);
  const hosts = ~gen.netmask;
  const destinationIs = (value: number): Condition => equals(gen, OR_LINKPL, 16, BPF_W, value, hosts);
  return and(linkType(gen, ETHERTYPE_IP, word), or(destinationIs(0), destinationIs(hosts)));
}

/** `multicast`, `ether multicast`, `ip multicast`, `ip6 multicast`. */
export function multicast(gen: Gen, proto: number, word: Token): Condition {
  switch (proto) {
    case Q_DEFAULT:
    case Q_LINK: return linkMulticast(gen, word);
    // 240.0.0.0/4 and the broadcast address count.
    case Q_IP: return and(linkType(gen, ETHERTYPE_IP, word), atLeast(gen, OR_LINKPL, 16, BPF_B, 224));
    case Q_IPV6: return and(linkType(gen, ETHERTYPE_IPV6, word), equals(gen, OR_LINKPL, 24, BPF_B, 255));
    default: throw wrong(gen, word, `'${protocolWord(proto)}' has no multicast: expected ether, ip, ip6 or nothing before it`);
  }
}
