// Names that a filter may use for numbers: services, protocols, and offsets and values inside headers.
//
// What a machine has in /etc/services and /etc/protocols is a table here: the ones that people use in filters, by the numbers that
// IANA gave them. A page has no /etc, and the same filter means the same everywhere. Read first: pcap-filter(7).

export const IPPROTO_ICMP = 1;
export const IPPROTO_IGMP = 2;
export const IPPROTO_TCP = 6;
export const IPPROTO_IGRP = 9;
export const IPPROTO_UDP = 17;
export const IPPROTO_FRAGMENT = 44;
export const IPPROTO_ESP = 50;
export const IPPROTO_AH = 51;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_PIM = 103;
export const IPPROTO_VRRP = 112;
export const IPPROTO_SCTP = 132;
/** Of a service that several transports have: any. */
export const PROTO_UNDEF = -1;

const TCP = 1;
const UDP = 2;
const SCTP = 4;

const SERVICES: ReadonlyArray<readonly [name: string, port: number, transports: number]> = [
  ['tcpmux', 1, TCP], ['echo', 7, TCP | UDP], ['discard', 9, TCP | UDP], ['systat', 11, TCP], ['daytime', 13, TCP | UDP], ['netstat', 15, TCP],
  ['qotd', 17, TCP], ['chargen', 19, TCP | UDP], ['ftp-data', 20, TCP], ['ftp', 21, TCP], ['ssh', 22, TCP], ['telnet', 23, TCP], ['smtp', 25, TCP],
  ['time', 37, TCP | UDP], ['whois', 43, TCP], ['tacacs', 49, TCP | UDP], ['domain', 53, TCP | UDP], ['bootps', 67, UDP], ['bootpc', 68, UDP],
  ['tftp', 69, UDP], ['gopher', 70, TCP], ['finger', 79, TCP], ['http', 80, TCP], ['www', 80, TCP], ['kerberos', 88, TCP | UDP],
  ['iso-tsap', 102, TCP], ['pop3', 110, TCP], ['sunrpc', 111, TCP | UDP], ['auth', 113, TCP], ['ident', 113, TCP], ['nntp', 119, TCP],
  ['ntp', 123, UDP], ['epmap', 135, TCP], ['netbios-ns', 137, UDP], ['netbios-dgm', 138, UDP], ['netbios-ssn', 139, TCP], ['imap', 143, TCP],
  ['imap2', 143, TCP], ['snmp', 161, TCP | UDP], ['snmp-trap', 162, TCP | UDP], ['snmptrap', 162, TCP | UDP], ['xdmcp', 177, UDP], ['bgp', 179, TCP],
  ['ptp-event', 319, UDP], ['ptp-general', 320, UDP], ['ldap', 389, TCP | UDP], ['svrloc', 427, TCP | UDP], ['https', 443, TCP | UDP],
  ['microsoft-ds', 445, TCP], ['kpasswd', 464, TCP | UDP], ['submissions', 465, TCP], ['isakmp', 500, UDP], ['biff', 512, UDP], ['exec', 512, TCP],
  ['login', 513, TCP], ['who', 513, UDP], ['shell', 514, TCP], ['syslog', 514, TCP | UDP], ['printer', 515, TCP], ['talk', 517, UDP],
  ['ntalk', 518, UDP], ['route', 520, UDP], ['router', 520, UDP], ['uucp', 540, TCP], ['klogin', 543, TCP], ['kshell', 544, TCP],
  ['dhcpv6-client', 546, UDP], ['dhcpv6-server', 547, UDP], ['rtsp', 554, TCP | UDP], ['nntps', 563, TCP], ['submission', 587, TCP],
  ['ipp', 631, TCP], ['ldaps', 636, TCP | UDP], ['ldp', 646, TCP | UDP], ['domain-s', 853, TCP | UDP], ['rsync', 873, TCP], ['ftps-data', 989, TCP],
  ['ftps', 990, TCP], ['telnets', 992, TCP], ['imaps', 993, TCP], ['pop3s', 995, TCP], ['socks', 1080, TCP], ['openvpn', 1194, TCP | UDP],
  ['ms-sql-s', 1433, TCP], ['ms-sql-m', 1434, UDP], ['l2tp', 1701, UDP], ['radius', 1812, TCP | UDP], ['radius-acct', 1813, TCP | UDP],
  ['nfs', 2049, TCP | UDP], ['iscsi-target', 3260, TCP], ['mysql', 3306, TCP], ['ms-wbt-server', 3389, TCP], ['svn', 3690, TCP], ['epmd', 4369, TCP],
  ['ipsec-nat-t', 4500, UDP], ['iax', 4569, UDP], ['sip', 5060, TCP | UDP], ['sip-tls', 5061, TCP | UDP], ['xmpp-client', 5222, TCP],
  ['xmpp-server', 5269, TCP], ['mdns', 5353, UDP], ['postgresql', 5432, TCP], ['amqps', 5671, TCP], ['amqp', 5672, TCP | SCTP], ['x11', 6000, TCP],
  ['redis', 6379, TCP], ['syslog-tls', 6514, TCP], ['ircd', 6667, TCP], ['babel', 6696, UDP], ['ircs-u', 6697, TCP], ['http-alt', 8080, TCP],
  ['git', 9418, TCP],
];

/** A service's port, and the one transport that has it, or PROTO_UNDEF. */
export interface Service {
  readonly port: number;
  readonly protocol: number;
}

/** The service of this name; null if none is known. */
export function serviceByName(name: string): Service | null {
  const found = SERVICES.find(([known]) => known === name);
  if (found === undefined) return null;
  const [, port, transports] = found;
  if ((transports & TCP) !== 0 && (transports & UDP) !== 0) return { port, protocol: PROTO_UNDEF };
  // A service of SCTP and another is that other's: libpcap looks for SCTP last.
  if ((transports & TCP) !== 0) return { port, protocol: IPPROTO_TCP };
  return { port, protocol: (transports & UDP) !== 0 ? IPPROTO_UDP : IPPROTO_SCTP };
}

const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ['hopopt', 0], ['icmp', 1], ['igmp', 2], ['ggp', 3], ['ipencap', 4], ['st', 5], ['tcp', 6], ['egp', 8], ['igp', 9], ['pup', 12], ['udp', 17],
  ['hmp', 20], ['xns-idp', 22], ['rdp', 27], ['iso-tp4', 29], ['dccp', 33], ['xtp', 36], ['ddp', 37], ['idpr-cmtp', 38], ['ipv6', 41],
  ['ipv6-route', 43], ['ipv6-frag', 44], ['idrp', 45], ['rsvp', 46], ['gre', 47], ['esp', 50], ['ah', 51], ['skip', 57], ['ipv6-icmp', 58],
  ['ipv6-nonxt', 59], ['ipv6-opts', 60], ['rspf', 73], ['vmtp', 81], ['eigrp', 88], ['ospf', 89], ['ax.25', 93], ['ipip', 94], ['etherip', 97],
  ['encap', 98], ['pim', 103], ['ipcomp', 108], ['vrrp', 112], ['l2tp', 115], ['isis', 124], ['sctp', 132], ['fc', 133], ['mobility-header', 135],
  ['udplite', 136], ['mpls-in-ip', 137], ['manet', 138], ['hip', 139], ['shim6', 140], ['wesp', 141], ['rohc', 142], ['ethernet', 143], ['ip', 0],
]);

/** The IP protocol number of this name; -1 if it is not known. */
export function protocolByName(name: string): number {
  return PROTOCOLS.get(name) ?? -1;
}

/** EtherTypes, and, below 1,536, service access points of 802.2. */
export const ETHERTYPE_IP = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_RARP = 0x8035;
export const ETHERTYPE_IPV6 = 0x86dd;
export const ETHERTYPE_ATALK = 0x809b;
export const ETHERTYPE_AARP = 0x80f3;
export const ETHERTYPE_IPX = 0x8137;
export const ETHERTYPE_DN = 0x6003;
export const ETHERTYPE_LAT = 0x6004;
export const ETHERTYPE_SCA = 0x6007;
export const ETHERTYPE_MOPDL = 0x6001;
export const ETHERTYPE_MOPRC = 0x6002;
export const ETHERTYPE_8021Q = 0x8100;
export const ETHERTYPE_8021AD = 0x88a8;
export const ETHERTYPE_8021QINQ = 0x9100;
export const ETHERTYPE_MPLS = 0x8847;
export const ETHERTYPE_PPPOED = 0x8863;
export const ETHERTYPE_PPPOES = 0x8864;
export const LLCSAP_IP = 0x06;
export const LLCSAP_8021D = 0x42;
export const LLCSAP_IPX = 0xe0;
export const LLCSAP_NETBEUI = 0xf0;
export const LLCSAP_ISONS = 0xfe;

const ETHERTYPES: ReadonlyMap<string, number> = new Map([
  ['aarp', ETHERTYPE_AARP], ['arp', ETHERTYPE_ARP], ['atalk', ETHERTYPE_ATALK], ['decnet', ETHERTYPE_DN], ['ip', ETHERTYPE_IP],
  ['ip6', ETHERTYPE_IPV6], ['lat', ETHERTYPE_LAT], ['loopback', 0x9000], ['mopdl', ETHERTYPE_MOPDL], ['moprc', ETHERTYPE_MOPRC],
  ['rarp', ETHERTYPE_RARP], ['sca', ETHERTYPE_SCA], ['iso', LLCSAP_ISONS], ['stp', LLCSAP_8021D], ['ipx', LLCSAP_IPX],
  ['netbeui', LLCSAP_NETBEUI],
]);

/** The EtherType or service access point of this name; -1 if it is not known. */
export function ethertypeByName(name: string): number {
  return ETHERTYPES.get(name) ?? -1;
}

export const ISO8473_CLNP = 0x81;
export const ISO9542_ESIS = 0x82;
export const ISO10589_ISIS = 0x83;

const OSI_PROTOCOLS: ReadonlyMap<string, number> = new Map([['clnp', ISO8473_CLNP], ['esis', ISO9542_ESIS], ['isis', ISO10589_ISIS]]);

/** The OSI network-layer protocol of this name; -1 if it is not known. */
export function osiProtocolByName(name: string): number {
  return OSI_PROTOCOLS.get(name) ?? -1;
}

/** Offsets and values that have a name: a number wherever a number may stand. */
export const NUMBER_WORDS: ReadonlyMap<string, number> = new Map([
  ['icmptype', 0], ['icmpcode', 1], ['icmp6type', 0], ['icmp6code', 1], ['tcpflags', 13],
  ['icmp-echoreply', 0], ['icmp-unreach', 3], ['icmp-sourcequench', 4], ['icmp-redirect', 5], ['icmp-echo', 8],
  ['icmp-routeradvert', 9], ['icmp-routersolicit', 10], ['icmp-timxceed', 11], ['icmp-paramprob', 12], ['icmp-tstamp', 13],
  ['icmp-tstampreply', 14], ['icmp-ireq', 15], ['icmp-ireqreply', 16], ['icmp-maskreq', 17], ['icmp-maskreply', 18],
  ['icmp6-destinationunreach', 1], ['icmp6-packettoobig', 2], ['icmp6-timeexceeded', 3], ['icmp6-parameterproblem', 4],
  ['icmp6-echo', 128], ['icmp6-echoreply', 129], ['icmp6-multicastlistenerquery', 130], ['icmp6-multicastlistenerreportv1', 131],
  ['icmp6-multicastlistenerdone', 132], ['icmp6-routersolicit', 133], ['icmp6-routeradvert', 134], ['icmp6-neighborsolicit', 135],
  ['icmp6-neighboradvert', 136], ['icmp6-redirect', 137], ['icmp6-routerrenum', 138], ['icmp6-nodeinformationquery', 139],
  ['icmp6-nodeinformationresponse', 140], ['icmp6-ineighbordiscoverysolicit', 141], ['icmp6-ineighbordiscoveryadvert', 142],
  ['icmp6-multicastlistenerreportv2', 143], ['icmp6-homeagentdiscoveryrequest', 144], ['icmp6-homeagentdiscoveryreply', 145],
  ['icmp6-mobileprefixsolicit', 146], ['icmp6-mobileprefixadvert', 147], ['icmp6-certpathsolicit', 148], ['icmp6-certpathadvert', 149],
  ['icmp6-multicastrouteradvert', 151], ['icmp6-multicastroutersolicit', 152], ['icmp6-multicastrouterterm', 153],
  ['tcp-fin', 0x01], ['tcp-syn', 0x02], ['tcp-rst', 0x04], ['tcp-push', 0x08], ['tcp-ack', 0x10], ['tcp-urg', 0x20],
  ['tcp-ece', 0x40], ['tcp-cwr', 0x80],
]);

/** PDUs of 802.2 by name: value and mask of the control field. */
export const LLC_WORDS: ReadonlyMap<string, readonly [value: number, mask: number]> = new Map([
  ['s', [0x01, 0x03]], ['u', [0x03, 0x03]], ['rr', [0x01, 0x0f]], ['rnr', [0x05, 0x0f]], ['rej', [0x09, 0x0f]],
  ['ui', [0x03, 0xef]], ['ua', [0x63, 0xef]], ['disc', [0x43, 0xef]], ['sabme', [0x6f, 0xef]], ['test', [0xe3, 0xef]],
  ['xid', [0xaf, 0xef]], ['frmr', [0x87, 0xef]],
]);
