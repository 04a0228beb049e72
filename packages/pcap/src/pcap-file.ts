// Reading classic pcap: a file header, then packets, each behind a header of 16 bytes.
//
// pcapOpen() tells the byte order, the unit of the fraction and the variant by the magic; pcapNext() reads a packet.
// Read first: draft-ietf-opsawg-pcap §4 (file header), §5 (packet record). The variants are those that tcpdump reads.

import { CaptureError, CaptureInterface, CaptureRecord, maximumCaplen, type CaptureReader } from './capture-record.ts';

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
/** Alexey Kuznetsov's patched libpcap: packet headers have an interface index, a protocol and a type besides. */
const MAGIC_KUZNETSOV = 0xa1b2cd34;
/** Navtel Communications': as classic, by another name. */
const MAGIC_NAVTEL = 0xa12b3c4d;

const MAGICS: readonly number[] = [MAGIC_MICROSECONDS, MAGIC_NANOSECONDS, MAGIC_KUZNETSOV, MAGIC_NAVTEL];

const FILE_HEADER = 24;
/** In the link type's word: the low 26 bits; above is the length of an FCS. */
const LINKTYPE_MASK = 0x03ffffff;
const LINKTYPE_RAW = 101;
/** DLT_RAW, as it was numbered where files were written before there were LINKTYPE_s. */
const DLT_RAWS: readonly number[] = [12, 14];

/** Takes the reader for a classic pcap file and reads its header; false if it is none. Throws a CaptureError if the header is cut. */
export function pcapOpen(reader: CaptureReader): boolean {
  const { view, bytes } = reader;
  if (bytes.length < 4) return false;
  reader.littleEndian = MAGICS.includes(view.getUint32(0, true));
  const magic = view.getUint32(0, reader.littleEndian);
  if (!MAGICS.includes(magic)) return false;
  if (bytes.length < FILE_HEADER) throw truncated(FILE_HEADER, 'file header', bytes.length, 0);
  readVersion(reader);
  const linkType = view.getUint32(20, reader.littleEndian) & LINKTYPE_MASK;
  const snapLen = view.getUint32(16, reader.littleEndian);
  const only = new CaptureInterface(DLT_RAWS.includes(linkType) ? LINKTYPE_RAW : linkType, snapLen > 0x7fffffff ? 0 : snapLen);
  if (magic === MAGIC_NANOSECONDS) only.resolution = 9;
  reader.interfaces.push(only);
  reader.format = 'pcap';
  reader.fractionDigits = only.resolution;
  reader.headerLength = magic === MAGIC_KUZNETSOV ? 24 : 16;
  reader.at = FILE_HEADER;
  return true;
}

/** Which of a packet's two lengths comes first has changed with version 2.3; DG/UX's tcpdump writes 543.0, the old way. */
function readVersion(reader: CaptureReader): void {
  const major = reader.view.getUint16(4, reader.littleEndian);
  const minor = reader.view.getUint16(6, reader.littleEndian);
  if (major < 2) throw new CaptureError(`archaic pcap savefile format, version ${major}.${minor}`, 4);
  if ((major === 2 && minor < 3) || (major === 543 && minor === 0)) reader.lengthsSwapped = alwaysSwapped;
  else if (major === 2 && minor === 3) reader.lengthsSwapped = swappedIfLonger;
  else if (major > 2 || minor > 4) throw new CaptureError(`unsupported pcap savefile version ${major}.${minor}`, 4);
}

function alwaysSwapped(): boolean {
  return true;
}

function swappedIfLonger(caplen: number, wirelen: number): boolean {
  return caplen > wirelen;
}

/** The next packet; null at the end of the file. Throws a CaptureError where the file is cut or a length cannot be. */
export function pcapNext(reader: CaptureReader): CaptureRecord | null {
  const { view, littleEndian, at, headerLength } = reader;
  const left = reader.bytes.length - at;
  if (left === 0) return null;
  if (left < headerLength) throw truncated(headerLength, 'header', left, at);
  const first = view.getUint32(at + 8, littleEndian);
  const second = view.getUint32(at + 12, littleEndian);
  const swapped = reader.lengthsSwapped(first, second);
  const stored = swapped ? second : first;
  const only = reader.interfaces[0]!;
  if (stored > maximumCaplen(only.linkType)) {
    throw new CaptureError(`invalid packet capture length ${stored}, bigger than maximum of ${maximumCaplen(only.linkType)}`, at);
  }
  if (left - headerLength < stored) throw truncated(stored, 'captured', left - headerLength, at);
  reader.at = at + headerLength + stored;
  const seconds = BigInt(view.getUint32(at, littleEndian));
  const fraction = BigInt(view.getUint32(at + 4, littleEndian) * (reader.fractionDigits === 9 ? 1 : 1000));
  // Some writers store more than the length that their header promises; what is beyond it is not part of the packet.
  const caplen = only.snapLen !== 0 && stored > only.snapLen ? only.snapLen : stored;
  return new CaptureRecord(reader, 0, seconds * 1_000_000_000n + fraction, caplen, swapped ? first : second, at + headerLength);
}

function truncated(wanted: number, what: string, got: number, at: number): CaptureError {
  return new CaptureError(`truncated dump file; tried to read ${wanted} ${what} bytes, only got ${got}`, at);
}
