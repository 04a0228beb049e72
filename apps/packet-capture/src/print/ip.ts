/*
 * IPv4 (RFC 791): ipPrint() says the header and hands the payload to the protocol's printer, which the table `transports`
 * of transports.ts names. A fragment that is not the first has no header of its own to be told.
 */
import { available, has, need, say, sayTruncated, u16, u8, within, type Dissection } from './dissect.ts';
import { checksum, checksumShouldBe } from './checksum.ts';
import { ipOptionsPrint } from './ip-options.ts';
import { ipProtocols } from './names.ts';
import { bitNames, ip4, nameOf } from './text.ts';
import type { NetworkHeader, TransportPrinter, TransportTable } from './network.ts';

const HEADER = 20;
const IP_RF_DF_MF = 0xe000;
const IP_MF = 0x2000;
const IP_OFFMASK = 0x1fff;

const flagNames: readonly (readonly [number, string])[] = [[IP_MF, '+'], [0x4000, 'DF'], [0x8000, 'rsvd']];
const ecnNames = ['', ',ECT(1)', ',ECT(0)', ',CE'];

/** The parenthesis of -v. False where the options end too early to go on. */
function headerPrint(nd: Dissection, offset: number, headerLength: number): boolean {
  const tos = u8(nd, offset + 1);
  const ttl = u8(nd, offset + 8);
  const fragment = u16(nd, offset + 6);
  const protocol = u8(nd, offset + 9);
  say(nd, `(tos 0x${tos.toString(16)}${ecnNames[tos & 3]}`);
  if (ttl >= 1) say(nd, `, ttl ${ttl}`);
  say(nd, `, id ${u16(nd, offset + 4)}, offset ${(fragment & IP_OFFMASK) * 8}`);
  say(nd, `, flags [${bitNames(flagNames, fragment & IP_RF_DF_MF, ', ', 'none')}]`);
  say(nd, `, proto ${nameOf(ipProtocols, protocol, 'unknown')} (${protocol}), length ${u16(nd, offset + 2)}`);
  let whole = true;
  if (headerLength > HEADER) {
    say(nd, ', options (');
    whole = ipOptionsPrint(nd, offset + HEADER, headerLength - HEADER);
    if (!whole) say(nd, ' [truncated-option]');
    say(nd, ')');
  }
  if (has(nd, offset, headerLength)) {
    const sum = checksum(nd, offset, headerLength);
    const found = u16(nd, offset + 10);
    if (sum !== 0) say(nd, `, bad cksum ${found.toString(16)} (->${checksumShouldBe(found, sum).toString(16)})!`);
  }
  say(nd, ')\n    ');
  return whole;
}

/** The final destination: a source route's last hop (RFC 791 §3.1), else the destination itself; it is what checksums cover. */
function finalDestination(nd: Dissection, offset: number, headerLength: number): number {
  const options = offset + HEADER;
  for (let at = options; at < offset + headerLength && has(nd, at, 2);) {
    const type = u8(nd, at);
    if (type === 0) break;
    const length = type === 1 ? 1 : u8(nd, at + 1);
    if (length < 1 || (type !== 1 && length < 2)) break;
    if ((type === 0x83 || type === 0x89) && length >= 7 && has(nd, at, length)) return nd.view.getInt32(at + length - 4);
    at += length;
  }
  return nd.view.getInt32(offset + 16);
}

function payloadPrint(nd: Dissection, ip: NetworkHeader, protocol: number, payload: number, length: number, table: TransportTable): void {
  const printer: TransportPrinter | undefined = table[protocol];
  const saysAddresses = protocol === 6 || protocol === 17;
  if (!saysAddresses) say(nd, `${ip.source} > ${ip.destination}: `);
  if (printer === undefined) say(nd, ` ip-proto-${protocol} ${length}`);
  else printer(nd, payload, length, ip);
}

function datagramPrint(nd: Dissection, offset: number, headerLength: number, total: number, table: TransportTable): void {
  const fragment = u16(nd, offset + 6);
  const protocol = u8(nd, offset + 9);
  if (nd.options.verbose > 0 && !headerPrint(nd, offset, headerLength)) {
    say(nd, `${ip4(nd, offset + 12)} > ${ip4(nd, offset + 16)}: `);
    nd.protocol = 'ip';
    sayTruncated(nd);
    return;
  }
  if ((fragment & IP_OFFMASK) !== 0) {
    say(nd, `${ip4(nd, offset + 12)} > ${ip4(nd, offset + 16)}: ip-proto-${protocol}`);
    return;
  }
  const ip: NetworkHeader = {
    version: 4, offset, protocol, source: ip4(nd, offset + 12), destination: ip4(nd, offset + 16),
    checksumDestination: finalDestination(nd, offset, headerLength),
  };
  if (!has(nd, offset, headerLength)) {
    if (protocol !== 6 && protocol !== 17) say(nd, `${ip.source} > ${ip.destination}: `);
    say(nd, ` [remaining caplen(${available(nd, offset)}) < header length(${headerLength})]`);
    sayTruncated(nd);
    return;
  }
  nd.fragmented = (fragment & IP_MF) !== 0;
  payloadPrint(nd, ip, protocol, offset + headerLength, total - headerLength, table);
}

/** An IPv4 packet of which `length` octets were on the wire, behind whatever said what it is. */
export function ipPrint(nd: Dissection, offset: number, length: number, table: TransportTable): void {
  nd.protocol = 'ip';
  const version = u8(nd, offset) >> 4;
  if (version !== 4) {
    say(nd, version === 6 ? 'IP6, wrong link-layer encapsulation (invalid)' : `IP${version} (invalid)`);
    return;
  }
  if (!nd.options.link) say(nd, 'IP ');
  ipHeaderPrint(nd, offset, length, table);
}

/** As ipPrint(), of a packet that is known to be IPv4, without the word `IP`. */
export function ipHeaderPrint(nd: Dissection, offset: number, length: number, table: TransportTable): void {
  nd.protocol = 'ip';
  need(nd, offset, HEADER);
  if (length < HEADER) {
    say(nd, `truncated-ip ${length}`);
    return;
  }
  const headerLength = (u8(nd, offset) & 0xf) * 4;
  if (headerLength < HEADER) {
    say(nd, `bad-hlen ${headerLength}`);
    return;
  }
  const total = u16(nd, offset + 2);
  if (length < total) say(nd, `truncated-ip - ${total - length} bytes missing! `);
  if (total < headerLength) {
    say(nd, `bad-len ${total}`);
    return;
  }
  within(nd, offset + total, () => datagramPrint(nd, offset, headerLength, total, table));
}

