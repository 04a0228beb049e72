/*
 * The link layers of capture files (LINKTYPE_*) of which the header is known.
 */
import { available, say, sayTruncated, u16, u8, type Dissection } from './dissect.ts';
import { etherPrint, etherTypePrint } from './ether.ts';
import { defaultPrint } from './hexdump.ts';
import { ipPrint } from './ip.ts';
import { ip6Print } from './ip6.ts';
import { etherTypes } from './names.ts';
import { hexBytes, linkAddress, nameOf } from './text.ts';
import { transports } from './transports.ts';

type LinkPrinter = (nd: Dissection, offset: number, length: number) => void;

/** Bare IP: the version tells. */
function rawPrint(nd: Dissection, offset: number, length: number): void {
  nd.protocol = 'raw';
  if (nd.options.link) say(nd, 'ip: ');
  if (u8(nd, offset) >> 4 === 6) ip6Print(nd, offset, length, transports);
  else ipPrint(nd, offset, length, transports);
}

const SLL_HEADER = 16;
const sllTypes: Readonly<Record<number, string>> = { 0: 'In', 1: 'B', 2: 'M', 3: 'P', 4: 'Out' };

/** Linux's cooked capture: what "any" device gives. */
function cookedPrint(nd: Dissection, offset: number, length: number): void {
  nd.protocol = 'sll';
  nd.linkLength = SLL_HEADER;
  if (length < SLL_HEADER || available(nd, offset) < SLL_HEADER) {
    sayTruncated(nd);
    return;
  }
  const type = u16(nd, offset + 14);
  if (nd.options.link) {
    say(nd, `${nameOf(sllTypes, u16(nd, offset), '?')} `.padStart(4));
    if (u16(nd, offset + 4) === 6) say(nd, `${linkAddress(nd, offset + 6)} `);
    if (!nd.options.quiet) say(nd, `ethertype ${nameOf(etherTypes, type, 'Unknown')} (0x${hexBytes(nd, offset + 14, 2)}), `);
    say(nd, `length ${length}: `);
  }
  if (!etherTypePrint(nd, type, offset + SLL_HEADER, length - SLL_HEADER)) defaultPrint(nd, offset + SLL_HEADER, length - SLL_HEADER);
}

const AF_INET = 2;
const AF_INET6 = new Set([10, 24, 28, 30]);

function familyText(nd: Dissection, family: number): string {
  const name = family === AF_INET ? 'IPv4' : 'IPv6';
  return nd.options.quiet ? name : `AF ${name} (${family})`;
}

/** BSD's loopback: four octets of address family, in either byte order. */
function nullPrint(nd: Dissection, offset: number, length: number): void {
  nd.protocol = 'null';
  nd.linkLength = 4;
  if (length < 4 || available(nd, offset) < 4) {
    sayTruncated(nd);
    return;
  }
  const family = u8(nd, offset) === 0 ? u8(nd, offset + 3) : u8(nd, offset);
  if (nd.options.link) say(nd, `${familyText(nd, family)}, length ${length}: `);
  if (family === AF_INET) ipPrint(nd, offset + 4, length - 4, transports);
  else if (AF_INET6.has(family)) ip6Print(nd, offset + 4, length - 4, transports);
  else defaultPrint(nd, offset + 4, length - 4);
}

const links: ReadonlyMap<number, LinkPrinter> = new Map<number, LinkPrinter>([
  [0, nullPrint], [1, etherPrint], [12, rawPrint], [14, rawPrint], [101, rawPrint], [108, nullPrint], [113, cookedPrint], [228, rawPrint],
  [229, rawPrint],
]);

/** A packet with the link header of `linkType`. */
export function linkPrint(nd: Dissection, linkType: number, offset: number, length: number): void {
  const printer = links.get(linkType);
  if (printer !== undefined) {
    printer(nd, offset, length);
    return;
  }
  say(nd, `link-type ${linkType} (unsupported), length ${length}`);
  defaultPrint(nd, offset, length);
}
