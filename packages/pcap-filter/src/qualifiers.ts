// The three qualifiers of a primitive, as pcap-filter(7) has them: what the id is, in which direction, of which protocol.

/** Type of the id. */
export const Q_DEFAULT = 0;
export const Q_HOST = 1;
export const Q_NET = 2;
export const Q_PORT = 3;
export const Q_GATEWAY = 4;
export const Q_PROTO = 5;
export const Q_PROTOCHAIN = 6;
export const Q_PORTRANGE = 7;
/** No id may follow: of a primitive that has none. */
export const Q_UNDEF = 255;

/** Protocol. Q_DEFAULT: all that fit. */
export const Q_LINK = 1;
export const Q_IP = 2;
export const Q_ARP = 3;
export const Q_RARP = 4;
export const Q_SCTP = 5;
export const Q_TCP = 6;
export const Q_UDP = 7;
export const Q_ICMP = 8;
export const Q_IGMP = 9;
export const Q_IGRP = 10;
export const Q_ATALK = 11;
export const Q_DECNET = 12;
export const Q_LAT = 13;
export const Q_SCA = 14;
export const Q_MOPRC = 15;
export const Q_MOPDL = 16;
export const Q_IPV6 = 17;
export const Q_ICMPV6 = 18;
export const Q_AH = 19;
export const Q_ESP = 20;
export const Q_PIM = 21;
export const Q_VRRP = 22;
export const Q_AARP = 23;
export const Q_ISO = 24;
export const Q_ESIS = 25;
export const Q_ISIS = 26;
export const Q_CLNP = 27;
export const Q_STP = 28;
export const Q_IPX = 29;
export const Q_NETBEUI = 30;
export const Q_ISIS_L1 = 31;
export const Q_ISIS_L2 = 32;
export const Q_ISIS_IIH = 33;
export const Q_ISIS_SNP = 34;
export const Q_ISIS_CSNP = 35;
export const Q_ISIS_PSNP = 36;
export const Q_ISIS_LSP = 37;
export const Q_RADIO = 38;
export const Q_CARP = 39;

/** Direction. Q_DEFAULT is Q_OR. */
export const Q_SRC = 1;
export const Q_DST = 2;
export const Q_OR = 3;
export const Q_AND = 4;
/** Addresses of an 802.11 header. */
export const Q_ADDR1 = 5;
export const Q_ADDR2 = 6;
export const Q_ADDR3 = 7;
export const Q_ADDR4 = 8;
export const Q_RA = 9;
export const Q_TA = 10;

/** What stands before an id, and is passed on to the ids of its list. */
export interface Qualifiers {
  readonly addr: number;
  readonly proto: number;
  readonly dir: number;
}

/** Protocols by their word; the first word of a number is how it is named in errors. */
export const PROTOCOL_WORDS: ReadonlyMap<string, number> = new Map([
  ['link', Q_LINK], ['ether', Q_LINK], ['fddi', Q_LINK], ['tr', Q_LINK], ['wlan', Q_LINK], ['ppp', Q_LINK], ['slip', Q_LINK],
  ['ip', Q_IP], ['ip6', Q_IPV6], ['arp', Q_ARP], ['rarp', Q_RARP], ['tcp', Q_TCP], ['udp', Q_UDP], ['sctp', Q_SCTP],
  ['icmp', Q_ICMP], ['icmp6', Q_ICMPV6], ['igmp', Q_IGMP], ['igrp', Q_IGRP], ['pim', Q_PIM], ['vrrp', Q_VRRP], ['carp', Q_CARP],
  ['ah', Q_AH], ['esp', Q_ESP], ['radio', Q_RADIO],
  ['atalk', Q_ATALK], ['aarp', Q_AARP], ['decnet', Q_DECNET], ['lat', Q_LAT], ['sca', Q_SCA], ['moprc', Q_MOPRC], ['mopdl', Q_MOPDL],
  ['stp', Q_STP], ['ipx', Q_IPX], ['netbeui', Q_NETBEUI], ['iso', Q_ISO], ['esis', Q_ESIS], ['es-is', Q_ESIS], ['isis', Q_ISIS],
  ['is-is', Q_ISIS], ['clnp', Q_CLNP], ['l1', Q_ISIS_L1], ['l2', Q_ISIS_L2], ['iih', Q_ISIS_IIH], ['lsp', Q_ISIS_LSP],
  ['snp', Q_ISIS_SNP], ['csnp', Q_ISIS_CSNP], ['psnp', Q_ISIS_PSNP],
]);

/** The word of a protocol. */
export function protocolWord(proto: number): string {
  for (const [word, number] of PROTOCOL_WORDS) if (number === proto) return word;
  return 'this protocol';
}
