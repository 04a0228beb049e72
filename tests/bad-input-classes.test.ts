// The classes of bad input that AMNESIA:33, Ripple20, NUMBER:JACK, NAME:WRECK and their elders describe, one test each. Behind every one:
// the host does not panic, nothing leaks, each frame is accounted for, and an honest ping is answered afterwards.
import { dhcpParse } from '@stack/dhcp';
import { nsParse } from '@stack/resolver';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  ETH, ICMP, IGMP, OUR_IP, PEER_IP, TCP, UDP, arp, checksum, ethernet, fixChecksums, frameOf, ipv4, message, tcp, udp, type IpFields, type TcpFields,
} from './fuzz/frames.ts';
import { GROUP, TCP_PORT, UDP_PORT, advance, createTarget, endTarget, receive, type Target } from './fuzz/target.ts';

const SYN = 2;
const RST = 4;
const ACK = 16;
const URG = 32;
/** Octets of fragments that may wait (net.ipv4.ipfrag_high_thresh). */
const FRAG_HIGH_THRESH = 4 * 1024 * 1024;

const zeros = (length: number): Uint8Array => new Uint8Array(length);
const of = (...octets: number[]): Uint8Array => Uint8Array.from(octets);

let target: Target;

beforeEach(() => {
  target = createTarget();
});

afterEach(async () => {
  target.sent.length = 0;
  receive(target, ethernet(0x0806, arp(1)));
  receive(target, frameOf({ protocol: ICMP }, message(8, 0, 0x77770001, zeros(8))));
  await advance(target, 10);
  expect(answers(ICMP).some((packet) => packet[20] === 0 && packet[24] === 0x77), 'an honest ping is answered').toBe(true);
  await advance(target, 60_000);
  await endTarget(target);
});

/** The host receives IPv4 packets as they are, but for their header checksum. */
function packets(...list: Uint8Array[]): void {
  for (const packet of list) {
    const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
    const hlen = Math.min((packet[0]! & 15) << 2, packet.length);
    if (packet.length >= 20) {
      view.setUint16(10, 0);
      view.setUint16(10, checksum(packet, 0, hlen));
    }
    receive(target, ethernet(0x0800, packet));
  }
}

/** What the host has sent of `protocol`, from the IP header on. */
function answers(protocol: number): Uint8Array[] {
  return target.sent.filter((frame) => frame[12] === 8 && frame[13] === 0 && frame[ETH + 9] === protocol).map((frame) => frame.subarray(ETH));
}

const counter = (name: string): number => target.host.show.counters()[name] ?? 0;
const dropped = (reason: string): number => target.account.reasons.get(reason) ?? 0;

/** A packet whose header says other lengths than it has. */
function lying(ihl: number, totalLength: number, actual = 40): Uint8Array {
  const packet = ipv4({ protocol: UDP }, zeros(actual - 20));
  packet[0] = 0x40 | ihl;
  new DataView(packet.buffer).setUint16(2, totalLength);
  return packet;
}

const segmentOf = (fields: Partial<TcpFields>, payload = zeros(0), ip: Partial<IpFields> = {}): Uint8Array => frameOf(
  { protocol: TCP, ...ip }, tcp({ sport: 5000, dport: TCP_PORT, seq: 1000, ack: 0, flags: SYN, ...fields }, payload));

/** Opens a connection from port `sport` with `options` in its SYN. Returns the host's initial sequence number, null if it did not answer. */
function open(sport: number, options: Uint8Array = zeros(0)): number | null {
  receive(target, ethernet(0x0806, arp(1)));
  target.sent.length = 0;
  receive(target, segmentOf({ sport, options }));
  const answer = answers(TCP).find((packet) => packet[33] === (SYN | ACK));
  if (answer === undefined) return null;
  const isn = new DataView(answer.buffer, answer.byteOffset).getInt32(24);
  receive(target, segmentOf({ sport, seq: 1001, ack: isn + 1, flags: ACK }));
  return isn;
}

/** Sends `payload` on a connection of open(), and returns the octets that the echo server sends back. */
async function echo(sport: number, isn: number, payload: Uint8Array, fields: Partial<TcpFields> = {}): Promise<number> {
  target.sent.length = 0;
  receive(target, segmentOf({ sport, seq: 1001, ack: isn + 1, flags: ACK, ...fields }, payload));
  await advance(target, 1);
  return answers(TCP).reduce((sum, packet) => sum + packet.length - 20 - ((packet[32]! >> 4) << 2), 0);
}

describe('IP headers', () => {
  test('Ripple20, CVE-2020-11896: total length below the header, of nothing, above the packet', () => {
    packets(lying(5, 0), lying(5, 1), lying(5, 19), lying(5, 41), lying(5, 65535), lying(15, 30));
    expect(dropped('IP_INHDR') + dropped('PKT_TOO_SMALL')).toBe(6);
  });

  test('a header length of 0 to 4 words, and one past the end of the packet', () => {
    packets(...[0, 1, 2, 3, 4].map((ihl) => lying(ihl, 40)), lying(15, 40));
    expect(dropped('IP_INHDR')).toBe(6);
    expect(counter('IpInHdrErrors')).toBe(6);
  });

  test('AMNESIA:33: IP options of length 0, 1, and past the end of the header', () => {
    for (const kind of [7, 68, 130, 131, 137, 148, 200]) {
      for (const length of [0, 1, 5, 8, 40, 255]) receive(target, frameOf({ protocol: UDP, options: of(kind, length, 0, 0) }, udp(1, UDP_PORT, zeros(4))));
    }
    expect(target.account.frames).toBe(42);
    expect(dropped('IP_INHDR')).toBeGreaterThanOrEqual(7 * 5);
  });

  test('options that point past their own end: record route, timestamp, source route', () => {
    for (const kind of [7, 68, 131, 137]) {
      for (const pointer of [0, 1, 3, 4, 5, 8, 12, 255]) {
        receive(target, frameOf({ protocol: ICMP, options: of(kind, 11, pointer, 0, 0, 0, 0, 0, 0, 0, 0) }, message(8, 0, 1)));
      }
    }
    expect(target.account.dropped + target.account.delivered).toBe(target.account.frames);
  });

  test('40 octets of options that end nowhere', async () => {
    receive(target, frameOf({ protocol: UDP, options: zeros(40).fill(1) }, udp(1, UDP_PORT, zeros(4))));
    receive(target, frameOf({ protocol: UDP, options: zeros(40).fill(0x86) }, udp(1, UDP_PORT, zeros(4))));
    await advance(target, 1); // who reads, counts
    expect(counter('UdpInDatagrams')).toBe(1);
  });

  test('martians: from ourselves, from a group, from everybody, from 127/8, to 0 and to 127/8; LAND', () => {
    const syn = tcp({ sport: TCP_PORT, dport: TCP_PORT, seq: 1, ack: 0, flags: SYN });
    for (const source of [OUR_IP, GROUP, 0xffffffff, 0x7f000001, 0]) receive(target, frameOf({ protocol: TCP, source }, syn));
    for (const destination of [0, 0x7f000001]) receive(target, frameOf({ protocol: TCP, destination }, syn));
    expect(answers(TCP)).toEqual([]);
    expect(target.account.dropped).toBe(7);
  });

  test('Ripple20, CVE-2020-11898: IP within IP is nobody\'s, whatever it says', () => {
    const inner = ipv4({ protocol: UDP }, udp(1, UDP_PORT, zeros(8)));
    receive(target, frameOf({ protocol: 4 }, inner));
    receive(target, frameOf({ protocol: 4, fragment: 0x2000 }, inner.subarray(0, 24)));
    receive(target, frameOf({ protocol: 4, fragment: 3 }, inner.subarray(24)));
    expect(dropped('IP_NOPROTO')).toBeGreaterThanOrEqual(1);
    expect(counter('UdpInDatagrams')).toBe(0);
  });
});

describe('fragments', () => {
  const fragment = (id: number, offset: number, more: boolean, length: number): Uint8Array => (
    frameOf({ protocol: UDP, id, fragment: (more ? 0x2000 : 0) | (offset >> 3) }, zeros(length)));

  test('ping of death: an offset and a length that go past 65,535', () => {
    for (const length of [16, 24, 1000, 1480]) receive(target, fragment(1, 65528, false, length));
    receive(target, fragment(2, 65528, true, 8));
    receive(target, fragment(2, 0, true, 8));
    expect(dropped('FRAG_INVALID') + dropped('PKT_TOO_BIG') + dropped('FRAG_TOO_FAR') + dropped('IP_INHDR')).toBeGreaterThanOrEqual(4);
    expect(counter('IpReasmOKs')).toBe(0);
  });

  test('RFC 5722 §4, teardrop: fragments that overlap end their datagram', () => {
    receive(target, fragment(1, 0, true, 64));
    receive(target, fragment(1, 32, true, 64));
    receive(target, fragment(1, 96, false, 8));
    receive(target, fragment(1, 64, false, 4));
    expect(counter('IpReasmOKs')).toBe(0);
    expect(counter('IpReasmFails')).toBeGreaterThanOrEqual(1);
  });

  test('two ends, an end before what is there, a piece of no whole eight octets, an empty one', () => {
    receive(target, fragment(1, 64, false, 8));
    receive(target, fragment(1, 128, false, 8));
    receive(target, fragment(2, 128, true, 64));
    receive(target, fragment(2, 64, false, 8));
    receive(target, fragment(3, 0, true, 7));
    receive(target, fragment(4, 8, true, 0));
    receive(target, fragment(4, 8, false, 0));
    expect(counter('IpReasmOKs')).toBe(0);
  });

  test('100,000 fragments of datagrams that never end: memory stays below ipfrag_high_thresh, then goes', async () => {
    const { pool } = target.world;
    let most = 0;
    for (let i = 0; i < 100_000; i++) {
      receive(target, frameOf({ protocol: UDP, source: (PEER_IP + (i >> 14) * 4) >>> 0, id: i & 0xffff, fragment: 0x2000 | (i & 7) }, zeros(64)));
      if (i % 1000 === 0) {
        most = Math.max(most, pool.nrSkbs);
        await advance(target, 0);
      }
    }
    expect(most * 512).toBeLessThan(2 * FRAG_HIGH_THRESH);
    await advance(target, 31_000);
    expect(pool.nrSkbs).toBeLessThan(10);
  });
});

describe('TCP', () => {
  const bad: [string, Uint8Array][] = [
    ['of length 0', of(2, 0, 5, 0xb4)], ['of length 1', of(2, 1, 5, 0xb4)], ['past the end', of(2, 40, 5, 0xb4)], ['of an unknown kind, of length 0', of(99, 0, 0, 0)],
    ['cut off behind the kind', of(1, 1, 1, 8)], ['SACK of length 3', of(5, 3, 0, 0)], ['timestamps of length 2', of(8, 2, 0, 0)], ['window scale of 255', of(3, 3, 255, 0)],
    ['40 of nothing', zeros(40).fill(1)],
  ];

  test.each(bad)('AMNESIA:33, CVE-2020-24337 and others: a SYN with an option %s is answered, and the connection works', async (_what, options) => {
    const isn = open(6000, options);
    expect(isn).not.toBe(null);
    expect(await echo(6000, isn!, of(1, 2, 3))).toBe(3);
  });

  test.each(bad)('the same in the middle of a connection: an option %s', async (_what, options) => {
    const isn = open(6001);
    expect(await echo(6001, isn!, of(1, 2, 3), { options })).toBe(3);
  });

  test('an MSS of 0, and of 1: the host sends segments of a sane size', async () => {
    for (const [i, mss] of [0, 1, 47].entries()) {
      const isn = open(6100 + i, of(2, 4, 0, mss));
      const echoed = await echo(6100 + i, isn!, zeros(300));
      expect(echoed).toBe(300);
      expect(answers(TCP).length).toBeLessThan(20); // no segment of an octet each
    }
  });

  test('CVE-2019-11477, SACK panic: a tiny MSS and SACK blocks over everything', async () => {
    const isn = open(6200, of(2, 4, 0, 48, 4, 2, 1, 1))!;
    await echo(6200, isn, zeros(1400));
    const block = (from: number, to: number): number[] => [from, to].flatMap((n) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]);
    for (let i = 0; i < 500; i++) {
      const options = of(1, 1, 5, 26, ...block(isn + 1 + i, isn + 2 + i), ...block(isn + 600, isn + 500), ...block(isn - 1000, isn + 100_000));
      receive(target, segmentOf({ sport: 6200, seq: 2401, ack: isn + 1, flags: ACK, options }));
    }
    await advance(target, 5000);
    expect(target.host.show.sockets().length).toBeGreaterThan(0);
  });

  test('CVE-2019-12255, Urgent/11; CVE-2020-17437: an urgent pointer of 0, at the end, and past the segment', async () => {
    for (const [i, urgent] of [0, 1, 3, 4, 1000, 65535].entries()) {
      const isn = open(6300 + i);
      await echo(6300 + i, isn!, of(1, 2, 3), { flags: ACK | URG, urgent });
      expect(await echo(6300 + i, isn!, of(4, 5, 6), { seq: 1004 })).toBeGreaterThanOrEqual(2); // the urgent octet is not in line
    }
  });

  test('a header length below five words, and past the segment', () => {
    for (const words of [0, 1, 4, 6, 15]) {
      const frame = segmentOf({});
      frame[ETH + 32] = words << 4;
      fixChecksums(frame);
      receive(target, frame);
    }
    expect(counter('TcpInErrs') + dropped('PKT_TOO_SMALL')).toBeGreaterThanOrEqual(5);
    expect(answers(TCP)).toEqual([]);
  });

  test('a segment of 0 to 19 octets', () => {
    for (let length = 0; length < 20; length++) receive(target, frameOf({ protocol: TCP }, tcp({ sport: 1, dport: TCP_PORT, seq: 1, ack: 0, flags: SYN }).subarray(0, length)));
    expect(dropped('PKT_TOO_SMALL')).toBe(20);
  });

  test('every combination of flags, to a listener, to a connection and to nobody', async () => {
    open(6400);
    for (let flags = 0; flags < 256; flags++) {
      for (const dport of [TCP_PORT, 1]) receive(target, segmentOf({ sport: 6401 + flags, dport, flags }));
      receive(target, segmentOf({ sport: 6400, seq: 500_000_000, ack: 7, flags }));
      target.sent.length = 0;
    }
    await advance(target, 100);
    expect(target.account.frames).toBeGreaterThan(768);
  });

  test('a reset that is not exactly right does not end a connection (RFC 5961 §3)', async () => {
    const isn = open(6500)!;
    for (const seq of [1002, 5000, 30_000, 100_000, 0]) receive(target, segmentOf({ sport: 6500, seq, ack: isn + 1, flags: RST }));
    expect(await echo(6500, isn, of(9))).toBe(1);
  });

  test('a window that shrinks to nothing while the host sends, and acknowledges what was never sent', async () => {
    const isn = open(6600)!;
    await echo(6600, isn, zeros(1000), { window: 1 });
    for (const ack of [isn - 1, isn + 100_000, isn + 0x7fffffff]) receive(target, segmentOf({ sport: 6600, seq: 2001, ack, flags: ACK, window: 0 }));
    await advance(target, 120_000);
    expect(target.host.net.panicked).toBe(null);
  });
});

describe('NUMBER:JACK', () => {
  /** Initial sequence numbers of 200 connections from one address, 1 ms apart. */
  async function numbers(): Promise<number[]> {
    const list: number[] = [];
    for (let port = 0; port < 200; port++) {
      list.push(open(10_000 + port)!);
      await advance(target, 1);
    }
    return list;
  }

  test('RFC 6528: what one connection\'s number is says nothing of the next one\'s', async () => {
    const list = await numbers();
    const steps = list.slice(1).map((isn, i) => (isn - list[i]!) >>> 0);
    expect(new Set(steps).size).toBe(steps.length);
    // Spread over the whole range: of 16 equal parts, none is empty and none has a third.
    const parts = new Array<number>(16).fill(0);
    for (const step of steps) parts[step >>> 28]!++;
    expect(Math.min(...parts)).toBeGreaterThan(0);
    expect(Math.max(...parts)).toBeLessThan(steps.length / 3);
    // And no bit is always the same.
    for (let bit = 0; bit < 32; bit++) expect(new Set(list.map((isn) => (isn >>> bit) & 1)).size).toBe(2);
  });

  test('RFC 6528 §3: another host with another secret has other numbers for the same connections', async () => {
    const one = await numbers();
    const first = target;
    target = createTarget({ seed: 2 });
    const two = await numbers();
    await endTarget(first);
    expect(two.filter((isn, i) => isn === one[i]).length).toBe(0);
  });

  test('RFC 6528 §3: the numbers of one connection go up with time', async () => {
    const first = open(9000)!;
    receive(target, segmentOf({ sport: 9000, seq: 1001, ack: first + 1, flags: RST }));
    await advance(target, 1000);
    const second = open(9000)!;
    expect((second - first) | 0).toBeGreaterThan(0);
  });
});

describe('ICMP and IGMP', () => {
  test('an error that quotes a header cut short, at every length', () => {
    const quoted = ipv4({ protocol: TCP, source: OUR_IP, destination: PEER_IP }, tcp({ sport: TCP_PORT, dport: 5000, seq: 1, ack: 1, flags: ACK }));
    let count = 0;
    for (const type of [3, 4, 5, 11, 12]) {
      for (let length = 0; length <= quoted.length; length++) {
        receive(target, frameOf({ protocol: ICMP }, message(type, type === 3 ? 4 : 0, 1400, quoted.slice(0, length))));
        count++;
      }
    }
    expect(counter('IcmpInMsgs')).toBe(count);
    expect(target.host.show.route().length).toBeLessThan(10);
  });

  test('an error whose quoted header lies about its length, or quotes an error', () => {
    for (const ihl of [0, 4, 6, 15]) {
      const quoted = ipv4({ protocol: TCP, source: OUR_IP, destination: PEER_IP }, zeros(8));
      quoted[0] = 0x40 | ihl;
      receive(target, frameOf({ protocol: ICMP }, message(3, 4, 0, quoted)));
    }
    receive(target, frameOf({ protocol: ICMP }, message(3, 1, 0, ipv4({ protocol: ICMP, source: OUR_IP, destination: PEER_IP }, message(3, 1, 0)))));
    expect(answers(ICMP)).toEqual([]); // RFC 1122 §3.2.2: no error about an error
  });

  test('RFC 1191 §4: "packet too big" of 0 and of 68: the path stays usable', async () => {
    const isn = open(7000)!;
    for (const mtu of [0, 1, 67, 68]) {
      const quoted = ipv4({ protocol: TCP, source: OUR_IP, destination: PEER_IP }, tcp({ sport: TCP_PORT, dport: 7000, seq: isn + 1, ack: 1001, flags: ACK }));
      receive(target, frameOf({ protocol: ICMP }, message(3, 4, mtu, quoted)));
    }
    expect(await echo(7000, isn, zeros(400))).toBe(400);
    expect(answers(TCP).length).toBeLessThan(10);
  });

  test('ICMP of every type and code, of no more than its header', () => {
    for (let type = 0; type < 256; type++) {
      for (const code of [0, 1, 4, 15, 16, 255]) receive(target, frameOf({ protocol: ICMP }, message(type, code, 0)));
      target.sent.length = 0;
    }
    for (let length = 0; length < 8; length++) receive(target, frameOf({ protocol: ICMP }, message(8, 0, 0).subarray(0, length)));
    expect(counter('IcmpInMsgs')).toBeGreaterThan(1500);
  });

  test('IGMP cut short at every length, and a query that claims more sources than it has', () => {
    const query = message(0x11, 100, GROUP | 0, zeros(20));
    query[11] = 255;
    for (let length = 0; length <= query.length; length++) receive(target, frameOf({ protocol: IGMP, destination: 0xe0000001, ttl: 1, options: of(148, 4, 0, 0) }, query.slice(0, length)));
    expect(target.account.frames).toBe(query.length + 1);
  });
});

describe('ARP and the link', () => {
  test('ARP with wrong lengths, types, operations, and cut short', () => {
    for (const [at, values] of [[4, [0, 1, 5, 7, 255]], [5, [0, 3, 5, 16, 255]], [0, [255]], [1, [0, 2, 255]], [2, [0, 0x86]], [7, [0, 3, 9, 255]]] as const) {
      for (const value of values) {
        const packet = arp(1);
        packet[at] = value;
        receive(target, ethernet(0x0806, packet));
      }
    }
    for (let length = 0; length < 28; length++) receive(target, ethernet(0x0806, arp(1).slice(0, length)));
    expect(target.sent.filter((frame) => frame[12] === 8 && frame[13] === 6).length).toBe(0);
    expect(target.host.show.neigh()).toEqual([]);
  });

  test('ARP that gives the peer the address of everybody or of a group is not believed', () => {
    for (const mac of [[255, 255, 255, 255, 255, 255], [1, 0, 0x5e, 0, 0, 1], [0, 0, 0, 0, 0, 0]]) {
      const packet = arp(2);
      packet.set(mac, 8);
      receive(target, ethernet(0x0806, packet));
    }
    expect(target.host.show.neigh().every(({ lladdr }) => lladdr !== 'ff:ff:ff:ff:ff:ff')).toBe(true);
  });

  test('10,000 neighbours that nobody asked for: the table stays below gc_thresh3', async () => {
    for (let i = 0; i < 10_000; i++) receive(target, ethernet(0x0806, arp(1, OUR_IP, 0x0a090000 | (i & 255) | ((i >> 8) & 0))));
    for (let i = 0; i < 5000; i++) receive(target, frameOf({ protocol: ICMP, destination: 0x0a090900 + (i % 254) + 1 }, message(8, 0, i)));
    await advance(target, 5000);
    expect(target.host.show.neigh().length).toBeLessThanOrEqual(1024);
  });

  test('VLAN tags: cut short, of no VLAN of ours, and forty of them', () => {
    receive(target, ethernet(0x8100, of(0)));
    receive(target, ethernet(0x8100, of(0, 10)));
    receive(target, ethernet(0x8100, of(0, 10, 8, 0, 0x45)));
    const nested = Array.from({ length: 40 }, () => [0, 10, 0x81, 0]).flat();
    receive(target, ethernet(0x8100, of(...nested, 0, 10, 8, 0)));
    expect(target.account.dropped).toBe(4);
  });

  test('frames of no type, of a length for a type, and of nothing but a header', () => {
    for (const type of [0, 1, 46, 1500, 1535, 1536, 65535, 0x0800, 0x0806]) {
      receive(target, ethernet(type, zeros(0)));
      receive(target, ethernet(type, zeros(1)));
      receive(target, ethernet(type, of(0xff, 0xff, 3)));
    }
    expect(target.account.dropped).toBe(27);
  });
});

describe('UDP', () => {
  test('a length of 0 to 7, above the packet, and a checksum of 0 and of nonsense', async () => {
    for (const length of [0, 1, 7, 9 + 8, 65535]) {
      const datagram = udp(1, UDP_PORT, zeros(8));
      new DataView(datagram.buffer).setUint16(4, length);
      packets(ipv4({ protocol: UDP }, datagram));
    }
    packets(ipv4({ protocol: UDP }, udp(1, UDP_PORT, zeros(8)))); // checksum 0: none, RFC 768
    const wrong = udp(1, UDP_PORT, zeros(8));
    wrong[6] = 0x12;
    packets(ipv4({ protocol: UDP }, wrong));
    for (let length = 0; length < 8; length++) packets(ipv4({ protocol: UDP }, udp(1, UDP_PORT, zeros(0)).slice(0, length)));
    await advance(target, 1);
    expect(counter('UdpInDatagrams')).toBe(1);
  });

  test('more datagrams than anybody reads: the receive buffer is the bound', () => {
    for (let i = 0; i < 5000; i++) receive(target, frameOf({ protocol: UDP, id: i }, udp(1, UDP_PORT, zeros(1000))));
    expect(counter('UdpRcvbufErrors')).toBeGreaterThan(4000);
    expect(target.world.pool.nrSkbs).toBeLessThan(500);
  });
});

describe('messages of DNS (NAME:WRECK, Ripple20, AMNESIA:33) and DHCP', () => {
  /** A response with one question and `answers` records that begin at octet 12. */
  const dns = (questions: number, records: number, ...rest: number[]): Uint8Array => of(0, 1, 0x81, 0x80, 0, questions, 0, records, 0, 0, 0, 0, ...rest);

  test('NAME:WRECK: a name that points at itself, at another that points back, forward, past the end', () => {
    expect(nsParse(dns(1, 0, 0xc0, 12, 0, 1, 0, 1))).toBe(null);
    expect(nsParse(dns(1, 0, 0xc0, 14, 0xc0, 12, 0, 1, 0, 1))).toBe(null);
    expect(nsParse(dns(1, 0, 1, 0x61, 0xc0, 12, 0, 1, 0, 1))).toBe(null);
    expect(nsParse(dns(1, 0, 0xc0, 16, 0, 1, 0, 1, 0))).toBe(null);
    expect(nsParse(dns(1, 0, 0xff, 0xff, 0, 1, 0, 1))).toBe(null);
    expect(nsParse(dns(1, 0, 0xc0))).toBe(null);
  });

  test('labels past the end, of reserved kinds, names above 255 octets', () => {
    expect(nsParse(dns(1, 0, 63, 0x61))).toBe(null);
    expect(nsParse(dns(1, 0, 0x40, 0x61, 0, 0, 1, 0, 1))).toBe(null);
    expect(nsParse(dns(1, 0, 0x80, 0x61, 0, 0, 1, 0, 1))).toBe(null);
    const long = Array.from({ length: 5 }, () => [63, ...new Array<number>(63).fill(0x61)]).flat();
    expect(nsParse(dns(1, 0, ...long, 0, 0, 1, 0, 1))).toBe(null);
  });

  test('more records than there are, a record longer than the message, an address of 3 octets', () => {
    expect(nsParse(dns(1, 255, 1, 0x61, 0, 0, 1, 0, 1))).toBe(null);
    expect(nsParse(dns(0, 1, 1, 0x61, 0, 0, 1, 0, 1, 0, 0, 0, 9, 0xff, 0xff, 1, 2, 3, 4))).toBe(null);
    expect(nsParse(dns(0, 1, 1, 0x61, 0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 3, 1, 2, 3))).toBe(null);
  });

  test('DNS: every truncation and every single-bit flip of an answer is read or refused, without a throw', () => {
    const answer = dns(1, 2, 1, 0x61, 3, 0x6f, 0x72, 0x67, 0, 0, 1, 0, 1, 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, 0x62, 0xc0, 14, 0xc0, 35, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 1);
    expect(nsParse(answer)?.answer.length).toBe(2);
    for (let length = 0; length < answer.length; length++) expect(nsParse(answer.slice(0, length)), `${length} octets`).toBe(null);
    for (let bit = 0; bit < answer.length * 8; bit++) {
      const bad = answer.slice();
      bad[bit >> 3]! ^= 1 << (bit & 7);
      nsParse(bad);
    }
  });

  test('DHCP: options past the end, of no length, without end, overloaded; every truncation', () => {
    const offer = new Uint8Array(300);
    offer.set([2, 1, 6, 0]);
    offer.set([99, 130, 83, 99, 53, 1, 2, 54, 4, 10, 0, 0, 1, 51, 4, 0, 0, 0, 60, 255], 236);
    expect(dhcpParse(offer)).not.toBe(null);
    const changed = (at: number, ...octets: number[]): Uint8Array => {
      const copy = offer.slice();
      copy.set(octets, at);
      return copy;
    };
    expect(dhcpParse(changed(249, 51, 255))).toBe(null); // 255 octets where 49 are left
    expect(dhcpParse(changed(240, 53, 0))).toBe(null); // no message type
    expect(dhcpParse(changed(2, 255))).toBe(null); // a hardware address of 255 octets
    expect(dhcpParse(changed(236, 0))).toBe(null); // no cookie
    for (let length = 0; length < 243; length++) expect(dhcpParse(offer.slice(0, length)), `${length} octets`).toBe(null);
    for (let bit = 0; bit < 256 * 8; bit++) dhcpParse(changed(bit >> 3, offer[bit >> 3]! ^ (1 << (bit & 7))));
    for (const overload of [1, 2, 3, 255]) dhcpParse(changed(255, 52, 1, overload, 255));
  });
});
