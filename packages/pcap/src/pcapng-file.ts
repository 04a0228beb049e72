// Reading pcapng: sections of blocks, in either byte order.
//
// pcapngOpen() knows the section header; pcapngNext() walks the blocks up to the next packet: a section header starts a new
// list of interfaces, an interface description adds to it, statistics go to their interface, what is not known is passed over.
// Read first: draft-ietf-opsawg-pcapng §3.1 (block), §3.5 (options), §4.

import { CaptureError, CaptureInterface, CaptureRecord, maximumCaplen, type CaptureReader } from './capture-record.ts';
import {
  BLOCK_EPB, BLOCK_IDB, BLOCK_ISB, BLOCK_SHB, BYTE_ORDER_MAGIC, OPT_COMMENT, OPT_EPB_DROPCOUNT, OPT_EPB_FLAGS, OPT_IF_DESCRIPTION,
  OPT_IF_FILTER, OPT_IF_NAME, OPT_IF_TSRESOL, OPT_ISB_IFDROP, OPT_ISB_IFRECV,
} from './pcapng-blocks.ts';
import { utf8Text } from './utf8.ts';

/** The packet block of old, and the packet block that says nothing but the length. */
const BLOCK_OPB = 2;
const BLOCK_SPB = 3;
const OPT_ENDOFOPT = 0;
const OPT_IF_TSOFFSET = 14;

/** A block's type, its length in front and behind. */
const BLOCK_HEADER = 8;
const BLOCK_OVERHEAD = 12;
/** A block that is larger is a damaged length: no packet may be. */
const BLOCK_MAX = 256 << 20;
/** In an OPB: the number of lost packets is not known. */
const NO_DROP_COUNT = 0xffff;

/** Takes the reader for a pcapng file; false if it is none. The section header is left for pcapngNext(). */
export function pcapngOpen(reader: CaptureReader): boolean {
  if (reader.bytes.length < 4 || reader.view.getUint32(0, true) !== BLOCK_SHB) return false;
  reader.format = 'pcapng';
  return true;
}

/** The next packet; null at the end of the file. Throws a CaptureError where the file is cut or contradicts itself. */
export function pcapngNext(reader: CaptureReader): CaptureRecord | null {
  while (reader.at < reader.bytes.length) {
    const at = reader.at;
    const end = at + blockLength(reader, at);
    reader.at = end;
    const body = at + BLOCK_HEADER;
    const type = reader.view.getUint32(at, reader.littleEndian);
    if (type === BLOCK_EPB) return enhancedPacket(reader, body, end - 4);
    if (type === BLOCK_SPB) return simplePacket(reader, body, end - 4);
    if (type === BLOCK_OPB) return oldPacket(reader, body, end - 4);
    if (type === BLOCK_SHB) sectionHeader(reader, body, end - 4);
    else if (type === BLOCK_IDB) interfaceDescription(reader, body, end - 4);
    else if (type === BLOCK_ISB) interfaceStatistics(reader, body, end - 4);
  }
  return null;
}

/** The length of the block at `at`, checked; of a section header, sets the byte order first. */
function blockLength(reader: CaptureReader, at: number): number {
  const { view } = reader;
  const left = reader.bytes.length - at;
  if (left < BLOCK_OVERHEAD) throw truncated(BLOCK_OVERHEAD, left, at);
  if (view.getUint32(at, true) === BLOCK_SHB) {
    reader.littleEndian = view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC;
    if (view.getUint32(at + 8, reader.littleEndian) !== BYTE_ORDER_MAGIC) throw new CaptureError('a pcapng section has no byte-order magic', at);
  }
  const length = view.getUint32(at + 4, reader.littleEndian);
  if (length < BLOCK_OVERHEAD || length > BLOCK_MAX) throw new CaptureError(`block in pcapng dump file has a length of ${length}`, at);
  if (length % 4 !== 0) throw new CaptureError(`block in pcapng dump file has a length of ${length} that is not a multiple of 4`, at);
  if (left < length) throw truncated(length, left, at);
  if (view.getUint32(at + length - 4, reader.littleEndian) !== length) throw new CaptureError("block total length in header and trailer don't match", at);
  return length;
}

function sectionHeader(reader: CaptureReader, at: number, end: number): void {
  need(at, 16, end, 'section header');
  const major = reader.view.getUint16(at + 4, reader.littleEndian);
  const minor = reader.view.getUint16(at + 6, reader.littleEndian);
  // 1.2 was written by mistake and is 1.0.
  if (major !== 1 || (minor !== 0 && minor !== 2)) throw new CaptureError(`unsupported pcapng savefile version ${major}.${minor}`, at + 4);
  reader.sectionInterfaces = reader.interfaces.length;
  eachOption(reader, at + 16, end, (code, value, length) => {
    if (code === OPT_COMMENT) reader.comments.push(utf8Text(reader.bytes, value, length));
  });
}

function interfaceDescription(reader: CaptureReader, at: number, end: number): void {
  need(at, 8, end, 'interface description');
  const { view, littleEndian, bytes } = reader;
  const described = new CaptureInterface(view.getUint16(at, littleEndian), view.getUint32(at + 4, littleEndian));
  eachOption(reader, at + 8, end, (code, value, length) => {
    if (code === OPT_COMMENT) described.comments.push(utf8Text(bytes, value, length));
    else if (code === OPT_IF_NAME) described.name = utf8Text(bytes, value, length);
    else if (code === OPT_IF_DESCRIPTION) described.description = utf8Text(bytes, value, length);
    // The first octet says how the filter is written; 0: in words.
    else if (code === OPT_IF_FILTER && length > 0 && bytes[value] === 0) described.filter = utf8Text(bytes, value + 1, length - 1);
    else if (code === OPT_IF_TSRESOL && length > 0) described.resolution = resolution(bytes[value]!);
    else if (code === OPT_IF_TSOFFSET && length === 8) described.timeOffset = view.getBigInt64(value, littleEndian) * 1_000_000_000n;
  });
  reader.interfaces.push(described);
}

/** if_tsresol: the top bit says whether the rest is a power of 2 or of 10. */
function resolution(value: number): number {
  return (value & 0x80) === 0 ? value : -(value & 0x7f);
}

function interfaceStatistics(reader: CaptureReader, at: number, end: number): void {
  need(at, 12, end, 'interface statistics');
  const { view, littleEndian } = reader;
  const of = reader.interfaces[interfaceAt(reader, view.getUint32(at, littleEndian), at)]!;
  eachOption(reader, at + 12, end, (code, value, length) => {
    if (code === OPT_ISB_IFRECV && length === 8) of.received = view.getBigUint64(value, littleEndian);
    else if (code === OPT_ISB_IFDROP && length === 8) of.dropped = view.getBigUint64(value, littleEndian);
  });
}

function enhancedPacket(reader: CaptureReader, at: number, end: number): CaptureRecord {
  need(at, 20, end, 'enhanced packet');
  const { view, littleEndian } = reader;
  const id = interfaceAt(reader, view.getUint32(at, littleEndian), at);
  const caplen = view.getUint32(at + 12, littleEndian);
  const record = packet(reader, id, at, at + 20, end, caplen, view.getUint32(at + 16, littleEndian));
  packetOptions(reader, record, at + 20 + pad4(caplen), end);
  return record;
}

function oldPacket(reader: CaptureReader, at: number, end: number): CaptureRecord {
  need(at, 20, end, 'packet');
  const { view, littleEndian } = reader;
  const id = interfaceAt(reader, view.getUint16(at, littleEndian), at);
  const caplen = view.getUint32(at + 12, littleEndian);
  const record = packet(reader, id, at, at + 20, end, caplen, view.getUint32(at + 16, littleEndian));
  const lost = view.getUint16(at + 2, littleEndian);
  if (lost !== NO_DROP_COUNT) record.dropCount = lost;
  packetOptions(reader, record, at + 20 + pad4(caplen), end);
  return record;
}

/** §4.4: of the first interface, without a time; its stored length is what the interface stores. */
function simplePacket(reader: CaptureReader, at: number, end: number): CaptureRecord {
  need(at, 4, end, 'simple packet');
  const id = interfaceAt(reader, 0, at);
  const wirelen = reader.view.getUint32(at, reader.littleEndian);
  const { snapLen } = reader.interfaces[id]!;
  return packet(reader, id, -1, at + 4, end, snapLen === 0 ? wirelen : Math.min(wirelen, snapLen), wirelen);
}

/** A record of `caplen` bytes at `data`; the time is in the two words after `header`, or there is none if it is negative. */
function packet(reader: CaptureReader, id: number, header: number, data: number, end: number, caplen: number, wirelen: number): CaptureRecord {
  const of = reader.interfaces[id]!;
  if (caplen > maximumCaplen(of.linkType)) {
    throw new CaptureError(`invalid packet capture length ${caplen}, bigger than maximum of ${maximumCaplen(of.linkType)}`, data);
  }
  need(data, caplen, end, 'packet');
  return new CaptureRecord(reader, id, header < 0 ? 0n : timeAt(reader, of, header + 4), caplen, wirelen, data);
}

/** Nanoseconds since 1970. */
function timeAt(reader: CaptureReader, of: CaptureInterface, at: number): bigint {
  const { view, littleEndian } = reader;
  const units = (BigInt(view.getUint32(at, littleEndian)) << 32n) | BigInt(view.getUint32(at + 4, littleEndian));
  const digits = of.resolution;
  if (digits < 0) return ((units * 1_000_000_000n) >> BigInt(-digits)) + of.timeOffset;
  if (digits <= 9) return units * powerOfTen(9 - digits) + of.timeOffset;
  return units / powerOfTen(digits - 9) + of.timeOffset;
}

function powerOfTen(digits: number): bigint {
  let power = 1n;
  for (let i = 0; i < digits; i++) power *= 10n;
  return power;
}

function packetOptions(reader: CaptureReader, record: CaptureRecord, at: number, end: number): void {
  const { view, littleEndian } = reader;
  const comments: string[] = [];
  eachOption(reader, at, end, (code, value, length) => {
    if (code === OPT_COMMENT) comments.push(utf8Text(reader.bytes, value, length));
    else if (code === OPT_EPB_FLAGS && length === 4) record.flags = view.getInt32(value, littleEndian);
    else if (code === OPT_EPB_DROPCOUNT && length === 8) record.dropCount = Number(view.getBigUint64(value, littleEndian));
  });
  if (comments.length > 0) record.comments = comments;
}

/** Calls `visit` with the code of each option between `at` and `end`, and where its value is. */
function eachOption(reader: CaptureReader, at: number, end: number, visit: (code: number, value: number, length: number) => void): void {
  const { view, littleEndian } = reader;
  while (at + 4 <= end) {
    const code = view.getUint16(at, littleEndian);
    const length = view.getUint16(at + 2, littleEndian);
    if (code === OPT_ENDOFOPT) return;
    need(at + 4, length, end, 'option');
    visit(code, at + 4, length);
    at += 4 + pad4(length);
  }
}

/** The place of interface `id` of the current section in the reader's list. */
function interfaceAt(reader: CaptureReader, id: number, at: number): number {
  const place = reader.sectionInterfaces + id;
  if (place >= reader.interfaces.length) throw new CaptureError(`a packet or statistics block has interface ${id}, which the section does not describe`, at);
  return place;
}

function need(at: number, length: number, end: number, what: string): void {
  if (at + length > end) throw new CaptureError(`a pcapng ${what} of ${length} bytes is longer than its block`, at);
}

function truncated(wanted: number, got: number, at: number): CaptureError {
  return new CaptureError(`truncated pcapng dump file; tried to read ${wanted} bytes, only got ${got}`, at);
}

function pad4(length: number): number {
  return (length + 3) & ~3;
}
