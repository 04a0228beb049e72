// The sample captures of tcpdump and Wireshark (scripts/debian-captures.mjs), read and sorted for tests.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { CaptureError, captureNext, openCapture, type CaptureRecord } from '@stack/pcap';
import { debianCaptures } from '../../scripts/debian-captures.mjs';

/** Why there are no captures here; empty if there are. Fetches them the first time. */
export const { missing: missingCaptures, folders } = debianCaptures();

/** A capture file: what could be read of it, and why not the rest. */
export interface SampleCapture {
  readonly file: string;
  readonly name: string;
  readonly records: readonly CaptureRecord[];
  readonly error: string;
}

/** All files that are captures, by their first bytes; compressed ones are not, as they are for tcpdump. */
export function sampleFiles(): string[] {
  const files = folders.flatMap((folder) => readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(folder, entry.name)));
  return files.filter((file) => /\.(pcap|cap|pcapng)(\.\d)?$/.test(file)).sort();
}

/** Every capture, those in gzip, too. */
export function sampleCaptures(): SampleCapture[] {
  const compressed = folders.flatMap((folder) => readdirSync(folder).filter((name) => /cap(ng)?\.gz$/.test(name)).map((name) => join(folder, name)));
  return [...sampleFiles(), ...compressed.sort()].map(readSample);
}

/** One capture, as far as it can be read. */
export function readSample(file: string): SampleCapture {
  const stored = readFileSync(file);
  const bytes = file.endsWith('.gz') ? gunzipSync(stored) : stored;
  const records: CaptureRecord[] = [];
  try {
    const reader = openCapture(bytes);
    for (let record = captureNext(reader); record !== null; record = captureNext(reader)) records.push(record);
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    return { file, name: basename(file), records, error: error.message };
  }
  return { file, name: basename(file), records, error: '' };
}
