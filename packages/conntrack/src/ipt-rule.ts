/*
 * A rule as a user writes it, plain data, made into an entry of a table. What cannot be is an error that names the rule's field,
 * its value and what it may be; a rule that is wrong changes nothing.
 */
import { inetPton4 } from '@stack/inet-sock';
import {
  ICMP_HOST_UNREACH, ICMP_NET_UNREACH, ICMP_PKT_FILTERED, ICMP_PORT_UNREACH, ICMP_PROT_UNREACH, IPPROTO_ICMP, IPPROTO_IGMP, IPPROTO_TCP,
  IPPROTO_UDP,
} from '@stack/ip';
import { iptTargets } from './ipt-targets.ts';
import { NF_NAT_RANGE_MAP_IPS, NF_NAT_RANGE_PROTO_SPECIFIED } from './nf-nat.ts';
import type { NfNatRange } from './nf-nat.ts';
import {
  XT_CONNTRACK_STATE_DNAT, XT_CONNTRACK_STATE_ESTABLISHED, XT_CONNTRACK_STATE_INVALID, XT_CONNTRACK_STATE_NEW, XT_CONNTRACK_STATE_RELATED,
  XT_CONNTRACK_STATE_SNAT, XtEntry,
} from './x-tables.ts';

/** A table: mangle marks, nat translates, filter lets pass. */
export type IptTableName = 'mangle' | 'nat' | 'filter';
/** What a packet is to its connection; snat and dnat: the connection is translated. */
export type IptCtState = 'new' | 'established' | 'related' | 'invalid' | 'snat' | 'dnat';
/** What a rule says of a packet: jump asks another chain, mark goes on with the next rule. */
export type IptVerdict = 'accept' | 'drop' | 'reject' | 'return' | 'jump' | 'mark' | 'snat' | 'dnat' | 'masquerade' | 'redirect';
/** What the sender of a rejected packet is told: an ICMP error, or a TCP reset. */
export type IptRejectWith = 'net-unreachable' | 'host-unreachable' | 'proto-unreachable' | 'port-unreachable' | 'admin-prohibited' | 'tcp-reset';

/** One rule. What it does not name matches everything. */
export interface IptRule {
  /** Default `filter`. */
  readonly table?: IptTableName;
  /** `prerouting`, `input`, `forward`, `output`, `postrouting`, or one that iptNewChain() made. */
  readonly chain: string;
  /** `10.0.0.0/8`, an address alone, or `!` and one of them. */
  readonly src?: string;
  readonly dst?: string;
  /** An interface's name, its beginning and `+`, or `!` and one of them: by which it came, and leaves. */
  readonly iif?: string;
  readonly oif?: string;
  readonly protocol?: 'tcp' | 'udp' | 'icmp' | 'igmp' | number;
  /** A port, or `first-last`; with protocol tcp or udp. */
  readonly sport?: number | string;
  readonly dport?: number | string;
  /** An ICMP type, or `type/code`; with protocol icmp. */
  readonly icmpType?: number | string;
  /** Any of these: needs connection tracking, without which every packet is `invalid`. */
  readonly ctState?: readonly IptCtState[];
  /** `value` or `value/mask`: what an earlier rule has marked. */
  readonly mark?: number | string;
  readonly verdict: IptVerdict;
  /** jump: the chain. snat, dnat: `address`, `first-last`, with or without `:port` or `:first-last`. masquerade, redirect: `port` or `first-last`. */
  readonly to?: string | number;
  /** Verdict mark: `value` or `value/mask`, the bits that it sets. */
  readonly setMark?: number | string;
  /** Verdict reject; default `port-unreachable`. */
  readonly rejectWith?: IptRejectWith;
}

const protocols: Readonly<Record<string, number>> = { tcp: IPPROTO_TCP, udp: IPPROTO_UDP, icmp: IPPROTO_ICMP, igmp: IPPROTO_IGMP };
const ctStates: Readonly<Record<IptCtState, number>> = {
  new: XT_CONNTRACK_STATE_NEW, established: XT_CONNTRACK_STATE_ESTABLISHED, related: XT_CONNTRACK_STATE_RELATED,
  invalid: XT_CONNTRACK_STATE_INVALID, snat: XT_CONNTRACK_STATE_SNAT, dnat: XT_CONNTRACK_STATE_DNAT,
};
const rejects: Readonly<Record<IptRejectWith, number>> = {
  'net-unreachable': ICMP_NET_UNREACH, 'host-unreachable': ICMP_HOST_UNREACH, 'proto-unreachable': ICMP_PROT_UNREACH,
  'port-unreachable': ICMP_PORT_UNREACH, 'admin-prohibited': ICMP_PKT_FILTERED, 'tcp-reset': -1,
};
const fields: readonly (keyof IptRule)[] = [
  'table', 'chain', 'src', 'dst', 'iif', 'oif', 'protocol', 'sport', 'dport', 'icmpType', 'ctState', 'mark', 'verdict', 'to', 'setMark', 'rejectWith',
];

/** Throws a TypeError about a rule's field. */
function wrong(field: keyof IptRule, value: unknown, wanted: string): never {
  throw new TypeError(`rule: ${field} is ${JSON.stringify(value)}: it must be ${wanted}`);
}

/** A number from `min` to `max` as text or number; null if it is none. */
function number(value: unknown, min: number, max: number): number | null {
  const n = typeof value === 'string' && /^(0x[0-9a-f]+|\d+)$/i.test(value) ? Number(value) : value;
  return typeof n === 'number' && Number.isInteger(n) && n >= min && n <= max ? n : null;
}

/** `first-last` or one number; null if it is neither. */
function range(value: unknown, min: number, max: number): readonly [number, number] | null {
  const parts = typeof value === 'string' ? value.split('-') : [value];
  const first = number(parts[0], min, max);
  const last = number(parts[parts.length - 1], min, max);
  return parts.length > 2 || first === null || last === null || first > last ? null : [first, last];
}

/** `value` or `value/mask`; null if it is neither. */
function masked(value: unknown): readonly [number, number] | null {
  const parts = typeof value === 'string' ? value.split('/') : [value];
  const mark = number(parts[0], 0, 0xffffffff);
  const mask = parts.length === 1 ? 0xffffffff : number(parts[1], 0, 0xffffffff);
  return parts.length > 2 || mark === null || mask === null ? null : [mark | 0, mask | 0];
}

/** Whether a text begins with `!`, and the rest. */
function negated(text: string): readonly [boolean, string] {
  return text.startsWith('!') ? [true, text.slice(1).trim()] : [false, text];
}

function prefix(field: 'src' | 'dst', value: string): readonly [addr: number, mask: number, not: boolean] {
  const [not, text] = negated(value);
  const [address = '', length = '32', ...rest] = text.split('/');
  const addr = inetPton4(address);
  const plen = number(length, 0, 32);
  if (addr === null || plen === null || rest.length > 0) wrong(field, value, 'an address, a prefix (10.0.0.0/8), or ! and one of them');
  const mask = plen === 0 ? 0 : (-1 << (32 - plen)) | 0;
  return [addr & mask, mask, not];
}

function device(field: 'iif' | 'oif', value: string): readonly [name: string, prefix: boolean, not: boolean] {
  const [not, text] = negated(value);
  const begins = text.endsWith('+');
  const name = begins ? text.slice(0, -1) : text;
  if (name === '' && !begins) wrong(field, value, 'the name of an interface, its beginning and +, or ! and one of them');
  return [name, begins, not];
}

/** Addresses and interfaces. */
function parseWhere(entry: XtEntry, rule: IptRule): void {
  if (rule.src !== undefined) [entry.src, entry.srcMask, entry.srcNot] = prefix('src', rule.src);
  if (rule.dst !== undefined) [entry.dst, entry.dstMask, entry.dstNot] = prefix('dst', rule.dst);
  if (rule.iif !== undefined) [entry.iif, entry.iifPrefix, entry.iifNot] = device('iif', rule.iif);
  if (rule.oif !== undefined) [entry.oif, entry.oifPrefix, entry.oifNot] = device('oif', rule.oif);
}

/** Protocol, ports, ICMP type. */
function parseTransport(entry: XtEntry, rule: IptRule): void {
  const { protocol, sport, dport, icmpType } = rule;
  if (protocol !== undefined) {
    const known = typeof protocol === 'string' ? protocols[protocol] : number(protocol, 0, 255);
    entry.protocol = known ?? wrong('protocol', protocol, `one of ${Object.keys(protocols).join(', ')}, or a number to 255`);
  }
  const ported = entry.protocol === IPPROTO_TCP || entry.protocol === IPPROTO_UDP;
  for (const [field, value] of [['sport', sport], ['dport', dport]] as const) {
    if (value === undefined) continue;
    if (!ported) wrong(field, value, 'with protocol tcp or udp');
    const ports = range(value, 0, 0xffff) ?? wrong(field, value, 'a port to 65535, or first-last');
    entry.ports = true;
    if (field === 'sport') [entry.sportMin, entry.sportMax] = ports;
    else [entry.dportMin, entry.dportMax] = ports;
  }
  if (icmpType === undefined) return;
  if (entry.protocol !== IPPROTO_ICMP) wrong('icmpType', icmpType, 'with protocol icmp');
  const [type, code] = String(icmpType).split('/');
  entry.icmpType = number(type, 0, 255) ?? wrong('icmpType', icmpType, 'a type to 255, or type/code');
  if (code !== undefined) entry.icmpCode = number(code, 0, 255) ?? wrong('icmpType', icmpType, 'a type to 255, or type/code');
}

/** State and mark. */
function parseState(entry: XtEntry, rule: IptRule): void {
  for (const name of rule.ctState ?? []) {
    entry.ctState |= ctStates[name] ?? wrong('ctState', name, `of ${Object.keys(ctStates).join(', ')}`);
  }
  if (rule.mark === undefined) return;
  const [mark, mask] = masked(rule.mark) ?? wrong('mark', rule.mark, 'a number of 32 bits, or value/mask');
  entry.mark = mark & mask;
  entry.markMask = mask;
}

/** Writes `first-last` of ports into a range. */
function parseNatPorts(to: NfNatRange, rule: IptRule, text: string | number): void {
  const ports = range(text, 0, 0xffff) ?? wrong('to', rule.to, 'a port to 65535, or first-last');
  to.flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
  [to.minProto, to.maxProto] = ports;
}

/** snat and dnat: `address[-last][:port[-last]]`. */
function parseNatTo(to: NfNatRange, rule: IptRule): void {
  const wanted = 'an address, first-last, with or without :port or :first-last';
  const [addresses = '', ports, ...rest] = String(rule.to ?? '').split(':');
  const [first = '', last = first, ...more] = addresses.split('-');
  const min = inetPton4(first);
  const max = inetPton4(last);
  if (min === null || max === null || min >>> 0 > max >>> 0 || rest.length > 0 || more.length > 0) wrong('to', rule.to, wanted);
  to.flags = NF_NAT_RANGE_MAP_IPS;
  to.minAddr = min;
  to.maxAddr = max;
  if (ports !== undefined) parseNatPorts(to, rule, ports);
}

/** What the verdict needs besides its name. */
function parseTarget(entry: XtEntry, rule: IptRule): void {
  const { verdict, to, setMark, rejectWith } = rule;
  if (setMark !== undefined && verdict !== 'mark') wrong('setMark', setMark, 'with verdict mark');
  if (rejectWith !== undefined && verdict !== 'reject') wrong('rejectWith', rejectWith, 'with verdict reject');
  if (verdict === 'snat' || verdict === 'dnat') parseNatTo(entry.range, rule);
  else if (verdict === 'masquerade' || verdict === 'redirect') {
    if (to !== undefined) parseNatPorts(entry.range, rule, to);
  } else if (verdict === 'jump') {
    if (typeof to !== 'string') wrong('to', to, 'the name of a chain');
  } else if (to !== undefined) wrong('to', to, 'with verdict jump, snat, dnat, masquerade or redirect');
  if ((entry.range.flags & NF_NAT_RANGE_PROTO_SPECIFIED) !== 0 && !hasPorts(entry.protocol)) wrong('to', to, 'with protocol tcp, udp or icmp when it names ports');
  if (verdict === 'mark') {
    [entry.setMark, entry.setMarkMask] = masked(setMark) ?? wrong('setMark', setMark, 'a number of 32 bits, or value/mask');
    entry.setMark &= entry.setMarkMask;
  }
  if (verdict !== 'reject') return;
  entry.rejectCode = rejects[rejectWith ?? 'port-unreachable'] ?? wrong('rejectWith', rejectWith, `one of ${Object.keys(rejects).join(', ')}`);
  if (entry.rejectCode < 0 && entry.protocol !== IPPROTO_TCP) wrong('rejectWith', rejectWith, 'with protocol tcp');
}

function hasPorts(protocol: number): boolean {
  return protocol === IPPROTO_TCP || protocol === IPPROTO_UDP || protocol === IPPROTO_ICMP;
}

/** Makes an entry of a rule; throws a TypeError that says what is wrong with it. Where it stands, and where it jumps to, is the caller's to see. */
export function iptParseRule(rule: IptRule): XtEntry {
  for (const field of Object.keys(rule)) {
    if (!fields.includes(field as keyof IptRule)) throw new TypeError(`rule: no field ${JSON.stringify(field)}: there are ${fields.join(', ')}`);
  }
  const target = iptTargets[rule.verdict] ?? wrong('verdict', rule.verdict, `one of ${Object.keys(iptTargets).join(', ')}`);
  const entry = new XtEntry({ ...rule }, target);
  parseWhere(entry, rule);
  parseTransport(entry, rule);
  parseState(entry, rule);
  parseTarget(entry, rule);
  return entry;
}
