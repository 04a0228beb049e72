/*
 * IPv6 (RFC 8200): the header, three extension headers, and the transports that IPv4 has too.
 */
import { need, say, u16, u32, u8, within, type Dissection } from './dissect.ts';
import { ipProtocols } from './names.ts';
import type { NetworkHeader, TransportTable } from './network.ts';
import { hex, ip6, nameOf } from './text.ts';

const HEADER = 40;
const HOP_BY_HOP = 0;
const FRAGMENT = 44;
const NO_NEXT = 59;
const DESTINATION = 60;

const extensionNames: Readonly<Record<number, string>> = { [HOP_BY_HOP]: 'HBH', [DESTINATION]: 'DSTOPT' };

function headerPrint(nd: Dissection, offset: number): void {
  const word = u32(nd, offset);
  const trafficClass = (word >>> 20) & 0xff;
  const next = u8(nd, offset + 6);
  say(nd, '(');
  if (trafficClass !== 0) say(nd, `class 0x${hex(trafficClass, 2)}, `);
  if ((word & 0xfffff) !== 0) say(nd, `flowlabel 0x${hex(word & 0xfffff, 5)}, `);
  say(nd, `hlim ${u8(nd, offset + 7)}, next-header ${nameOf(ipProtocols, next, 'unknown')} (${next}) payload length: ${u16(nd, offset + 4)}) `);
}

/** Says a fragment header; false where what follows has no header. */
function fragmentPrint(nd: Dissection, offset: number, length: number): boolean {
  const field = u16(nd, offset + 2);
  const start = field & 0xfff8;
  const id = nd.options.verbose > 0 ? `0x${hex(u32(nd, offset + 4), 8)}:` : '';
  say(nd, `frag (${id}${start}|${length - 8})`);
  if ((field & 1) !== 0 || start !== 0) nd.fragmented = true;
  if (start !== 0) return false;
  say(nd, ' ');
  return true;
}

/** Extension headers, then the transport. */
function payloadPrint(nd: Dissection, ip: NetworkHeader, offset: number, length: number, table: TransportTable): void {
  let next = ip.protocol;
  let at = offset;
  let left = length;
  while (next === HOP_BY_HOP || next === DESTINATION || next === FRAGMENT) {
    need(nd, at, 8);
    const size = next === FRAGMENT ? 8 : (u8(nd, at + 1) + 1) * 8;
    if (next === FRAGMENT && !fragmentPrint(nd, at, left)) return;
    if (next !== FRAGMENT) say(nd, `${extensionNames[next] ?? ''} `);
    next = u8(nd, at);
    at += size;
    left -= size;
  }
  if (next === NO_NEXT) {
    say(nd, 'no next header');
    return;
  }
  const printer = table[next];
  if (printer === undefined) say(nd, ` ip-proto-${next} ${left}`);
  else printer(nd, at, left, ip);
}

function packetPrint(nd: Dissection, offset: number, payload: number, table: TransportTable): void {
  if (nd.options.verbose > 0) headerPrint(nd, offset);
  const protocol = u8(nd, offset + 6);
  const ip: NetworkHeader = {
    version: 6, offset, protocol, source: ip6(nd, offset + 8), destination: ip6(nd, offset + 24), checksumDestination: 0,
  };
  if (protocol !== 6 && protocol !== 17) say(nd, `${ip.source} > ${ip.destination}: `);
  payloadPrint(nd, ip, offset + HEADER, payload, table);
}

/** An IPv6 packet of which `length` octets were on the wire. */
export function ip6Print(nd: Dissection, offset: number, length: number, table: TransportTable): void {
  nd.protocol = 'ip6';
  need(nd, offset, HEADER);
  const version = u8(nd, offset) >> 4;
  if (version !== 6) {
    say(nd, version === 4 ? 'IP, wrong link-layer encapsulation (invalid)' : `IP${version}, wrong link-layer encapsulation (invalid)`);
    return;
  }
  if (!nd.options.link) say(nd, 'IP6 ');
  if (length < HEADER) {
    say(nd, `truncated-ip6 ${length}`);
    return;
  }
  const payload = u16(nd, offset + 4);
  if (length < payload + HEADER) say(nd, `truncated-ip6 - ${payload + HEADER - length} bytes missing!`);
  within(nd, offset + HEADER + payload, () => packetPrint(nd, offset, payload, table));
}
