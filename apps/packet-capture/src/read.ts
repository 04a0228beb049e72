/*
 * -r: the packets of a file that pass the filter, each link type with a program of its own.
 */
import { LINKTYPE_ETHERNET, captureNext, openCapture, type CaptureReader, type CaptureRecord } from '@stack/pcap';
import { compileFilter, type Filter } from '@stack/pcap-filter';
import type { CapturedPacket } from './capture.ts';

const linkNames: Readonly<Record<number, string>> = {
  0: 'NULL (BSD loopback)', 1: 'EN10MB (Ethernet)', 9: 'PPP (PPP)', 101: 'RAW (Raw IP)', 105: 'IEEE802_11 (802.11)', 108: 'LOOP (OpenBSD loopback)',
  113: 'LINUX_SLL (Linux cooked v1)', 127: 'IEEE802_11_RADIO (802.11 plus radiotap header)', 228: 'IPV4 (Raw IPv4)',
  229: 'IPV6 (Raw IPv6)', 276: 'LINUX_SLL2 (Linux cooked v2)',
};

/** A link type in the words of tcpdump. */
export function linkTypeText(linkType: number): string {
  return linkNames[linkType] ?? `${linkType}`;
}

/** A file that is being read through a filter. */
export class FilteredFile {
  reader: CaptureReader;
  filter: string;
  filters: Map<number, Filter>;
  /** Read, and not yet asked for: the first packet, from which the link type is known. */
  pending: CaptureRecord | null;

  constructor(reader: CaptureReader, filter: string) {
    this.reader = reader;
    this.filter = filter;
    this.filters = new Map();
    this.pending = captureNext(reader);
  }
}

/** Begins to read `bytes`. Throws a CaptureError if they are no capture, a FilterError for a bad filter. */
export function openFile(bytes: Uint8Array, filter: string): FilteredFile {
  const file = new FilteredFile(openCapture(bytes), filter);
  filterOf(file, file.pending?.linkType ?? file.reader.interfaces[0]?.linkType ?? LINKTYPE_ETHERNET);
  return file;
}

function filterOf(file: FilteredFile, linkType: number): Filter {
  let filter = file.filters.get(linkType);
  if (filter === undefined) {
    filter = compileFilter(file.filter, { linkType, bigEndian: file.reader.format === 'pcap' && !file.reader.littleEndian });
    file.filters.set(linkType, filter);
  }
  return filter;
}

/** The next packet that passes, or null at the end. Throws a CaptureError where the file is damaged. */
export function nextPacket(file: FilteredFile): CapturedPacket | null {
  for (;;) {
    const record = file.pending ?? captureNext(file.reader);
    file.pending = null;
    if (record === null) return null;
    const { match } = filterOf(file, record.linkType);
    if (match(record.data, record.offset, record.caplen, record.wirelen)) return record;
  }
}
