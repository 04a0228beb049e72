// Tests on the type of a frame's payload, for each link type, and on link-layer addresses.
//
// gen_linktype of libpcap: `type` is an EtherType, or, up to 1,500, a service access point of 802.2, as in an Ethernet header.
// Read first: IEEE 802.3 (length or type), IEEE 802.2 (LLC and SNAP), RFC 1661 (PPP).

import { BPF_B, BPF_H, BPF_W } from './bpf.ts';
import { and, not, or, type Condition } from './condition.ts';
import { always, anyBit, equals, greater, octetsAt, snap, wrong, OR_LINKHDR, OR_LINKPL, OR_LINKTYPE, OR_LLC, type Gen } from './gen-state.ts';
import { dataFrame, wlanDestination, wlanSource, wlanType } from './gen-wlan.ts';
import type { Token } from './lexer.ts';
import {
  LINKTYPE_C_HDLC, LINKTYPE_ETHERNET, LINKTYPE_FRELAY, LINKTYPE_IEEE802_11, LINKTYPE_IEEE802_11_RADIOTAP, LINKTYPE_IPNET, LINKTYPE_IPV4, LINKTYPE_IPV6,
  LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2, LINKTYPE_LOOP, LINKTYPE_NULL, LINKTYPE_PPP, LINKTYPE_PPP_HDLC, LINKTYPE_RAW, linkTypeName,
} from './link-types.ts';
import {
  ETHERTYPE_AARP, ETHERTYPE_ATALK, ETHERTYPE_DN, ETHERTYPE_IP, ETHERTYPE_IPV6, ETHERTYPE_IPX, ISO10589_ISIS, ISO8473_CLNP, ISO9542_ESIS,
  LLCSAP_8021D, LLCSAP_IP, LLCSAP_IPX, LLCSAP_ISONS, LLCSAP_NETBEUI,
} from './names.ts';
import { Q_AND, Q_DEFAULT, Q_DST, Q_OR, Q_SRC } from './qualifiers.ts';

/** Longest payload of an 802.3 frame: what is larger in its place is an EtherType. */
const ETHERMTU = 1500;
/** Types in a cooked header for frames without an EtherType. */
const LINUX_SLL_P_802_3 = 1;
const LINUX_SLL_P_802_2 = 4;

const AF_INET = 2;
/** AF_INET6 where captures with a loopback header come from: macOS; NetBSD and OpenBSD; FreeBSD. */
const AF_INET6S: readonly [number, number, number] = [30, 24, 28];

const SOLARIS_AF_INET6 = 26;

/** Frame relay's control octet: unnumbered information. */
export const FRELAY_UI = 0x03;
/** Identifiers of ISO/IEC TR 9577. */
const NLPID_IP = 0xcc;
const NLPID_IP6 = 0x8e;

const PPP_PROTOCOLS: ReadonlyMap<number, number> = new Map([
  [ETHERTYPE_IP, 0x21], [ETHERTYPE_IPV6, 0x57], [ETHERTYPE_DN, 0x27], [ETHERTYPE_ATALK, 0x29], [0x0600, 0x25], [LLCSAP_ISONS, 0x23], [LLCSAP_8021D, 0x31],
  [LLCSAP_IPX, 0x2b],
]);

/** Whether the frame's payload is of this type. `word` is for errors. */
export function linkType(gen: Gen, type: number, word: Token): Condition {
  if (gen.labelStackDepth > 0) return underMpls(gen, type, word);
  switch (gen.linkType) {
    case LINKTYPE_ETHERNET: return ethernetType(gen, type);
    case LINKTYPE_LINUX_SLL: return cookedType(gen, type);
    case LINKTYPE_LINUX_SLL2: return equals(gen, OR_LINKTYPE, 0, BPF_H, type);
    case LINKTYPE_RAW: return rawType(gen, type);
    case LINKTYPE_IPV4: return always(type === ETHERTYPE_IP);
    case LINKTYPE_IPV6: return always(type === ETHERTYPE_IPV6);
    case LINKTYPE_NULL:
    case LINKTYPE_LOOP: return loopbackType(gen, type);
    case LINKTYPE_IEEE802_11:
    case LINKTYPE_IEEE802_11_RADIOTAP: return wlanType(gen, type);
    case LINKTYPE_C_HDLC: return equals(gen, OR_LINKTYPE, 0, BPF_H, type === LLCSAP_ISONS ? 0xfefe : type);
    case LINKTYPE_PPP:
    case LINKTYPE_PPP_HDLC: return equals(gen, OR_LINKTYPE, 0, BPF_H, PPP_PROTOCOLS.get(type) ?? type);
    case LINKTYPE_FRELAY: return frameRelayType(gen, type);
    case LINKTYPE_IPNET: return ipnetType(gen, type);
    default: throw wrong(gen, word, `in packets of link type ${linkTypeName(gen.linkType)} only 'len', 'less', 'greater' and 'link[…]' can be tested`);
  }
}

function ethernetType(gen: Gen, type: number): Condition {
  const framed = not(greater(gen, OR_LINKTYPE, 0, BPF_H, ETHERMTU));
  switch (type) {
    case LLCSAP_ISONS:
    case LLCSAP_IP:
    case LLCSAP_NETBEUI: return and(framed, equals(gen, OR_LLC, 0, BPF_H, (type << 8) | type));
    case LLCSAP_IPX: return or(equals(gen, OR_LINKTYPE, 0, BPF_H, ETHERTYPE_IPX), and(framed, or(snap(gen, 0, ETHERTYPE_IPX), ipxSap(gen))));
    case ETHERTYPE_ATALK: return or(equals(gen, OR_LINKTYPE, 0, BPF_H, type), and(framed, snap(gen, 0x080007, type)));
    case ETHERTYPE_AARP: return or(equals(gen, OR_LINKTYPE, 0, BPF_H, type), and(framed, snap(gen, 0, type)));
    default:
      if (type <= ETHERMTU) return and(framed, equals(gen, OR_LLC, 0, BPF_B, type));
      return equals(gen, OR_LINKTYPE, 0, BPF_H, type);
  }
}

/** IPX right behind 802.3: by its access point, or raw, by its checksum of all ones. */
function ipxSap(gen: Gen): Condition {
  return or(equals(gen, OR_LLC, 0, BPF_B, LLCSAP_IPX), equals(gen, OR_LLC, 0, BPF_H, 0xffff));
}

function cookedType(gen: Gen, type: number): Condition {
  const framed = equals(gen, OR_LINKTYPE, 0, BPF_H, LINUX_SLL_P_802_2);
  switch (type) {
    case LLCSAP_ISONS:
    case LLCSAP_IP:
    case LLCSAP_NETBEUI: return and(framed, equals(gen, OR_LLC, 0, BPF_H, (type << 8) | type));
    case LLCSAP_IPX: {
      const llc = and(framed, or(equals(gen, OR_LLC, 0, BPF_B, LLCSAP_IPX), snap(gen, 0, ETHERTYPE_IPX)));
      return or(equals(gen, OR_LINKTYPE, 0, BPF_H, ETHERTYPE_IPX), or(equals(gen, OR_LINKTYPE, 0, BPF_H, LINUX_SLL_P_802_3), llc));
    }
    case ETHERTYPE_ATALK: return or(equals(gen, OR_LINKTYPE, 0, BPF_H, type), and(framed, snap(gen, 0x080007, type)));
    case ETHERTYPE_AARP: return or(equals(gen, OR_LINKTYPE, 0, BPF_H, type), and(framed, snap(gen, 0, type)));
    default:
      if (type <= ETHERMTU) return and(framed, equals(gen, OR_LLC, 0, BPF_B, type));
      return equals(gen, OR_LINKTYPE, 0, BPF_H, type);
  }
}

/** Unnumbered information behind a two-octet address, then the network layer's protocol identifier; all of OSI's are ISO's. */
function frameRelayType(gen: Gen, type: number): Condition {
  const nlpid = (id: number): Condition => equals(gen, OR_LINKTYPE, 0, BPF_H, (FRELAY_UI << 8) | id);
  switch (type) {
    case ETHERTYPE_IP: return nlpid(NLPID_IP);
    case ETHERTYPE_IPV6: return nlpid(NLPID_IP6);
    case LLCSAP_ISONS: return or(nlpid(ISO8473_CLNP), or(nlpid(ISO9542_ESIS), nlpid(ISO10589_ISIS)));
    default: return always(false);
  }
}

/** Solaris' header has the address family as Solaris numbers it. */
function ipnetType(gen: Gen, type: number): Condition {
  if (type !== ETHERTYPE_IP && type !== ETHERTYPE_IPV6) return always(false);
  return equals(gen, OR_LINKTYPE, 0, BPF_B, type === ETHERTYPE_IP ? AF_INET : SOLARIS_AF_INET6);
}

/** Without a link layer, the version tells. */
function rawType(gen: Gen, type: number): Condition {
  if (type !== ETHERTYPE_IP && type !== ETHERTYPE_IPV6) return always(false);
  return equals(gen, OR_LINKHDR, 0, BPF_B, type === ETHERTYPE_IP ? 0x40 : 0x60, 0xf0);
}

function loopbackType(gen: Gen, type: number): Condition {
  if (type === ETHERTYPE_IP) return loopbackFamily(gen, AF_INET);
  if (type !== ETHERTYPE_IPV6) return always(false);
  const [darwin, bsd, freebsd] = AF_INET6S;
  return or(loopbackFamily(gen, darwin), or(loopbackFamily(gen, bsd), loopbackFamily(gen, freebsd)));
}

/** The family is in the byte order of the machine that captured with NULL, in network order with LOOP. */
function loopbackFamily(gen: Gen, family: number): Condition {
  return equals(gen, OR_LINKHDR, 0, BPF_W, gen.linkType === LINKTYPE_LOOP || gen.swapped ? family : family << 24);
}

/** Only the bottom of a stack of labels has a network layer below, and its version is all that tells which. */
function underMpls(gen: Gen, type: number, word: Token): Condition {
  if (type !== ETHERTYPE_IP && type !== ETHERTYPE_IPV6) throw wrong(gen, word, 'under MPLS only ip and ip6 can be told apart');
  const bottom = equals(gen, OR_LINKPL, -2, BPF_B, 0x01, 0x01);
  return and(bottom, equals(gen, OR_LINKPL, 0, BPF_B, type === ETHERTYPE_IP ? 0x40 : 0x60, 0xf0));
}

/** Whether a link-layer address is `octets`. */
export function etherHost(gen: Gen, octets: readonly number[], dir: number, word: Token): Condition {
  switch (dir) {
    case Q_SRC: return etherSource(gen, octets, word);
    case Q_DST: return etherDestination(gen, octets, word);
    case Q_AND: return and(etherSource(gen, octets, word), etherDestination(gen, octets, word));
    case Q_DEFAULT:
    case Q_OR: return or(etherSource(gen, octets, word), etherDestination(gen, octets, word));
    default: throw wrong(gen, word, "'addr1' to 'addr4', 'ra' and 'ta' are not supported");
  }
}

function etherSource(gen: Gen, octets: readonly number[], word: Token): Condition {
  if (isWlan(gen)) return wlanSource(gen, octets);
  requireEthernet(gen, word, 'link-layer addresses are');
  return octetsAt(gen, OR_LINKHDR, 6, octets);
}

function etherDestination(gen: Gen, octets: readonly number[], word: Token): Condition {
  if (isWlan(gen)) return wlanDestination(gen, (offset) => octetsAt(gen, OR_LINKHDR, offset, octets));
  requireEthernet(gen, word, 'link-layer addresses are');
  return octetsAt(gen, OR_LINKHDR, 0, octets);
}

/** Whether the frame goes to all. */
export function linkBroadcast(gen: Gen, word: Token): Condition {
  return etherDestination(gen, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff], word);
}

/** Whether the frame goes to a group. */
export function linkMulticast(gen: Gen, word: Token): Condition {
  if (isWlan(gen)) return wlanDestination(gen, (offset) => anyBit(gen, OR_LINKHDR, offset, BPF_B, 1));
  requireEthernet(gen, word, 'multicast is');
  return anyBit(gen, OR_LINKHDR, 0, BPF_B, 1);
}

/** Frames whose payload begins with 802.2: of at most ETHERMTU octets, and not raw IPX; of 802.11, those with data. */
export function llcFrame(gen: Gen, word: Token): Condition {
  if (isWlan(gen)) return dataFrame(gen);
  requireEthernet(gen, word, "'llc' is");
  return and(not(greater(gen, OR_LINKTYPE, 0, BPF_H, ETHERMTU)), not(equals(gen, OR_LLC, 0, BPF_H, 0xffff)));
}

function requireEthernet(gen: Gen, word: Token, what: string): void {
  if (gen.linkType !== LINKTYPE_ETHERNET) throw wrong(gen, word, `${what} known on Ethernet and 802.11 only`);
}

/** 802.11 in any of its framings. */
export function isWlan(gen: Gen): boolean {
  return gen.linkType === LINKTYPE_IEEE802_11 || gen.linkType === LINKTYPE_IEEE802_11_RADIOTAP;
}
