// What a capture file holds, whichever its format: packets, and the interfaces that they were seen on.
//
// A reader is made by openCapture(); pcap-file.ts and pcapng-file.ts fill it. A record points into the file's own bytes.

/** An interface of a capture file. A classic pcap file has one, without a name. */
export class CaptureInterface {
  linkType: number;
  /** Most bytes stored of one packet; 0: all. */
  snapLen: number;
  name: string | null;
  description: string | null;
  /** The capture filter, in words. */
  filter: string | null;
  comments: string[];
  /** Time in units of 10 ** -`resolution` seconds; negative: of 2 ** `resolution`. */
  resolution: number;
  /** Nanoseconds to add to every time. */
  timeOffset: bigint;
  /** What the interface's statistics say, or null. */
  received: bigint | null;
  dropped: bigint | null;

  constructor(linkType: number, snapLen: number) {
    this.linkType = linkType;
    this.snapLen = snapLen;
    this.name = null;
    this.description = null;
    this.filter = null;
    this.comments = [];
    this.resolution = 6;
    this.timeOffset = 0n;
    this.received = null;
    this.dropped = null;
  }
}

/** A packet of a capture file. */
export class CaptureRecord {
  /** Its place in the file, from 1. */
  number: number;
  /** Its place in the reader's list of interfaces. */
  interfaceId: number;
  interfaceName: string | null;
  /** LINKTYPE_*. */
  linkType: number;
  /** Nanoseconds since 1970; 0 where the file has none. */
  time: bigint;
  /** Bytes stored, and bytes that the packet had on the wire. */
  caplen: number;
  wirelen: number;
  /** The stored bytes are `data[offset]` to `data[offset + caplen - 1]`: `data` is the file, and not to be changed. */
  data: Uint8Array;
  offset: number;
  /** EPB_*; 0: nothing is said. */
  flags: number;
  /** Packets lost before this one on its interface; 0: none, or nothing is said. */
  dropCount: number;
  comments: readonly string[];

  constructor(reader: CaptureReader, interfaceId: number, time: bigint, caplen: number, wirelen: number, offset: number) {
    const seenOn = reader.interfaces[interfaceId] ?? null;
    this.number = ++reader.nrPackets;
    this.interfaceId = interfaceId;
    this.interfaceName = seenOn === null ? null : seenOn.name;
    this.linkType = seenOn === null ? 0 : seenOn.linkType;
    this.time = time;
    this.caplen = caplen;
    this.wirelen = wirelen;
    this.data = reader.bytes;
    this.offset = offset;
    this.flags = 0;
    this.dropCount = 0;
    this.comments = NO_COMMENTS;
  }
}

const NO_COMMENTS: readonly string[] = [];

/** A capture file that is being read. */
export class CaptureReader {
  bytes: Uint8Array;
  view: DataView;
  /** Where the next packet or block begins. */
  at: number;
  format: 'pcap' | 'pcapng';
  littleEndian: boolean;
  interfaces: CaptureInterface[];
  /** pcapng: the first interface of the current section. */
  sectionInterfaces: number;
  /** pcapng: what the sections' comments say. */
  comments: string[];
  nrPackets: number;
  /** pcap: bytes of a packet's header, digits of the fraction of a second, and whether the two lengths are swapped. */
  headerLength: number;
  fractionDigits: number;
  lengthsSwapped: (caplen: number, wirelen: number) => boolean;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
    this.format = 'pcap';
    this.littleEndian = true;
    this.interfaces = [];
    this.sectionInterfaces = 0;
    this.comments = [];
    this.nrPackets = 0;
    this.headerLength = 16;
    this.fractionDigits = 6;
    this.lengthsSwapped = neverSwapped;
  }
}

function neverSwapped(): boolean {
  return false;
}

/** The largest packet that a file may hold: what is larger is a damaged length, as libpcap has it. */
const MAXIMUM_SNAPLEN = 262_144;

/** LINKTYPE_s whose packets may be larger than MAXIMUM_SNAPLEN: D-Bus, USBPcap, EBHSCR, and USB of Linux and macOS. */
const MAXIMUM_SNAPLENS: ReadonlyMap<number, number> = new Map([
  [231, 128 << 20], [249, 128 << 20], [279, 8 << 20], [220, 128 << 20], [189, 128 << 20], [266, 128 << 20],
]);

/** Most bytes that a packet of this link type may have in a file. */
export function maximumCaplen(linkType: number): number {
  return MAXIMUM_SNAPLENS.get(linkType) ?? MAXIMUM_SNAPLEN;
}

/** What is wrong with a capture file. The packets before it have been read. */
export class CaptureError extends Error {
  /** Offset in the file. */
  position: number;

  constructor(message: string, position: number) {
    super(message);
    this.name = 'CaptureError';
    this.position = position;
  }
}
