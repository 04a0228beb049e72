/*
 * BOOTP and DHCP (RFC 951, RFC 2131): one line; the fields and options below it under -v.
 */
import { has, need, say, u16, u32, u8, type Dissection } from './dissect.ts';
import { dhcpOptionsPrint } from './dhcp-options.ts';
import { hex, ip4, linkAddress, safeChar } from './text.ts';

const HEADER = 236;
const BROADCAST = 0x8000;
const RFC1048 = 0x63825363;

const addresses: readonly (readonly [number, string])[] = [
  [12, 'Client-IP'], [16, 'Your-IP'], [20, 'Server-IP'], [24, 'Gateway-IP'],
];

function cString(nd: Dissection, offset: number, length: number): string {
  need(nd, offset, length);
  let text = '';
  for (let at = offset; at < offset + length && nd.buf[at] !== 0; at++) text += safeChar(nd.buf[at] ?? 0);
  return text;
}

function vendorPrint(nd: Dissection, offset: number): void {
  const magic = u32(nd, offset);
  if (magic === RFC1048) {
    say(nd, '\n\t  Vendor-rfc1048 Extensions\n\t    Magic Cookie 0x63825363');
    dhcpOptionsPrint(nd, offset + 4);
  } else if (magic !== 0) {
    say(nd, `\n\t  Vendor-#0x${hex(magic, 8)}`);
  }
}

function fieldsPrint(nd: Dissection, offset: number, hardware: string): void {
  for (const [at, name] of addresses) {
    if (u32(nd, offset + at) !== 0) say(nd, `\n\t  ${name} ${ip4(nd, offset + at)}`);
  }
  if (hardware !== '') say(nd, `\n\t  Client-Ethernet-Address ${hardware}`);
  if (u8(nd, offset + 44) !== 0) say(nd, `\n\t  sname "${cString(nd, offset + 44, 64)}"`);
  if (u8(nd, offset + 108) !== 0) say(nd, `\n\t  file "${cString(nd, offset + 108, 128)}"`);
  vendorPrint(nd, offset + HEADER);
}

export function bootpPrint(nd: Dissection, offset: number, length: number): void {
  nd.protocol = 'bootp';
  const operation = u8(nd, offset);
  const [type, size] = [u8(nd, offset + 1), u8(nd, offset + 2)];
  const ethernet = type === 1 && size === 6;
  const named = operation === 1 ? 'Request' : 'Reply';
  say(nd, `BOOTP/DHCP, ${operation === 1 || operation === 2 ? named : `unknown (0x${hex(operation, 2)})`}`);
  if (ethernet && operation === 1) say(nd, ` from ${linkAddress(nd, offset + 28)}`);
  say(nd, `, length ${length}`);
  if (nd.options.verbose === 0) return;
  if (type !== 1) say(nd, `, htype ${type}`);
  if (size !== 6) say(nd, `, hlen ${size}`);
  if (u8(nd, offset + 3) !== 0) say(nd, `, hops ${u8(nd, offset + 3)}`);
  say(nd, `, xid 0x${u32(nd, offset + 4).toString(16)}`);
  if (u16(nd, offset + 8) !== 0) say(nd, `, secs ${u16(nd, offset + 8)}`);
  const flags = u16(nd, offset + 10);
  say(nd, `, Flags [${(flags & BROADCAST) === 0 ? 'none' : 'Broadcast'}]`);
  if (nd.options.verbose > 1) say(nd, ` (0x${hex(flags, 4)})`);
  fieldsPrint(nd, offset, ethernet && has(nd, offset + 28, 6) ? linkAddress(nd, offset + 28) : '');
}
