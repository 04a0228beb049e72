// The lines of packet-capture against those of the real `tcpdump -n`, character by character, over captures that this project did not
// make (scripts/debian-captures.mjs): equal for ARP, ICMP, IGMP, UDP, TCP, DNS and DHCP, but for what EXPLAINED lists.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PLAIN, createPrinter, printPacket, type PrintOptions } from '../apps/packet-capture/src/index.ts';
import { hasCommand } from '../scripts/needs.mjs';
import { missingCaptures, sampleCaptures, sampleFiles, type SampleCapture } from './support/captures.ts';
import { kindOf, tcpdumpTexts, type Kind } from './support/tcpdump-lines.ts';
import { root } from './support/workspace.ts';

process.env['TZ'] = 'UTC'; // as tcpdump is run

const missing = hasCommand('tcpdump') ? missingCaptures : 'tcpdump is not installed (apt-get install tcpdump)';
if (missing !== '') process.stderr.write(`SKIPPED: lines against tcpdump: ${missing}\n`);

/** The ports on which tcpdump expects a protocol that is not ours to print: NTP, SNMP, RIP, … over UDP; BGP, Redis, OpenFlow, … over TCP. */
const OTHER_UDP = new Set([
  9, 69, 88, 111, 123, 137, 138, 161, 162, 201, 202, 204, 206, 319, 320, 434, 496, 500, 514, 520, 521, 525, 546, 547, 646, 654, 698, 701, 750, 921,
  1589, 1645, 1646, 1700, 1701, 1812, 1813, 1900, 1967, 1985, 2029, 2049, 2103, 2104, 3503, 3784, 3785, 3799, 4342, 4500, 4784, 4789, 4790, 5050, 5060,
  5359, 6081, 6343, 6635, 6696, 6697, 6784, 7000, 7001, 7002, 7003, 7004, 7005, 7006, 7007, 7008, 7009, 7500, 8231, 8472, 8500, 9875, 12222, 12223,
  17754, 30490, 49152, 49153,
]);
const OTHER_TCP = new Set([23, 111, 139, 179, 323, 445, 639, 646, 1723, 2000, 2049, 6379, 6633, 6653, 10288]);

/** Differences that are meant, the app's README says why: by what tcpdump prints, and how many lines there are at most, with any flags. */
const EXPLAINED: readonly (readonly [why: string, pattern: RegExp, most: number])[] = [
  ['PIM version 1 and DVMRP, which use the number of IGMP, are told by name alone', /igmp (pimv1|dvmrp)/, 7],
  ['ARP of ATM networks is told as any other', /^(\S+ )?(\S+ > \S+ )?.*\[\|arp\]/, 1],
  ['a file whose fraction of a second is no fraction', /^[\d:]+\.\d{7,} /, 11],
  ['-v: what an ICMP error quotes is told without other protocols', /ICMP .*unreachable, length[^]*\.\d+: ( rx data| \{ SNMP|UDP[^]*Multi-Part)/, 18],
];

interface Variant {
  readonly flags: string;
  readonly options: Partial<PrintOptions>;
  readonly timeForm: 0 | 1 | 2;
}

const VARIANTS: readonly Variant[] = [
  { flags: '', options: {}, timeForm: 0 },
  { flags: '-t -e', options: { link: true }, timeForm: 1 },
  { flags: '-t -S', options: { absolute: true }, timeForm: 1 },
  { flags: '-t -x', options: { hex: 1 }, timeForm: 1 },
  { flags: '-t -v', options: { verbose: 1 }, timeForm: 1 },
  { flags: '-tt', options: {}, timeForm: 2 },
];

/** The link types that are told here; tcpdump knows a hundred more. */
const LINK_TYPES = new Set([0, 1, 12, 14, 101, 108, 113, 228, 229]);

function isOurs({ protocol, ports }: Kind, said: string): boolean {
  if (protocol === 'other') return false;
  if (protocol === 'udp') return !ports.some((port) => OTHER_UDP.has(port));
  // A segment without data is TCP's alone, whatever its ports.
  return protocol !== 'tcp' || /, length 0(\n\t0x|$)/.test(said) || !ports.some((port) => OTHER_TCP.has(port));
}

interface Tally {
  compared: number;
  equal: number;
  /** Lines by the index of their explanation. */
  readonly explained: number[];
  readonly unexplained: string[];
}

function compare(samples: readonly SampleCapture[], texts: readonly (readonly string[])[], { options, timeForm }: Variant): Tally {
  const tally: Tally = { compared: 0, equal: 0, explained: EXPLAINED.map(() => 0), unexplained: [] };
  samples.forEach(({ name, records }, i) => {
    const printer = createPrinter({ ...PLAIN, ...options }, timeForm);
    records.forEach((record, packet) => {
      const ours = printPacket(printer, record);
      const theirs = texts[i]?.[packet];
      // tcpdump gives up on a file whose interfaces are of several kinds.
      if (theirs === undefined || !LINK_TYPES.has(record.linkType) || !isOurs(kindOf(record), theirs)) return;
      tally.compared++;
      const why = EXPLAINED.findIndex(([, pattern]) => pattern.test(theirs));
      if (ours === theirs) tally.equal++;
      else if (why >= 0) tally.explained[why] = (tally.explained[why] ?? 0) + 1;
      else tally.unexplained.push(`${name} ${packet + 1}\n  tcpdump: ${theirs}\n  ours:    ${ours}`);
    });
  });
  return tally;
}

describe.skipIf(missing !== '')('lines as tcpdump -n prints them', () => {
  const files = missing === '' ? new Set(sampleFiles()) : new Set<string>();
  const samples = missing === '' ? sampleCaptures().filter(({ file }) => files.has(file)) : [];
  const figures: Record<string, string> = {};

  test.each(VARIANTS)('tcpdump -n $flags', (variant) => {
    const tally = compare(samples, tcpdumpTexts(samples.map(({ file }) => file), variant.flags), variant);
    expect(tally.unexplained.slice(0, 5)).toEqual([]);
    expect(tally.compared).toBeGreaterThan(5000);
    for (const [i, [why, , most]] of EXPLAINED.entries()) expect(tally.explained[i], why).toBeLessThanOrEqual(most);
    figures[variant.flags] = `${tally.equal} / ${tally.compared}`;
    mkdirSync(join(root, '.cache'), { recursive: true });
    writeFileSync(join(root, '.cache/packet-capture-lines.json'), `${JSON.stringify(figures, null, 2)}\n`);
  }, 300_000);

  test('every packet of every capture is told, whatever is asked for: no throw, no second a file', () => {
    const all: PrintOptions = { link: true, quiet: false, verbose: 3, absolute: false, hex: 0, hexAscii: 2, ascii: 0 };
    const wrong: string[] = [];
    for (const { name, records } of sampleCaptures()) {
      const started = performance.now();
      const printer = createPrinter(all, 4);
      for (const record of records) if (printPacket(printer, record) === '') wrong.push(`${name}: no text`);
      const seconds = (performance.now() - started) / 1000;
      if (seconds > 1 + records.length / 100) wrong.push(`${name}: ${seconds} s for ${records.length} packets`);
    }
    expect(wrong).toEqual([]);
  });
});
