/*
 * --capture: what passes the server's NIC, a line a packet, from a PF_PACKET socket on the server.
 */
import { MAXIMUM_SNAPLEN, PLAIN, openCapture, stopCapture, textSink, type CaptureCounts } from '@stack/packet-capture';
import type { Segment } from './segment.ts';

export interface Watch {
  /** Ends it, and says how many there were. */
  readonly stop: () => CaptureCounts;
}

/** Prints the packets that `filter` (pcap-filter(7)) wants. Throws a FilterError for a bad one. */
export function watch(segment: Segment, filter: string, print: (text: string) => void): Watch {
  const colours = process.stdout.isTTY === true && (process.env['NO_COLOR'] ?? '') === '';
  const sink = textSink(PLAIN, 0, colours, print);
  const capture = openCapture(segment.server.net, segment.nicName, { filter, snaplen: MAXIMUM_SNAPLEN, onPacket: sink.packet });
  return { stop: () => stopCapture(capture) };
}
