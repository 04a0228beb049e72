// Tests on protocols: `tcp`, `ip proto 47`, `ether proto 0x88cc`, `iso proto \clnp`.
//
// gen_proto_abbrev and gen_proto of libpcap. IPv6 is asked for its next header, and behind a fragment header for the one there;
// no other header is passed over. Read first: RFC 791 §3.1, RFC 8200 §3 and §4.5, ISO 10589 §9.

import { BPF_B, BPF_H } from './bpf.ts';
import { and, anyOf, or, type Condition } from './condition.ts';
import { equals, wrong, OR_LINKPL, OR_LINKPL_NOSNAP, OR_LINKTYPE, type Gen } from './gen-state.ts';
import { FRELAY_UI, linkType } from './gen-link.ts';
import type { Token } from './lexer.ts';
import { LINKTYPE_C_HDLC, LINKTYPE_FRELAY } from './link-types.ts';
import {
  ETHERTYPE_AARP, ETHERTYPE_ARP, ETHERTYPE_ATALK, ETHERTYPE_DN, ETHERTYPE_IP, ETHERTYPE_IPV6, ETHERTYPE_LAT, ETHERTYPE_MOPDL, ETHERTYPE_MOPRC,
  ETHERTYPE_RARP, ETHERTYPE_SCA, IPPROTO_AH, IPPROTO_ESP, IPPROTO_FRAGMENT, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_IGMP, IPPROTO_IGRP, IPPROTO_PIM,
  IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_VRRP, ISO10589_ISIS, ISO8473_CLNP, ISO9542_ESIS, LLCSAP_8021D, LLCSAP_IPX, LLCSAP_ISONS, LLCSAP_NETBEUI,
} from './names.ts';
import {
  Q_AARP, Q_AH, Q_ARP, Q_ATALK, Q_CARP, Q_CLNP, Q_DECNET, Q_DEFAULT, Q_ESIS, Q_ESP, Q_ICMP, Q_ICMPV6, Q_IGMP, Q_IGRP, Q_IP, Q_IPV6, Q_IPX, Q_ISIS,
  Q_ISIS_CSNP, Q_ISIS_IIH, Q_ISIS_L1, Q_ISIS_L2, Q_ISIS_LSP, Q_ISIS_PSNP, Q_ISIS_SNP, Q_ISO, Q_LAT, Q_LINK, Q_MOPDL, Q_MOPRC, Q_NETBEUI, Q_PIM,
  Q_RARP, Q_SCA, Q_SCTP, Q_STP, Q_TCP, Q_UDP, Q_VRRP, protocolWord,
} from './qualifiers.ts';

/** Protocols that are a type of the link layer's payload. */
const LINK_TYPES: ReadonlyMap<number, number> = new Map([
  [Q_IP, ETHERTYPE_IP], [Q_IPV6, ETHERTYPE_IPV6], [Q_ARP, ETHERTYPE_ARP], [Q_RARP, ETHERTYPE_RARP], [Q_ATALK, ETHERTYPE_ATALK], [Q_AARP, ETHERTYPE_AARP],
  [Q_DECNET, ETHERTYPE_DN], [Q_LAT, ETHERTYPE_LAT], [Q_SCA, ETHERTYPE_SCA], [Q_MOPDL, ETHERTYPE_MOPDL], [Q_MOPRC, ETHERTYPE_MOPRC], [Q_ISO, LLCSAP_ISONS],
  [Q_STP, LLCSAP_8021D], [Q_IPX, LLCSAP_IPX], [Q_NETBEUI, LLCSAP_NETBEUI],
]);

/** Protocols of IP: where they are carried (Q_DEFAULT: IPv4 and IPv6), and their number. */
const IP_PROTOCOLS: ReadonlyMap<number, readonly [carrier: number, protocol: number]> = new Map([
  [Q_TCP, [Q_DEFAULT, IPPROTO_TCP]], [Q_UDP, [Q_DEFAULT, IPPROTO_UDP]], [Q_SCTP, [Q_DEFAULT, IPPROTO_SCTP]], [Q_AH, [Q_DEFAULT, IPPROTO_AH]],
  [Q_ESP, [Q_DEFAULT, IPPROTO_ESP]], [Q_PIM, [Q_DEFAULT, IPPROTO_PIM]], [Q_ICMP, [Q_IP, IPPROTO_ICMP]], [Q_IGMP, [Q_IP, IPPROTO_IGMP]],
  [Q_IGRP, [Q_IP, IPPROTO_IGRP]], [Q_VRRP, [Q_IP, IPPROTO_VRRP]], [Q_CARP, [Q_IP, IPPROTO_VRRP]], [Q_ICMPV6, [Q_IPV6, IPPROTO_ICMPV6]],
  [Q_ESIS, [Q_ISO, ISO9542_ESIS]], [Q_ISIS, [Q_ISO, ISO10589_ISIS]], [Q_CLNP, [Q_ISO, ISO8473_CLNP]],
]);

/** PDU types of IS-IS, by what names them, in the order of their tests. */
const ISIS_PDUS: ReadonlyMap<number, readonly [number, ...number[]]> = new Map([
  [Q_ISIS_L1, [26, 24, 18, 15, 17]], [Q_ISIS_L2, [27, 25, 20, 16, 17]], [Q_ISIS_IIH, [17, 15, 16]], [Q_ISIS_LSP, [18, 20]],
  [Q_ISIS_SNP, [27, 26, 24, 25]], [Q_ISIS_CSNP, [24, 25]], [Q_ISIS_PSNP, [26, 27]],
]);

/** Whether a packet is of protocol `proto`, a Q_. */
export function protocol(gen: Gen, proto: number, word: Token): Condition {
  const type = LINK_TYPES.get(proto);
  if (type !== undefined) return linkType(gen, type, word);
  const carried = IP_PROTOCOLS.get(proto);
  if (carried !== undefined) return protocolNumber(gen, carried[0], carried[1], word);
  const pdus = ISIS_PDUS.get(proto);
  if (pdus === undefined) throw wrong(gen, word, `'${word.text}' is true of every packet: expected host, proto or an offset behind it`);
  const [first, ...more] = pdus;
  return anyOf(isisPdu(gen, first, word), more.map((pdu) => isisPdu(gen, pdu, word)));
}

function isisPdu(gen: Gen, pdu: number, word: Token): Condition {
  return protocolNumber(gen, Q_ISIS, pdu, word);
}

/** Whether a packet of `carrier`, a Q_, carries protocol `number`. */
export function protocolNumber(gen: Gen, carrier: number, number: number, word: Token): Condition {
  switch (carrier) {
    case Q_DEFAULT: return or(protocolNumber(gen, Q_IP, number, word), protocolNumber(gen, Q_IPV6, number, word));
    case Q_LINK: return linkType(gen, number, word);
    case Q_IP: return and(linkType(gen, ETHERTYPE_IP, word), equals(gen, OR_LINKPL, 9, BPF_B, number));
    case Q_IPV6: return and(linkType(gen, ETHERTYPE_IPV6, word), nextHeader(gen, number));
    case Q_ISO:
      // In frame relay the link layer's identifier is OSI's; HDLC has an octet of padding between its header and an OSI packet.
      if (gen.linkType === LINKTYPE_FRELAY) return equals(gen, OR_LINKTYPE, 0, BPF_H, (FRELAY_UI << 8) | number);
      if (gen.linkType === LINKTYPE_C_HDLC) return and(linkType(gen, LLCSAP_ISONS, word), equals(gen, OR_LINKPL_NOSNAP, 1, BPF_B, number));
      return and(linkType(gen, LLCSAP_ISONS, word), equals(gen, OR_LINKPL_NOSNAP, 0, BPF_B, number));
    case Q_ISIS: return and(protocolNumber(gen, Q_ISO, ISO10589_ISIS, word), equals(gen, OR_LINKPL_NOSNAP, 4, BPF_B, number));
    default: throw wrong(gen, word, `'${protocolWord(carrier)}' does not encapsulate another protocol`);
  }
}

function nextHeader(gen: Gen, number: number): Condition {
  const inFragment = and(equals(gen, OR_LINKPL, 6, BPF_B, IPPROTO_FRAGMENT), equals(gen, OR_LINKPL, 40, BPF_B, number));
  return or(equals(gen, OR_LINKPL, 6, BPF_B, number), inFragment);
}
