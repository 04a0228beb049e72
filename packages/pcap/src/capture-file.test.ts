import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CaptureError, EPB_INBOUND, EPB_UNICAST, LINKTYPE_ETHERNET, LINKTYPE_RAW, captureNext, createPcapngWriter, openCapture, pcapngAddInterface, pcapngWritePacket,
  pcapngWriteStatistics, readCapture, type CaptureRecord,
} from './index.ts';
import { join } from './test-pcapng.ts';

/** Octets in the making, in one byte order. */
class Octets {
  little: boolean;
  bytes: number[];

  constructor(little: boolean) {
    this.little = little;
    this.bytes = [];
  }
}

function put(out: Octets, size: number, ...values: number[]): Octets {
  for (const value of values) {
    const octets = Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** i) % 256);
    out.bytes.push(...(out.little ? octets : octets.reverse()));
  }
  return out;
}

function pcapHeader(little: boolean, magic: number, version: readonly [number, number] = [2, 4], snapLen = 65535, linkType = 1): Octets {
  const out = put(new Octets(little), 4, magic);
  put(out, 2, ...version);
  return put(out, 4, 0, 0, snapLen, linkType);
}

/** A pcapng block; options are (code, octets) and end by themselves. */
function block(out: Octets, type: number, fixed: (body: Octets) => void, options: ReadonlyArray<readonly [number, readonly number[]]> = []): Octets {
  const body = new Octets(out.little);
  fixed(body);
  for (const [code, value] of options) {
    put(body, 2, code, value.length);
    body.bytes.push(...value, ...new Array<number>(-value.length & 3).fill(0));
  }
  if (options.length > 0) put(body, 4, 0);
  const length = body.bytes.length + 12;
  put(out, 4, type, length);
  out.bytes.push(...body.bytes);
  return put(out, 4, length);
}

function section(little: boolean): Octets {
  return block(new Octets(little), 0x0a0d0d0a, (body) => put(put(put(body, 4, 0x1a2b3c4d), 2, 1, 0), 4, 0xffffffff, 0xffffffff));
}

function described(out: Octets, linkType: number, snapLen: number, options: ReadonlyArray<readonly [number, readonly number[]]> = []): Octets {
  return block(out, 1, (body) => put(put(body, 2, linkType, 0), 4, snapLen), options);
}

function enhanced(out: Octets, id: number, units: number, data: readonly number[], wirelen = data.length): Octets {
  return block(out, 6, (body) => {
    put(body, 4, id, Math.floor(units / 2 ** 32), units % 2 ** 32, data.length, wirelen);
    body.bytes.push(...data, ...new Array<number>(-data.length & 3).fill(0));
  });
}

function file(out: Octets): Uint8Array {
  return Uint8Array.from(out.bytes);
}

function dataOf(record: CaptureRecord): number[] {
  return [...record.data.subarray(record.offset, record.offset + record.caplen)];
}

/** What can be read, and the message of what then cannot. */
function readAll(bytes: Uint8Array): { records: CaptureRecord[]; error: string } {
  const records: CaptureRecord[] = [];
  try {
    for (const record of readCapture(bytes)) records.push(record);
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    return { records, error: error.message };
  }
  return { records, error: '' };
}

describe('classic pcap', () => {
  test.each([[true, 0xa1b2c3d4, 5_000_123_000n], [false, 0xa1b2c3d4, 5_000_123_000n], [true, 0xa1b23c4d, 5_000_000_123n], [false, 0xa1b23c4d, 5_000_000_123n], [true, 0xa12b3c4d, 5_000_123_000n]])(
    'little endian %s, magic %i', (little, magic, time) => {
      const out = put(pcapHeader(little, magic), 4, 5, 123, 3, 60);
      out.bytes.push(7, 8, 9);
      const { records: [record] } = readAll(file(out));
      expect([record?.number, record?.time, record?.caplen, record?.wirelen, record?.linkType, record?.interfaceName, dataOf(record!)]).toEqual([1, time, 3, 60, 1, null, [7, 8, 9]]);
    });

  test("Kuznetsov's variant has eight octets more before each packet", () => {
    const out = put(pcapHeader(true, 0xa1b2cd34), 4, 1, 0, 2, 2, 99, 99);
    out.bytes.push(1, 2);
    expect(readAll(file(out)).records.map(dataOf)).toEqual([[1, 2]]);
  });

  test.each([[[2, 2], [60, 2]], [[543, 0], [60, 2]], [[2, 3], [60, 2]], [[2, 3], [2, 60]]] as const)('version %j: the lengths come as %j', (version, lengths) => {
    const out = put(pcapHeader(true, 0xa1b2c3d4, version), 4, 1, 0, ...lengths);
    out.bytes.push(1, 2);
    const { records: [record] } = readAll(file(out));
    expect([record?.caplen, record?.wirelen]).toEqual([2, 60]);
  });

  test('of a packet longer than the snapshot length the rest is passed over', () => {
    const out = put(pcapHeader(true, 0xa1b2c3d4, [2, 4], 2), 4, 1, 0, 3, 3);
    put(out, 1, 1, 2, 3);
    put(put(out, 4, 2, 0, 1, 1), 1, 9);
    expect(readAll(file(out)).records.map(dataOf)).toEqual([[1, 2], [9]]);
  });

  test('the length of an FCS in the upper bits is no part of the link type; DLT_RAW of old is LINKTYPE_RAW', () => {
    const out = put(pcapHeader(true, 0xa1b2c3d4, [2, 4], 0, 0x14000001), 4, 1, 0, 0, 0);
    expect(readAll(file(out)).records[0]?.linkType).toBe(LINKTYPE_ETHERNET);
    expect(readAll(file(put(pcapHeader(true, 0xa1b2c3d4, [2, 4], 0, 12), 4, 1, 0, 0, 0))).records[0]?.linkType).toBe(LINKTYPE_RAW);
  });

  test('a cut file gives its whole packets, then says what is missing', () => {
    const out = put(pcapHeader(true, 0xa1b2c3d4), 4, 1, 0, 2, 2);
    out.bytes.push(1, 2);
    const bytes = file(put(out, 4, 2, 0, 100, 100));
    expect(readAll(bytes)).toMatchObject({ records: [{ caplen: 2 }], error: 'truncated dump file; tried to read 100 captured bytes, only got 0' });
    expect(readAll(bytes.subarray(0, 50))).toMatchObject({ records: [{ caplen: 2 }], error: 'truncated dump file; tried to read 16 header bytes, only got 8' });
    expect(readAll(bytes.subarray(0, 20)).error).toBe('truncated dump file; tried to read 24 file header bytes, only got 20');
  });

  test('a length that cannot be ends the file', () => {
    expect(readAll(file(put(pcapHeader(true, 0xa1b2c3d4), 4, 1, 0, 300_000, 300_000))).error).toMatch(/invalid packet capture length 300000/);
  });
});

describe('pcapng', () => {
  test('what the writer writes comes back: interfaces, packets, flags, drops, comments, statistics', () => {
    const chunks: Uint8Array[] = [];
    const writer = createPcapngWriter((chunk) => chunks.push(chunk), 'of a test');
    pcapngAddInterface(writer, { name: 'a/eth0', linkType: LINKTYPE_ETHERNET, filter: 'tcp port 80' });
    pcapngAddInterface(writer, { name: 'b/数', linkType: LINKTYPE_RAW, description: 'the other' });
    pcapngWritePacket(writer, { interfaceId: 1, time: 1_700_000_000_123_456_789n, flags: EPB_INBOUND | EPB_UNICAST, dropCount: 7, comment: 'größer 🙂' }, Uint8Array.of(1, 2, 3));
    pcapngWriteStatistics(writer, 0, { startTime: 0n, endTime: 1n, received: 9, dropped: 2, accepted: 5, droppedByHost: 1, delivered: 4 });
    const reader = openCapture(join(chunks));
    const record = captureNext(reader)!;
    expect(record).toMatchObject({ interfaceId: 1, interfaceName: 'b/数', linkType: LINKTYPE_RAW, time: 1_700_000_000_123_456_789n, flags: 5, dropCount: 7, comments: ['größer 🙂'] });
    expect(dataOf(record)).toEqual([1, 2, 3]);
    expect(captureNext(reader)).toBeNull();
    expect(reader.comments).toEqual(['of a test']);
    expect(reader.interfaces).toMatchObject([{ name: 'a/eth0', filter: 'tcp port 80', received: 9n, dropped: 2n }, { name: 'b/数', description: 'the other', received: null }]);
  });

  test.each([[true], [false]])('little endian %s: enhanced, simple and old packets; unknown blocks and options are passed over', (little) => {
    const out = described(section(little), 1, 4, [[2, [0x65, 0x30]], [9, [3]], [99, [1, 2, 3]]]);
    block(out, 0x80000bad, (body) => put(body, 4, 1, 2, 3));
    enhanced(out, 0, 1234, [1, 2, 3]);
    block(out, 3, (body) => put(body, 4, 60, 0x01010101));
    block(out, 2, (body) => put(put(body, 2, 0, 5), 4, 0, 2000, 1, 8, 0x02020202));
    const { records, error } = readAll(file(out));
    expect(error).toBe('');
    expect(records.map((record) => [record.time, record.caplen, record.wirelen, record.dropCount])).toEqual([[1_234_000_000n, 3, 3, 0], [0n, 4, 60, 0], [2_000_000_000n, 1, 8, 5]]);
    expect(dataOf(records[1]!)).toEqual([1, 1, 1, 1]);
  });

  test('a section begins interfaces anew, and may have the other byte order', () => {
    const out = enhanced(described(section(true), 1, 0, [[2, [0x61]]]), 0, 1, [1]);
    const other = enhanced(described(section(false), 101, 0, [[2, [0x62]]]), 0, 2, [2]);
    const { records } = readAll(Uint8Array.from([...out.bytes, ...other.bytes]));
    expect(records.map((record) => [record.interfaceName, record.linkType, record.interfaceId, dataOf(record)])).toEqual([['a', 1, 0, [1]], ['b', 101, 1, [2]]]);
  });

  test('if_tsresol is a power of 10 or of 2, if_tsoffset is added', () => {
    const time = (options: ReadonlyArray<readonly [number, readonly number[]]>): bigint | undefined => readAll(file(enhanced(described(section(true), 1, 0, options), 0, 3 * 2 ** 20, []))).records[0]?.time;
    expect(time([])).toBe(3_145_728_000n);
    expect(time([[9, [9]]])).toBe(3_145_728n);
    expect(time([[9, [12]]])).toBe(3_145n);
    expect(time([[9, [0x80 | 20]]])).toBe(3_000_000_000n);
    expect(time([[9, [0x80 | 20]], [14, [10, 0, 0, 0, 0, 0, 0, 0]]])).toBe(13_000_000_000n);
  });

  test.each<[string, (out: Octets) => Octets, RegExp]>([
    ['an interface that is not described', (out) => enhanced(out, 1, 0, []), /interface 1/],
    ['a packet longer than its block', (out) => block(out, 6, (body) => put(body, 4, 0, 0, 0, 100, 100)), /longer than its block/],
    ['lengths that disagree', (out) => put(out, 4, 9, 12, 16), /don't match/],
    ['a length that is not a multiple of 4', (out) => put(out, 4, 9, 13, 13, 13), /multiple of 4/],
    ['a length that cannot be', (out) => put(out, 4, 9, 4, 4), /length of 4/],
    ['a cut block', (out) => put(out, 4, 9, 100, 1), /tried to read 100 bytes, only got 12/],
    ['a cut header', (out) => put(out, 4, 9), /tried to read 12 bytes, only got 4/],
  ])('%s is an error behind the packets before it', (_what, damage, message) => {
    const { records, error } = readAll(file(damage(enhanced(described(section(true), 1, 0), 0, 1, [5]))));
    expect(records.map(dataOf)).toEqual([[5]]);
    expect(error).toMatch(message);
  });
});

test('what is no capture is said to be none, what is compressed to be compressed', () => {
  expect(readAll(new Uint8Array(0)).error).toMatch(/truncated/);
  expect(readAll(Uint8Array.of(1, 2, 3, 4, 5)).error).toMatch(/unknown file format/);
  expect(readAll(Uint8Array.of(0x1f, 0x8b, 8, 0)).error).toMatch(/gunzip/);
});

test('whatever the bytes are: packets within the file, and no other error', () => {
  const good = [...enhanced(described(section(true), 1, 0, [[2, [0x65]]]), 0, 1, [1, 2, 3]).bytes];
  const classic = [...put(pcapHeader(false, 0xa1b2c3d4), 4, 1, 2, 3, 3).bytes, 7, 7, 7];
  fc.assert(fc.property(fc.constantFrom(good, classic), fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }), fc.nat({ max: 200 }), (bytes, changes, cut) => {
    const changed = Uint8Array.from(bytes).subarray(0, bytes.length - (cut % 60));
    for (const [at, value] of changes) if (changed.length > 0) changed[at % changed.length] = value;
    for (const record of readAll(changed).records) expect(record.offset + record.caplen).toBeLessThanOrEqual(changed.length);
  }), { numRuns: 1000 });
});
