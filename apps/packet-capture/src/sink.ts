/*
 * Where packets go: lines of text, a pcapng file, or a number.
 */
import {
  createPcapngWriter, pcapngAddInterface, pcapngPacketBlock, pcapngWriteBlock, pcapngWriteStatistics, EPB_DATA,
  type PcapngWriter,
} from '@stack/pcap';
import type { CaptureCounts, CapturedPacket } from './capture.ts';
import { colourLine } from './colour.ts';
import type { PrintOptions } from './print/dissect.ts';
import { createPrinter, printPacket } from './print/line.ts';
import type { TimeForm } from './print/timestamp.ts';

export interface Sink {
  readonly packet: (packet: CapturedPacket) => void;
  /** What a capture on a host had at its end; null for a file that was read. */
  readonly end: (counts: CaptureCounts | null) => void;
}

/** Prints each packet by `write`, a line (or lines) with its line end. */
export function textSink(options: PrintOptions, timeForm: TimeForm, colours: boolean, write: (text: string) => void): Sink {
  const printer = createPrinter(options, timeForm);
  return {
    packet: (packet) => {
      const text = printPacket(printer, packet);
      write(`${colours ? colourLine(text) : text}\n`);
    },
    end: () => undefined,
  };
}

/** Counts, and says how many there were. */
export function countSink(write: (text: string) => void): Sink {
  let count = 0;
  return {
    packet: () => {
      count++;
    },
    end: () => write(`${count} packet${count === 1 ? '' : 's'}\n`),
  };
}

/** The interface of a capture that runs. */
export interface LiveInterface {
  readonly name: string;
  readonly linkType: number;
}

export interface PcapngOptions {
  readonly comment: string;
  readonly filter: string;
  readonly snaplen: number;
}

/** The interfaces of a file in the making: by name and link type. */
class Interfaces {
  writer: PcapngWriter;
  options: PcapngOptions;
  ids: Map<string, number>;
  firstTime: bigint;
  lastTime: bigint;

  constructor(writer: PcapngWriter, options: PcapngOptions) {
    this.writer = writer;
    this.options = options;
    this.ids = new Map();
    this.firstTime = 0n;
    this.lastTime = 0n;
  }
}

function interfaceId(interfaces: Interfaces, name: string, linkType: number): number {
  const key = `${linkType} ${name}`;
  let id = interfaces.ids.get(key);
  if (id === undefined) {
    const { filter, snaplen } = interfaces.options;
    id = pcapngAddInterface(interfaces.writer, { name, linkType, snapLen: snaplen, ...(filter === '' ? {} : { filter }) });
    interfaces.ids.set(key, id);
  }
  return id;
}

/**
 * Writes pcapng by `write`: interfaces with their names, drop counts, comments, and, of a capture, its counts at the end. `live` is described even
 * if no packet comes.
 */
export function pcapngSink(options: PcapngOptions, live: LiveInterface | null, write: (chunk: Uint8Array) => void): Sink {
  const interfaces = new Interfaces(createPcapngWriter(write, options.comment), options);
  if (live !== null) interfaceId(interfaces, live.name, live.linkType);
  return {
    packet: (packet) => {
      if (interfaces.firstTime === 0n) interfaces.firstTime = packet.time;
      interfaces.lastTime = packet.time;
      const info = {
        interfaceId: interfaceId(interfaces, packet.interfaceName ?? '', packet.linkType),
        time: packet.time,
        flags: packet.flags,
        ...(packet.dropCount === 0 ? {} : { dropCount: packet.dropCount }),
        ...(packet.comments.length === 0 ? {} : { comment: packet.comments.join('\n') }),
      };
      const caplen = Math.min(packet.caplen, options.snaplen);
      const block = pcapngPacketBlock(info, caplen, packet.wirelen);
      block.set(packet.data.subarray(packet.offset, packet.offset + caplen), EPB_DATA);
      pcapngWriteBlock(interfaces.writer, block);
    },
    end: (counts) => {
      if (counts === null || live === null) return;
      pcapngWriteStatistics(interfaces.writer, 0, {
        startTime: interfaces.firstTime, endTime: interfaces.lastTime, received: counts.received, dropped: counts.dropped,
        accepted: counts.received, droppedByHost: counts.dropped, delivered: counts.captured,
      });
    },
  };
}
