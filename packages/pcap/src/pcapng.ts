// Writing pcapng: the blocks of a capture file.
//
// createPcapngWriter() writes the section header; pcapngAddInterface() describes each interface before its first packet;
// pcapngWritePacket() once per packet; pcapngWriteStatistics() at the end of an interface. A chunk that the sink gets is
// one whole block and the sink's to keep. All numbers are little-endian; times are nanoseconds (if_tsresol 9).
// Read first: draft-ietf-opsawg-pcapng §3 (block structure), §4.1 SHB, §4.2 IDB, §4.3 EPB, §4.6 ISB.

import {
  BLOCK_EPB, BLOCK_IDB, BLOCK_ISB, BLOCK_SHB, BYTE_ORDER_MAGIC, OPT_COMMENT, OPT_EPB_DROPCOUNT, OPT_EPB_FLAGS, OPT_IF_DESCRIPTION,
  OPT_IF_FILTER, OPT_IF_NAME, OPT_IF_TSRESOL, OPT_ISB_IFDROP, OPT_ISB_IFRECV,
} from './pcapng-blocks.ts';
import { utf8 as utf8Octets } from './utf8.ts';

/** Takes one chunk of the file; the chunk is the sink's from then on. */
export type PcapngSink = (chunk: Uint8Array) => void;

/** LINKTYPE_: Ethernet frames. */
export const LINKTYPE_ETHERNET = 1;
/** LINKTYPE_: IPv4 or IPv6 packets without a link-layer header. */
export const LINKTYPE_RAW = 101;

/** epb_flags, bits 0 and 1: the packet was received, was sent. */
export const EPB_INBOUND = 1;
export const EPB_OUTBOUND = 2;
/** epb_flags, bits 2 to 4: how it was addressed. */
export const EPB_UNICAST = 1 << 2;
export const EPB_MULTICAST = 2 << 2;
export const EPB_BROADCAST = 3 << 2;
export const EPB_PROMISCUOUS = 4 << 2;

/** Offset of the packet's bytes in an enhanced packet block. */
export const EPB_DATA = 28;

const OPT_SHB_USERAPPL = 4;
const OPT_IF_MACADDR = 6;
const OPT_ISB_STARTTIME = 2;
const OPT_ISB_ENDTIME = 3;
const OPT_ISB_FILTERACCEPT = 6;
const OPT_ISB_OSDROP = 7;
const OPT_ISB_USRDELIV = 8;

const NANOSECONDS = 9;

/** One option: its code and its value, not padded. */
type PcapngOption = readonly [code: number, value: Uint8Array];

/** An interface description. */
export interface PcapngInterface {
  readonly name: string;
  /** LINKTYPE_ of every packet of this interface. */
  readonly linkType: number;
  /** Most bytes stored of one packet; 0: all. */
  readonly snapLen?: number;
  readonly description?: string;
  /** Six octets. */
  readonly macAddress?: Uint8Array;
  /** The capture filter, in words. */
  readonly filter?: string;
}

/** What is said of a packet besides its bytes. */
export interface PcapngPacketInfo {
  /** What pcapngAddInterface() returned. */
  readonly interfaceId: number;
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  /** EPB_*; 0: nothing is said. */
  readonly flags?: number;
  /** Packets that the interface lost since the one before. */
  readonly dropCount?: number;
  readonly comment?: string;
}

/** What an interface says at its end. Times in nanoseconds since 1970. */
export interface PcapngStatistics {
  readonly startTime: bigint;
  readonly endTime: bigint;
  /** Packets that the interface received. */
  readonly received: number;
  /** Packets that it dropped for lack of room. */
  readonly dropped: number;
  /** Packets that the filter let through, that were then dropped for lack of room, and that came to the user. */
  readonly accepted?: number;
  readonly droppedByHost?: number;
  readonly delivered?: number;
}

/** A capture file in the making. */
export class PcapngWriter {
  sink: PcapngSink;
  nrInterfaces: number;
  nrPackets: number;
  /** Nanoseconds since 1970 at time 0 of each source of packets, for captures that share this file. */
  epochs: Map<object, bigint>;

  constructor(sink: PcapngSink) {
    this.sink = sink;
    this.nrInterfaces = 0;
    this.nrPackets = 0;
    this.epochs = new Map();
  }
}

/** Begins a capture file: writes its section header block. `comment` is about the file as a whole. */
export function createPcapngWriter(sink: PcapngSink, comment = ''): PcapngWriter {
  const options: PcapngOption[] = [[OPT_SHB_USERAPPL, utf8('@stack/pcap')]];
  if (comment !== '') options.unshift([OPT_COMMENT, utf8(comment)]);
  const block = makeBlock(BLOCK_SHB, 16, options);
  const view = viewOf(block);
  view.setUint32(8, BYTE_ORDER_MAGIC, true);
  view.setUint16(12, 1, true); // version 1.0
  view.setBigInt64(16, -1n, true); // the section's length is not known beforehand
  sink(block);
  return new PcapngWriter(sink);
}

/** Describes an interface. Returns its id, for packets and statistics. */
export function pcapngAddInterface(writer: PcapngWriter, description: PcapngInterface): number {
  const options: PcapngOption[] = [[OPT_IF_NAME, utf8(description.name)]];
  if (description.description !== undefined) options.push([OPT_IF_DESCRIPTION, utf8(description.description)]);
  if (description.macAddress !== undefined) options.push([OPT_IF_MACADDR, description.macAddress]);
  if (description.filter !== undefined) options.push([OPT_IF_FILTER, filterValue(description.filter)]);
  options.push([OPT_IF_TSRESOL, Uint8Array.of(NANOSECONDS)]);
  const block = makeBlock(BLOCK_IDB, 8, options);
  const view = viewOf(block);
  view.setUint16(8, description.linkType, true);
  view.setUint32(12, description.snapLen ?? 0, true);
  writer.sink(block);
  return writer.nrInterfaces++;
}

/** Writes a packet whose bytes are `data`, all of them captured. */
export function pcapngWritePacket(writer: PcapngWriter, info: PcapngPacketInfo, data: Uint8Array): void {
  const block = pcapngPacketBlock(info, data.length, data.length);
  block.set(data, EPB_DATA);
  pcapngWriteBlock(writer, block);
}

/**
 * An enhanced packet block for a packet of `original` bytes, of which `captured` are stored: the caller puts them at
 * EPB_DATA, then hands the block to pcapngWriteBlock().
 */
export function pcapngPacketBlock(info: PcapngPacketInfo, captured: number, original: number): Uint8Array {
  const options: PcapngOption[] = [];
  if (info.comment !== undefined) options.push([OPT_COMMENT, utf8(info.comment)]);
  if (info.flags !== undefined && info.flags !== 0) options.push([OPT_EPB_FLAGS, uint32(info.flags)]);
  if (info.dropCount !== undefined) options.push([OPT_EPB_DROPCOUNT, uint64(BigInt(info.dropCount))]);
  const block = makeBlock(BLOCK_EPB, 20 + pad4(captured), options);
  const view = viewOf(block);
  view.setUint32(8, info.interfaceId, true);
  setTime(view, 12, info.time);
  view.setUint32(20, captured, true);
  view.setUint32(24, original, true);
  return block;
}

/** Writes a block made by pcapngPacketBlock(). */
export function pcapngWriteBlock(writer: PcapngWriter, block: Uint8Array): void {
  writer.nrPackets++;
  writer.sink(block);
}

/** Writes the counters of an interface, after its last packet. */
export function pcapngWriteStatistics(writer: PcapngWriter, interfaceId: number, statistics: PcapngStatistics): void {
  const options: PcapngOption[] = [
    [OPT_ISB_STARTTIME, time(statistics.startTime)],
    [OPT_ISB_ENDTIME, time(statistics.endTime)],
    [OPT_ISB_IFRECV, uint64(BigInt(statistics.received))],
    [OPT_ISB_IFDROP, uint64(BigInt(statistics.dropped))],
  ];
  if (statistics.accepted !== undefined) options.push([OPT_ISB_FILTERACCEPT, uint64(BigInt(statistics.accepted))]);
  if (statistics.droppedByHost !== undefined) options.push([OPT_ISB_OSDROP, uint64(BigInt(statistics.droppedByHost))]);
  if (statistics.delivered !== undefined) options.push([OPT_ISB_USRDELIV, uint64(BigInt(statistics.delivered))]);
  const block = makeBlock(BLOCK_ISB, 12, options);
  const view = viewOf(block);
  view.setUint32(8, interfaceId, true);
  setTime(view, 12, statistics.endTime);
  writer.sink(block);
}

/** A block with `fixed` zero bytes of body, then the options: type and both lengths are filled in. */
function makeBlock(type: number, fixed: number, options: readonly PcapngOption[]): Uint8Array {
  let size = 12 + fixed;
  if (options.length > 0) size += 4; // opt_endofopt, all zero
  for (const [, value] of options) size += 4 + pad4(value.length);
  const block = new Uint8Array(size);
  const view = viewOf(block);
  view.setUint32(0, type, true);
  view.setUint32(4, size, true);
  view.setUint32(size - 4, size, true);
  let at = 8 + fixed;
  for (const [code, value] of options) {
    view.setUint16(at, code, true);
    view.setUint16(at + 2, value.length, true);
    block.set(value, at + 4);
    at += 4 + pad4(value.length);
  }
  return block;
}

function pad4(length: number): number {
  return (length + 3) & ~3;
}

function viewOf(block: Uint8Array): DataView {
  return new DataView(block.buffer, block.byteOffset, block.byteLength);
}

/** A 64-bit time as pcapng has it: the high 32 bits first, each half in the file's byte order. */
function setTime(view: DataView, at: number, nanoseconds: bigint): void {
  view.setUint32(at, Number(nanoseconds >> 32n), true);
  view.setUint32(at + 4, Number(nanoseconds & 0xffffffffn), true);
}

function time(nanoseconds: bigint): Uint8Array {
  const value = new Uint8Array(8);
  setTime(viewOf(value), 0, nanoseconds);
  return value;
}

function uint32(number: number): Uint8Array {
  const value = new Uint8Array(4);
  viewOf(value).setUint32(0, number, true);
  return value;
}

function uint64(number: bigint): Uint8Array {
  const value = new Uint8Array(8);
  viewOf(value).setBigUint64(0, number, true);
  return value;
}

/** The longest option value, so that a padded one still has a 16-bit length. */
const OPTION_MAX = 65532;

function utf8(text: string): Uint8Array {
  return utf8Octets(text, OPTION_MAX);
}

/** if_filter: an octet 0, for a filter in words, then its text. */
function filterValue(text: string): Uint8Array {
  return Uint8Array.of(0, ...utf8Octets(text, OPTION_MAX - 1));
}
