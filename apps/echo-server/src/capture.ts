/*
 * --pcap: every NIC of the segment into one pcapng file, each an interface of its own.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { devGetByName } from '@stack/netdev';
import { capture, createPcapngWriter, stopCapture, type Capture } from '@stack/pcap';
import { hostsOf, type Segment } from './segment.ts';

export interface CaptureFile {
  readonly path: string;
  /** Octets written so far. */
  readonly size: () => number;
  readonly close: () => void;
}

/** Opens (and empties) `path`; throws as node:fs does. The file is whole after close(). */
export function captureTo(path: string, segment: Segment): CaptureFile {
  const file = openSync(path, 'w');
  let size = 0;
  const writer = createPcapngWriter((chunk) => {
    size += writeSync(file, chunk);
  }, 'the echo server of @stack');
  const taps: Capture[] = [];
  for (const host of hostsOf(segment)) {
    const dev = devGetByName(host.net, segment.nicName);
    if (dev !== null) taps.push(capture(dev, writer));
  }
  return {
    path,
    size: () => size,
    close: () => {
      for (const tap of taps) stopCapture(tap);
      closeSync(file);
    },
  };
}
