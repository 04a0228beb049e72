/*
 * Ethernet and what it carries, by ethertype: the table `etherPrinters`. VLAN tags are passed over; IEEE 802.3 frames, whose field
 * is a length, are told by that alone.
 */
import { available, say, sayTruncated, u16, type Dissection } from './dissect.ts';
import { arpPrint } from './arp.ts';
import { defaultPrint } from './hexdump.ts';
import { ipPrint } from './ip.ts';
import { ip6Print } from './ip6.ts';
import { etherTypes } from './names.ts';
import { hex, linkAddress, nameOf } from './text.ts';
import { transports } from './transports.ts';

const HEADER = 14;
const TAG = 4;
const MAX_LENGTH = 1500;

type EtherPrinter = (nd: Dissection, offset: number, length: number) => void;

const etherPrinters: Readonly<Record<number, EtherPrinter>> = {
  0x0800: (nd, offset, length) => ipPrint(nd, offset, length, transports),
  0x0806: arpPrint,
  0x8035: arpPrint,
  0x86dd: (nd, offset, length) => ip6Print(nd, offset, length, transports),
};

const vlanTypes = new Set([0x8100, 0x88a8, 0x9100, 0x9200]);

function headerPrint(nd: Dissection, offset: number, type: number, length: number): void {
  say(nd, `${linkAddress(nd, offset + 6)} > ${linkAddress(nd, offset)}, `);
  say(nd, `${type <= MAX_LENGTH ? '802.3' : typeText(nd, type)}, length ${length}: `);
}

function typeText(nd: Dissection, type: number): string {
  if (nd.options.quiet) return nameOf(etherTypes, type, 'Unknown Ethertype (0x%04x)');
  return `ethertype ${nameOf(etherTypes, type, 'Unknown')} (0x${hex(type, 4)})`;
}

function tagPrint(nd: Dissection, offset: number): void {
  const tag = u16(nd, offset);
  const type = u16(nd, offset + 2);
  say(nd, `vlan ${tag & 0xfff}, p ${tag >> 13}${(tag & 0x1000) === 0 ? '' : ', DEI'}, `);
  if (type > MAX_LENGTH) say(nd, `${typeText(nd, type)}, `);
}

/** What `type` carries. False where nobody knows it. */
export function etherTypePrint(nd: Dissection, type: number, offset: number, length: number): boolean {
  const printer = etherPrinters[type];
  printer?.(nd, offset, length);
  return printer !== undefined;
}

/** A frame of `length` octets on the wire. */
export function etherPrint(nd: Dissection, offset: number, length: number): void {
  nd.protocol = 'ether';
  if (length < HEADER || available(nd, offset) < HEADER) {
    sayTruncated(nd);
    return;
  }
  let type = u16(nd, offset + 12);
  let at = offset + HEADER;
  const outer = type;
  if (nd.options.link) headerPrint(nd, offset, type, length);
  nd.linkLength = HEADER;
  while (vlanTypes.has(type)) {
    if (available(nd, at) < TAG || length < at - offset + TAG) {
      nd.protocol = 'vlan';
      sayTruncated(nd);
      return;
    }
    if (nd.options.link) tagPrint(nd, at);
    type = u16(nd, at + 2);
    at += TAG;
    nd.linkLength += TAG;
  }
  const left = length - (at - offset);
  if (etherTypePrint(nd, type, at, left)) return;
  if (!nd.options.link) headerPrint(nd, offset, outer, length);
  defaultPrint(nd, at, left);
}
