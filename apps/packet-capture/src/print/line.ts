/*
 * One packet as text: createPrinter() for a capture, printPacket() for each packet, in order. A packet is told whatever it holds:
 * no octets make a printer throw.
 */
import { Dissection, Truncated, dissect, say, sayTruncated, type PrintOptions } from './dissect.ts';
import { asciiDump, hexDump } from './hexdump.ts';
import { linkPrint } from './link.ts';
import { TimeReference, timestamp, type TimeForm } from './timestamp.ts';

const MAXIMUM_SNAPLEN = 262_144;

export interface Printer {
  readonly dissection: Dissection;
  readonly timeForm: TimeForm;
  readonly reference: TimeReference;
}

/** What a printer needs of a packet; a record of @stack/pcap has it. */
export interface PacketText {
  readonly linkType: number;
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  readonly caplen: number;
  readonly wirelen: number;
  readonly data: Uint8Array;
  readonly offset: number;
}

export function createPrinter(options: PrintOptions, timeForm: TimeForm): Printer {
  return { dissection: new Dissection(options), timeForm, reference: new TimeReference() };
}

/** What is wrong with the lengths of a packet, or an empty string. */
function invalidHeader(caplen: number, wirelen: number): string {
  const wrong: string[] = [];
  if (caplen === 0) wrong.push('caplen==0');
  if (wirelen === 0) wrong.push('len==0');
  else if (wirelen < caplen) wrong.push(`len(${wirelen}) < caplen(${caplen})`);
  if (caplen > MAXIMUM_SNAPLEN) wrong.push(`caplen(${caplen}) > ${MAXIMUM_SNAPLEN}`);
  if (wirelen > MAXIMUM_SNAPLEN) wrong.push(`len(${wirelen}) > ${MAXIMUM_SNAPLEN}`);
  return wrong.length === 0 ? '' : `[Invalid header: ${wrong.join(', ')}]`;
}

function dumps(nd: Dissection, offset: number, caplen: number): void {
  const { hex, hexAscii, ascii } = nd.options;
  const from = Math.max(hex, hexAscii, ascii) > 1 ? 0 : Math.min(nd.linkLength, caplen);
  if (hexAscii > 0) say(nd, hexDump(nd, offset + from, caplen - from, true));
  else if (hex > 0) say(nd, hexDump(nd, offset + from, caplen - from, false));
  else if (ascii > 0) say(nd, asciiDump(nd, offset + from, caplen - from));
}

/** The line of a packet, without a line end; more than one under -v and -x. */
export function printPacket(printer: Printer, packet: PacketText): string {
  const nd = printer.dissection;
  const invalid = invalidHeader(packet.caplen, packet.wirelen);
  if (invalid !== '') return invalid;
  dissect(nd, packet.data, packet.offset, packet.caplen);
  say(nd, timestamp(printer.timeForm, packet.time, printer.reference));
  try {
    linkPrint(nd, packet.linkType, packet.offset, packet.wirelen);
  } catch (error) {
    if (!(error instanceof Truncated)) throw error;
    sayTruncated(nd);
    nd.linkLength = 0;
  }
  nd.end = packet.offset + packet.caplen;
  dumps(nd, packet.offset, packet.caplen);
  return nd.text;
}
