// Ids and what their qualifiers make of them: numbers, addresses, names.
//
// identified() asks the type first: a host or network, ports, a protocol. A name is resolved here.

import { parseDotted, parseEther, parseIp6, type DottedAddress } from './address.ts';
import type { Identified } from './ast.ts';
import { anyOf, type Condition } from './condition.ts';
import { host, host6 } from './gen-host.ts';
import { etherHost } from './gen-link.ts';
import { port, transportOf, type Ports } from './gen-port.ts';
import { protocolNumber } from './gen-proto.ts';
import { wrong, type Gen } from './gen-state.ts';
import { T_EID, T_HID, T_HID6, T_NUM, type Token } from './lexer.ts';
import {
  ethertypeByName, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP, osiProtocolByName, PROTO_UNDEF, protocolByName, serviceByName,
} from './names.ts';
import {
  Q_DECNET, Q_DEFAULT, Q_GATEWAY, Q_IP, Q_IPV6, Q_ISO, Q_LINK, Q_NET, Q_PORT, Q_PORTRANGE, Q_PROTO, Q_PROTOCHAIN, protocolWord,
} from './qualifiers.ts';

const ALL_ONES = -1;
const MAX_PORT = 65535;

/** The test of a primitive that has an id. */
export function identified(gen: Gen, node: Identified): Condition {
  const { word, qualifiers } = node;
  if (node.mask !== null || node.prefix !== null) return maskedNet(gen, node);
  switch (qualifiers.addr) {
    case Q_PORT:
    case Q_PORTRANGE: return ports(gen, node);
    case Q_PROTO: return protoId(gen, node);
    case Q_PROTOCHAIN: throw wrong(gen, word, "'protochain' is not supported: it needs a program with loops; 'proto' looks at the first header");
    case Q_GATEWAY: throw wrong(gen, word, "'gateway' is not supported, as in libpcap with IPv6: write 'ether host ADDRESS and not host NAME'");
    default: return hostOrNet(gen, node);
  }
}

function hostOrNet(gen: Gen, node: Identified): Condition {
  const { word, qualifiers } = node;
  const ofLink = qualifiers.proto === Q_LINK;
  if (word.type === T_EID) {
    const octets = parseEther(word.text);
    if (octets === null) throw wrong(gen, word, `'${word.text}' is not a link-layer address`);
    if (!ofLink || qualifiers.addr === Q_NET) throw wrong(gen, word, "a link-layer address needs 'ether host', 'ether src' or 'ether dst' before it");
    return etherHost(gen, octets, qualifiers.dir, word);
  }
  const numeric = word.type === T_NUM || word.type === T_HID || word.type === T_HID6;
  if (ofLink && numeric) throw wrong(gen, word, `'${word.text}' is not a link-layer address`);
  if (word.type === T_HID6) {
    return host6(gen, ip6Of(gen, word), [ALL_ONES, ALL_ONES, ALL_ONES, ALL_ONES], qualifiers, word);
  }
  if (!numeric) return named(gen, node);
  return qualifiers.proto === Q_DECNET ? decnet(gen, node) : host4(gen, node);
}

/** A number is an address, or the front of one for `net`; `10.1` is 10.1.0.0/16. */
function host4(gen: Gen, node: Identified): Condition {
  const { word, qualifiers } = node;
  if (word.type === T_HID) {
    const { value, bits } = dottedOf(gen, word);
    return host(gen, value << (32 - bits), wordMask(bits), qualifiers, word);
  }
  let address = word.value | 0;
  let mask = ALL_ONES;
  while (qualifiers.addr === Q_NET && address !== 0 && (address & 0xff000000) === 0) {
    address <<= 8;
    mask <<= 8;
  }
  return host(gen, address, mask, qualifiers, word);
}

/** A DECnet node is written `area.node`: 6 and 10 bits. */
function decnet(gen: Gen, node: Identified): Condition {
  const written = /^([0-9]+)\.([0-9]+)$/.exec(node.word.text);
  if (written === null) throw wrong(gen, node.word, `'${node.word.text}' is not a DECnet address such as 10.123`);
  const address = (Number(written[1]) << 10) | (Number(written[2]) & 0x3ff);
  return host(gen, address, 0, node.qualifiers, node.word);
}

/** `net 10.0.0.0/8`, `net 10.0.0.0 mask 255.0.0.0`, `net 2001:db8::/32`. */
function maskedNet(gen: Gen, node: Identified): Condition {
  const { word, qualifiers, prefix, mask } = node;
  if (word.type === T_HID6) return net6(gen, node);
  const { value, bits } = dottedOf(gen, word);
  const address = value << (32 - bits);
  const covered = mask !== null ? maskWord(gen, mask) : wordMask(prefixLength(gen, prefix, 32));
  if ((address & ~covered) !== 0) throw wrong(gen, word, `'${word.text}' has bits set that are not in the mask`);
  requireNet(gen, node);
  return host(gen, address, covered, qualifiers, word);
}

function dottedOf(gen: Gen, word: Token): DottedAddress {
  const dotted = parseDotted(word.text);
  if (dotted === null) throw wrong(gen, word, `'${word.text}' is not an IPv4 address`);
  return dotted;
}

function maskWord(gen: Gen, mask: Token): number {
  const { value, bits } = dottedOf(gen, mask);
  return value << (32 - bits);
}

function net6(gen: Gen, node: Identified): Condition {
  const { word, prefix } = node;
  const bits = prefixLength(gen, prefix, 128);
  const address = ip6Of(gen, word);
  const mask = [0, 32, 64, 96].map((before) => wordMask(bits - before));
  if (address.some((value, i) => (value & ~mask[i]!) !== 0)) throw wrong(gen, word, `'${word.text}' has bits set that are not in the prefix`);
  if (bits !== 128) requireNet(gen, node);
  return host6(gen, address, mask, node.qualifiers, word);
}

function ip6Of(gen: Gen, word: Token): number[] {
  const address = parseIp6(word.text);
  if (address === null) throw wrong(gen, word, `'${word.text}' is not an IPv6 address`);
  return address;
}

function prefixLength(gen: Gen, prefix: Token | null, longest: number): number {
  const bits = prefix === null ? longest : prefix.value;
  if (prefix !== null && bits > longest) throw wrong(gen, prefix, `a prefix has at most ${longest} bits`);
  return bits;
}

function wordMask(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? ALL_ONES : ALL_ONES << (32 - bits);
}

function requireNet(gen: Gen, node: Identified): void {
  if (node.qualifiers.addr !== Q_NET) throw wrong(gen, node.word, "a mask is for networks: expected 'net' before it");
}

/** A host's, a network's or a link-layer address's name. */
function named(gen: Gen, node: Identified): Condition {
  const { word, qualifiers } = node;
  if (qualifiers.addr === Q_NET) {
    const network = gen.names.networks?.get(word.text);
    if (network === undefined) throw wrong(gen, word, `unknown network '${word.text}'`);
    const [address = '', length = '32'] = network.split('/');
    const dotted = parseDotted(address);
    if (dotted === null) throw wrong(gen, word, `network '${word.text}' is '${network}', which is none`);
    return host(gen, dotted.value << (32 - dotted.bits), wordMask(Number(length)), qualifiers, word);
  }
  if (qualifiers.proto === Q_LINK) {
    const ether = gen.names.ethers?.get(word.text);
    const octets = ether === undefined ? null : parseEther(ether);
    if (octets === null) throw wrong(gen, word, `unknown ether host '${word.text}'`);
    return etherHost(gen, octets, qualifiers.dir, word);
  }
  return hostByName(gen, node);
}

/** Any of the addresses that a name has and the protocol allows. */
function hostByName(gen: Gen, node: Identified): Condition {
  const { word, qualifiers } = node;
  const addresses = gen.names.hosts?.get(word.text);
  if (addresses === undefined) throw wrong(gen, word, `unknown host '${word.text}'`);
  const tests: Condition[] = [];
  for (const text of addresses) {
    const address6 = parseIp6(text);
    const address = parseDotted(text);
    if (address6 !== null && (qualifiers.proto === Q_DEFAULT || qualifiers.proto === Q_IPV6)) {
      tests.push(host6(gen, address6, [ALL_ONES, ALL_ONES, ALL_ONES, ALL_ONES], qualifiers, word));
    } else if (address !== null && address.bits === 32 && qualifiers.proto !== Q_IPV6) {
      tests.push(host(gen, address.value, ALL_ONES, qualifiers, word));
    }
  }
  const [first, ...more] = tests;
  if (first === undefined) throw wrong(gen, word, `host '${word.text}' has no address that '${protocolWord(qualifiers.proto)}' allows`);
  return anyOf(first, more);
}

function ports(gen: Gen, node: Identified): Condition {
  const { word, qualifiers } = node;
  const asked = transportOf(gen, qualifiers.proto, word);
  const range = qualifiers.addr === Q_PORTRANGE;
  if (word.type === T_NUM) return port(gen, { first: portNumber(gen, word, word.value), last: word.value, range }, asked, qualifiers.dir, word);
  if (word.type === T_HID || word.type === T_HID6 || word.type === T_EID) throw wrong(gen, word, `'${word.text}' is an address: expected a port`);
  const service = range ? null : serviceByName(word.text);
  if (service !== null) {
    const one: Ports = { first: service.port, last: service.port, range: false };
    return port(gen, one, transportFor(gen, asked, service.protocol, word), qualifiers.dir, word);
  }
  if (!range) throw wrong(gen, word, `unknown port '${word.text}'`);
  return namedRange(gen, node, asked);
}

/** `6000-6008`, `ftp-data-http`: a range of numbers, or of names, in which there may be dashes. */
function namedRange(gen: Gen, node: Identified, asked: number): Condition {
  const { word, qualifiers } = node;
  const text = word.text;
  for (let dash = text.indexOf('-'); dash >= 0; dash = text.indexOf('-', dash + 1)) {
    const first = portEnd(gen, word, text.slice(0, dash));
    const last = portEnd(gen, word, text.slice(dash + 1));
    if (first === null || last === null) continue;
    const known = first.protocol === last.protocol ? first.protocol : PROTO_UNDEF;
    const both: Ports = { first: Math.min(first.port, last.port), last: Math.max(first.port, last.port), range: true };
    return port(gen, both, transportFor(gen, asked, known, word), qualifiers.dir, word);
  }
  const single = serviceByName(text);
  if (single === null) throw wrong(gen, word, `unknown ports '${text}': expected two ports such as 6000-6008`);
  return port(gen, { first: single.port, last: single.port, range: true }, transportFor(gen, asked, single.protocol, word), qualifiers.dir, word);
}

function portEnd(gen: Gen, word: Token, text: string): { port: number; protocol: number } | null {
  if (/^[0-9]+$/.test(text)) return { port: portNumber(gen, word, Number(text)), protocol: PROTO_UNDEF };
  return serviceByName(text);
}

function portNumber(gen: Gen, word: Token, number: number): number {
  if (number > MAX_PORT) throw wrong(gen, word, `port ${number} is larger than ${MAX_PORT}`);
  return number;
}

/** The transport of a service, which must not be another than the one asked for. */
function transportFor(gen: Gen, asked: number, known: number, word: Token): number {
  if (asked === PROTO_UNDEF) return known;
  if (known !== PROTO_UNDEF && known !== asked) {
    const name = known === IPPROTO_TCP ? 'tcp' : known === IPPROTO_UDP ? 'udp' : known === IPPROTO_SCTP ? 'sctp' : String(known);
    throw wrong(gen, word, `port '${word.text}' is of ${name}`);
  }
  return asked;
}

/** `proto`: a number, or a name of what the qualifying protocol carries. */
function protoId(gen: Gen, node: Identified): Condition {
  const { word, qualifiers } = node;
  if (word.type === T_NUM) return protocolNumber(gen, qualifiers.proto, word.value, word);
  if (word.type === T_HID || word.type === T_HID6 || word.type === T_EID) throw wrong(gen, word, `'${word.text}' is an address: expected a protocol`);
  const number = protoByName(qualifiers.proto, word.text);
  if (number < 0) throw wrong(gen, word, `unknown protocol '${word.text}'`);
  return protocolNumber(gen, qualifiers.proto, number, word);
}

function protoByName(carrier: number, name: string): number {
  switch (carrier) {
    case Q_DEFAULT:
    case Q_IP:
    case Q_IPV6: return protocolByName(name);
    case Q_LINK: return ethertypeByName(name);
    case Q_ISO: return osiProtocolByName(name);
    default: return -1;
  }
}
