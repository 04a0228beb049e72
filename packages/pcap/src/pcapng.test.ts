import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  EPB_INBOUND, EPB_UNICAST, LINKTYPE_ETHERNET, LINKTYPE_RAW, createPcapngWriter, pcapngAddInterface, pcapngWritePacket,
  pcapngWriteStatistics,
} from './pcapng.ts';
import { join, option, readBlocks, readPackets, text, uint64 } from './test-pcapng.ts';

const FRAME = Uint8Array.from({ length: 61 }, (_, i) => i);

/** A file with one interface, and whatever `more` writes. */
function file(more: (writer: ReturnType<typeof createPcapngWriter>) => void = () => undefined): Uint8Array {
  const chunks: Uint8Array[] = [];
  const writer = createPcapngWriter((chunk) => chunks.push(chunk), 'of a test');
  pcapngAddInterface(writer, { name: 'a/eth0', linkType: LINKTYPE_ETHERNET, macAddress: Uint8Array.of(2, 0, 0, 0, 0, 1) });
  more(writer);
  return join(chunks);
}

describe('pcapng', () => {
  test('§4.1: the section header has the byte-order magic, version 1.0 and an unknown section length', () => {
    const [section] = readBlocks(file());
    expect(section?.type).toBe(0x0a0d0d0a);
    expect(section?.body.getUint32(0, true)).toBe(0x1a2b3c4d);
    expect([section?.body.getUint16(4, true), section?.body.getUint16(6, true)]).toEqual([1, 0]);
    expect(section?.body.getBigInt64(8, true)).toBe(-1n);
    expect(text(section!, 1)).toBe('of a test');
  });

  test('§4.2: an interface has its name, address, link type and a resolution of nanoseconds', () => {
    const described = readBlocks(file())[1]!;
    expect(described.type).toBe(1);
    expect(described.body.getUint16(0, true)).toBe(1);
    expect(described.body.getUint32(4, true)).toBe(0);
    expect(text(described, 2)).toBe('a/eth0');
    expect([...option(described, 6)]).toEqual([2, 0, 0, 0, 0, 1]);
    expect([...option(described, 9)]).toEqual([9]);
  });

  test('§4.2: interfaces are numbered in the order of their blocks', () => {
    const ids: number[] = [];
    file((writer) => {
      ids.push(pcapngAddInterface(writer, { name: 'b', linkType: LINKTYPE_RAW }), pcapngAddInterface(writer, { name: 'c', linkType: LINKTYPE_RAW }));
    });
    expect(ids).toEqual([1, 2]);
  });

  test('§4.3: a packet comes back with its time to the nanosecond, its flags, drop count and comment', () => {
    const time = 1_700_000_000_123_456_789n;
    const [packet] = readPackets(file((writer) => {
      pcapngWritePacket(writer, { interfaceId: 0, time, flags: EPB_INBOUND | EPB_UNICAST, dropCount: 7, comment: 'größer 数据 🙂' }, FRAME);
    }));
    expect(packet?.time).toBe(time);
    expect(packet?.data).toEqual(FRAME);
    expect(packet?.original).toBe(61);
    expect([...option(packet!, 2)]).toEqual([5, 0, 0, 0]);
    expect(uint64(option(packet!, 4))).toBe(7n);
    expect(text(packet!, 1)).toBe('größer 数据 🙂');
  });

  test('§4.3: data and options of any length are padded to 32 bits', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), fc.string({ unit: fc.constantFrom('a', 'ä', '数', '🙂'), maxLength: 20 }), (data, comment) => {
      const [packet] = readPackets(file((writer) => pcapngWritePacket(writer, { interfaceId: 0, time: 0n, comment }, data)));
      expect(packet?.data).toEqual(data);
      expect(text(packet!, 1)).toBe(comment);
    }));
  });

  test('§3.5: a comment that an option cannot hold is cut between two characters', () => {
    const [packet] = readPackets(file((writer) => pcapngWritePacket(writer, { interfaceId: 0, time: 0n, comment: 'ä'.repeat(40_000) }, FRAME)));
    expect(text(packet!, 1)).toBe('ä'.repeat(32_766));
  });

  test('§4.6: the statistics of an interface have its times and counters', () => {
    const [statistics] = readBlocks(file((writer) => {
      pcapngWriteStatistics(writer, 0, { startTime: 5n << 32n, endTime: (6n << 32n) + 1n, received: 9, dropped: 2 });
    })).slice(-1);
    expect(statistics?.type).toBe(5);
    expect([...option(statistics!, 2)]).toEqual([5, 0, 0, 0, 0, 0, 0, 0]);
    expect([...option(statistics!, 3)]).toEqual([6, 0, 0, 0, 1, 0, 0, 0]);
    expect(uint64(option(statistics!, 4))).toBe(9n);
    expect(uint64(option(statistics!, 5))).toBe(2n);
  });
});
