// Reading a capture file, classic pcap or pcapng: what tcpdump -r and Wireshark open.
//
// openCapture() tells the format by the first bytes; captureNext() gives a packet at a time, so that what stands before a
// cut or damaged end is not lost; readCapture() is both as an iteration.

import { CaptureError, CaptureReader, type CaptureRecord } from './capture-record.ts';
import { pcapNext, pcapOpen } from './pcap-file.ts';
import { pcapngNext, pcapngOpen } from './pcapng-file.ts';

const GZIP_MAGIC = 0x1f8b;

/** Begins to read the capture file `bytes`, which stay the caller's and must not change. Throws a CaptureError if they are none. */
export function openCapture(bytes: Uint8Array): CaptureReader {
  const reader = new CaptureReader(bytes);
  if (pcapOpen(reader) || pcapngOpen(reader)) return reader;
  if (bytes.length >= 2 && reader.view.getUint16(0) === GZIP_MAGIC) throw new CaptureError('compressed file: gunzip it first', 0);
  if (bytes.length < 4) throw new CaptureError(`truncated dump file; tried to read 4 file header bytes, only got ${bytes.length}`, 0);
  throw new CaptureError('unknown file format: neither pcap nor pcapng', 0);
}

/**
 * The next packet of the file, or null at its end. Throws a CaptureError, as tcpdump says it, where the file is cut or damaged;
 * what was read before stands. The reader's `interfaces` are those described so far.
 */
export function captureNext(reader: CaptureReader): CaptureRecord | null {
  return reader.format === 'pcap' ? pcapNext(reader) : pcapngNext(reader);
}

/** The packets of the capture file `bytes`, in order. Throws a CaptureError as openCapture() and captureNext() do. */
export function* readCapture(bytes: Uint8Array): Generator<CaptureRecord, void, undefined> {
  const reader = openCapture(bytes);
  for (let record = captureNext(reader); record !== null; record = captureNext(reader)) yield record;
}
