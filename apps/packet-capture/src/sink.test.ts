import { captureNext, openCapture, type CaptureRecord } from '@stack/pcap';
import { describe, expect, test } from 'vitest';
import type { CapturedPacket } from './capture.ts';
import { pcapngSink } from './sink.ts';

const packet = (interfaceName: string, dropCount: number, comments: readonly string[] = []): CapturedPacket => ({
  interfaceName, dropCount, comments, linkType: 1, time: 1_000_000_000n, caplen: 60, wirelen: 60, data: new Uint8Array(60), offset: 0, flags: 0,
});

describe('pcapng', () => {
  test('what was lost before a packet stands with it, what was lost in all at the end; names and comments too', () => {
    const file: number[] = [];
    const sink = pcapngSink({ comment: 'of the file', filter: 'arp', snaplen: 100 }, { name: 'a/any', linkType: 1 }, (chunk) => file.push(...chunk));
    sink.packet(packet('a/eth0', 0));
    sink.packet(packet('a/eth1', 3, ['of a packet']));
    sink.end({ captured: 2, received: 9, dropped: 7 });

    const reader = openCapture(Uint8Array.from(file));
    const records: CaptureRecord[] = [];
    for (let record = captureNext(reader); record !== null; record = captureNext(reader)) records.push(record);
    expect(records.map(({ interfaceName, dropCount, comments }) => [interfaceName, dropCount, comments])).toEqual([
      ['a/eth0', 0, []], ['a/eth1', 3, ['of a packet']],
    ]);
    expect(reader.comments).toEqual(['of the file']);
    expect(reader.interfaces.map(({ name, filter }) => [name, filter])).toEqual([['a/any', 'arp'], ['a/eth0', 'arp'], ['a/eth1', 'arp']]);
    expect(reader.interfaces.map(({ received, dropped }) => [received, dropped])).toEqual([[9n, 7n], [null, null], [null, null]]);
  });
});
