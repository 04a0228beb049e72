import { expect, test } from 'vitest';
import { PLAIN } from './dissect.ts';
import { createPrinter, printPacket } from './line.ts';
import { ip4Frame, octets, tcpFrame, udpFrame } from './test-packets.ts';
import { TimeReference, timestamp } from './timestamp.ts';

const SECOND = 1_000_000_000n;

test('-tt: seconds; -ttt: since the line before; -ttttt: since the first; -t: none', () => {
  const times = [100n * SECOND + 1_500n, 101n * SECOND, 3_700n * SECOND + 2_000_000n, 3_699n * SECOND];
  const all = (form: 1 | 2 | 3 | 5): string[] => {
    const reference = new TimeReference();
    return times.map((time) => timestamp(form, time, reference));
  };
  expect(all(1)).toEqual(['', '', '', '']);
  expect(all(2)).toEqual(['100.000001 ', '101.000000 ', '3700.002000 ', '3699.000000 ']);
  expect(all(3)).toEqual([' 00:00:00.000000 ', ' 00:00:00.999999 ', ' 00:59:59.002000 ', '-00:00:01.002000 ']);
  expect(all(5)).toEqual([' 00:00:00.000000 ', ' 00:00:00.999999 ', ' 01:00:00.001999 ', ' 00:59:58.999999 ']);
});

test('a time that no calendar has is said to be one', () => {
  expect(timestamp(4, 2n ** 64n * 1_000_000n, new TimeReference())).toBe('[Error converting time] ');
});

test('no octets make a printer throw: every cut of some packets, and what random bits do to them', () => {
  const seed = 20261123;
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const dns = octets('0007 8180 0001 0002 0000 0001 01 61 00 0001 0001 c00c 0005 0001 00000e10 0004 01 62 c00c 00 0029 04d0 00008000 000c 000a 0008 0102030405060708');
  const packets = [
    tcpFrame(0x12, { options: '020405b4 0402 080a 00000001 00000002 01 030307' }), tcpFrame(0x18, { to: 80, payload: 'GET / HTTP/1.1\r\n\r\n' }), udpFrame(53, 1000, dns),
    udpFrame(67, 68, octets('02 01 06 00', '00'.repeat(232), '63825363 350105 37020103 790818c0a80101020304 ff')),
    ip4Frame(1, octets('0303 0000 0000 0000 4500 001c 0001 0000 4011 0000 01020304 05060708 03e8 0035 0008 0000')),
    ip4Frame(2, octets('2200 0000 0000 0001 0600 0002 ef010101 0a000001 0a000002'), { options: '440c0501 01020304 00000005' }),
  ];
  const printer = createPrinter({ ...PLAIN, link: true, verbose: 3, hexAscii: 1 }, 0);
  const print = (data: Uint8Array, caplen: number): void => {
    expect(printPacket(printer, { linkType: 1, time: 0n, caplen, wirelen: data.length, data, offset: 0 }), `seed ${seed}`).not.toBe('');
  };
  for (const packet of packets) {
    for (let caplen = 0; caplen <= packet.length; caplen++) print(packet, caplen);
    for (let round = 0; round < 300; round++) {
      const damaged = packet.slice();
      for (let flips = 1 + random(4); flips > 0; flips--) {
        const at = random(damaged.length);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << random(8));
      }
      print(damaged, damaged.length);
    }
  }
});
