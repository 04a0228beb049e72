// Filters for the comparison with tcpdump: ones that people use, and ones made at random from the grammar.
import fc from 'fast-check';

/** Filters of every kind of primitive. */
export const NAMED_FILTERS: readonly string[] = [
  'tcp', 'udp', 'icmp', 'icmp6', 'arp', 'ip', 'ip6', 'not ip', 'tcp port 80', 'port 53', 'port 53 or 5353', 'udp port domain',
  'tcp dst port http', 'src port 67 or dst port 68', 'portrange 1-1023', 'tcp portrange 20-http', 'not port 53 and udp', 'host 10.0.0.1',
  'net 192.168.0.0/16', 'net 10', 'src net 192.168', 'dst host 224.0.0.5', 'net 224.0.0.0 mask 240.0.0.0', 'src or dst net 172.16.0.0/12',
  'src and dst net 10.0.0.0/8', 'ip6 host fe80::1', 'ip6 net fe80::/10', 'net 2001:db8::/32', 'ether host 00:00:00:00:00:00', 'ether[0] & 1 = 1',
  'broadcast', 'multicast', 'ether multicast and not broadcast', 'ip multicast', 'ip6 multicast', 'ip broadcast', 'vlan', 'vlan 100', 'vlan and ip', 'vlan and vlan',
  'mpls', 'mpls and ip', 'mpls and mpls and ip6', 'mpls 16 or udp', 'pppoes', 'pppoes and ip', 'pppoes and ip6 and udp', 'pppoed', 'less 100', 'greater 500',
  'len >= 60 and len <= 128', 'ip proto 89', 'proto 47', 'proto \\ospf', 'ip6 proto 58', 'ip6 proto \\udp', 'ether proto 0x88cc', 'ether proto \\ip6 or \\arp', 'tcp[tcpflags] & tcp-syn != 0',
  'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net 10', 'tcp[13] = 2 or tcp[13] = 18', 'icmp[icmptype] = icmp-echo or icmp[icmptype] = icmp-echoreply',
  'icmp6[icmp6type] = icmp6-neighborsolicit', 'ip[6:2] & 0x1fff != 0', 'ip[0] & 0xf > 5', 'udp[4:2] > 100', 'ip[8] < 64', 'tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)',
  'not (tcp or udp) and ip', 'not udp[8] = 1', 'not tcp[200] = 1', 'ether[len - 1] = 0', 'ip[2:2] > len', 'ip[ip[9]] = 0', 'iso', 'isis', 'clnp or esis', 'l1', 'stp', 'ipx', 'atalk', 'aarp', 'netbeui',
  'decnet', 'decnet src 1.1', 'llc', 'llc ui', 'lat or moprc or mopdl or sca', 'rarp', 'igmp or pim or vrrp', 'esp or ah', 'sctp', 'sctp port 2905', 'arp[6:2] = 1', 'arp net 192.168.0.0/16', 'tcp or (udp and (port 53 or 123)) or icmp',
  'ip host 10.0.0.1 and not 10.0.0.2', 'host 10.0.0.1 or (10.0.0.2 and not 192.168.1.1)', '-ip[0] + 1 < len', '5 * ip[1] % 3 ^ 1 != 0', 'link[0] = 0x45', 'ether[100:4] != 0 or arp', 'inbound', 'not outbound and ip', '',
];

const octet = fc.integer({ min: 0, max: 255 });
/** Numbers that occur in packets, so that not all comparisons fail. */
const usual = fc.constantFrom(0, 1, 2, 4, 5, 6, 8, 14, 17, 20, 40, 45, 53, 58, 64, 69, 80, 128, 255, 0x800, 0x86dd, 1500);
const number = fc.oneof(usual, octet, fc.integer({ min: 0, max: 0xffffffff })).map(String);
const address = fc.oneof(fc.constantFrom('10.0.0.1', '192.168.1.1', '127.0.0.1', '224.0.0.5', '255.255.255.255', '0.0.0.0'), fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.')));
const network = fc.constantFrom('10', '192.168', '172.16.0.0/12', '10.0.0.0/8', '0.0.0.0/0', '224.0.0.0/4', '192.168.1', 'fe80::/10', 'ff00::/8', '2001:db8::/32');
const port = fc.oneof(fc.constantFrom(53, 67, 68, 80, 123, 179, 443, 500, 520, 1701), fc.integer({ min: 0, max: 65535 })).map(String);
const direction = fc.constantFrom('', 'src ', 'dst ', 'src or dst ', 'src and dst ');
const list = (one: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.oneof({ weight: 3, arbitrary: one }, fc.tuple(one, fc.constantFrom('or', 'and'), fc.constantFrom('', 'not '), one)
  .map(([a, op, negation, b]) => `(${a} ${op} ${negation}${b})`));

const primitive = fc.oneof(
  fc.constantFrom('ip', 'ip6', 'arp', 'rarp', 'tcp', 'udp', 'icmp', 'icmp6', 'igmp', 'pim', 'sctp', 'esp', 'ah', 'vrrp', 'stp', 'iso', 'isis', 'ipx', 'atalk', 'ip multicast', 'ip6 multicast', 'ip broadcast'),
  fc.tuple(direction, list(address)).map(([dir, id]) => `${dir === '' ? '' : dir}host ${id}`),
  fc.tuple(fc.constantFrom('ip ', 'arp ', 'rarp '), direction, list(address)).map((words) => `${words[0]}${words[1]}host ${words[2]}`),
  fc.tuple(direction, list(network)).map(([dir, id]) => `${dir}net ${id}`),
  fc.tuple(fc.constantFrom('', 'tcp ', 'udp ', 'sctp '), direction, list(port)).map((words) => `${words[0]}${words[1]}port ${words[2]}`),
  fc.tuple(fc.constantFrom('', 'tcp ', 'udp '), direction, port, port).map((words) => `${words[0]}${words[1]}portrange ${words[2]}-${words[3]}`),
  fc.tuple(fc.constantFrom('', 'ip ', 'ip6 '), octet).map(([proto, value]) => `${proto}proto ${value}`),
  fc.constantFrom('ether proto 0x800', 'ether proto 0x88cc', 'ether proto 0x42', 'ether proto \\loopback'),
  fc.tuple(fc.constantFrom('less', 'greater'), fc.integer({ min: 0, max: 1600 })).map((words) => words.join(' ')),
);

const load = (index: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.tuple(fc.constantFrom('link', 'ip', 'ip6', 'arp', 'tcp', 'udp', 'icmp', 'icmp6', 'igmp', 'sctp'), index, fc.constantFrom('', ':1', ':2', ':4'))
  .map(([proto, at, size]) => `${proto}[${at}${size}]`);

const value = fc.letrec<{ value: string; leaf: string }>((tie) => ({
  leaf: fc.oneof(number, fc.constant('len'), load(fc.integer({ min: 0, max: 60 }).map(String)), load(usual.map(String))),
  value: fc.oneof({ maxDepth: 3 }, tie('leaf'), fc.tuple(tie('value'), fc.constantFrom('+', '-', '*', '/', '%', '&', '|', '^', '<<', '>>'), tie('value')).map((words) => `(${words.join(' ')})`),
    fc.tuple(tie('leaf'), fc.constantFrom('+', '-', '*', '&', '|', '%', '^'), tie('leaf'), fc.constantFrom('+', '-', '*', '&', '|', '%', '^'), tie('leaf')).map((words) => words.join(' ')),
    tie('value').map((one) => `-${one}`), load(tie('value'))),
})).value;

const relation = fc.tuple(value, fc.constantFrom('=', '!=', '<', '<=', '>', '>=', '=='), value).map((words) => words.join(' '));

/** An expression of a random shape. */
export const randomFilter: fc.Arbitrary<string> = fc.letrec<{ expression: string; term: string }>((tie) => ({
  term: fc.oneof({ weight: 5, arbitrary: primitive }, { weight: 3, arbitrary: relation }, { weight: 1, arbitrary: tie('expression').map((inside) => `(${inside})`) }),
  expression: fc.oneof({ maxDepth: 4, withCrossShrink: true }, tie('term'), tie('term').map((term) => `not ${term}`),
    fc.tuple(tie('expression'), fc.constantFrom('and', 'or', '&&', '||'), tie('term')).map((words) => words.join(' '))),
})).expression;

/** On Ethernet there is more to say. */
const wrapped = fc.constantFrom('vlan and ', 'vlan 100 or ', 'vlan and vlan and ', 'pppoes and ', 'broadcast or ', 'ether multicast and ', 'llc or ', 'not ether host 01:00:5e:00:00:05 and ', 'aarp or ', 'netbeui or ');
export const randomEthernetFilter: fc.Arbitrary<string> = fc.oneof({ weight: 3, arbitrary: randomFilter }, { weight: 1, arbitrary: fc.tuple(wrapped, randomFilter).map((words) => words.join('')) });
