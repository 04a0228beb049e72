// Attacks by the peer itself: it has a connection, and uses it so that the victim works, keeps or sends more than it should. Each test plays the
// attack, and fails without the defence that it names.
import { ETIMEDOUT } from '@stack/kernel';
import {
  MSG_DONTWAIT, SOL_SOCKET, SOL_TCP, SO_ERROR, SO_MEMINFO, SO_SNDBUF, sysClose, sysGetsockopt, sysSend, sysSetsockopt, type SkMeminfo,
} from '@stack/socket';
import { TCP_USER_TIMEOUT } from '@stack/tcp';
import { afterEach, describe, expect, test } from 'vitest';
import { ACK, RST, SACK_PERMITTED, createVictim, infoOf, openFrom, sackBlocks, type Attacker, type Sent, type Victim, type VictimOptions } from './support/victim.ts';
import { countCalls } from './support/work.ts';

let victim: Victim;

function victimOf(options: VictimOptions = {}): Victim {
  victim = createVictim(options);
  return victim;
}

afterEach(() => victim.close());

/** An MSS option. */
const mss = (octets: number): number[] => [2, 4, octets >> 8, octets & 255];
/** A window scale of 14: all that a window can be. */
const HUGE_WINDOW = [3, 3, 14, 1];

/** The victim has `octets` to send; what does not fit its buffer is left out. Returns how many do. */
function write({ fd }: Attacker, octets: number): number {
  const sent = sysSend(victim.task, fd, new Uint8Array(octets), MSG_DONTWAIT);
  return typeof sent === 'number' ? sent : -1;
}

const data = (segments: readonly Sent[]): Sent[] => segments.filter(({ length }) => length > 0);
const meminfo = ({ fd }: Attacker): SkMeminfo => sysGetsockopt(victim.task, fd, SOL_SOCKET, SO_MEMINFO) as SkMeminfo;

/** Acknowledges all that comes, until the victim has `segments` in flight at once or nothing more to send. Returns the highest octet sent. */
async function openTheWindow(peer: Attacker, segments: number): Promise<number> {
  let end = peer.start;
  for (let rounds = 0; rounds < 40; rounds++) {
    for (const { seq, length } of data(victim.take())) end = Math.max(end - peer.start, seq + length - peer.start) + peer.start;
    if (infoOf(victim, peer.fd).tcpiUnacked >= segments) break;
    await victim.pass(1);
    victim.give({ sport: peer.sport, seq: peer.seq, ack: end });
    write(peer, 1 << 20);
  }
  return end | 0;
}

describe('SACK', () => {
  test('CVE-2019-11477, SACK panic: blocks that make one sk_buff of 70,000 segments of 36 octets', { timeout: 120_000 }, async () => {
    victimOf({ sysctl: { 'net.ipv4.tcp_wmem': [4096, 1 << 24, 1 << 24], 'net.ipv4.tcp_mem': [1 << 20, 1 << 20, 1 << 20] } });
    const peer = openFrom(victim, 6000, [...mss(48), ...SACK_PERMITTED, ...HUGE_WINDOW]);
    write(peer, 1 << 22);
    const end = await openTheWindow(peer, 70_000);
    const before = infoOf(victim, peer.fd);
    expect(before.tcpiUnacked).toBeGreaterThan(70_000);
    const una = (end - before.tcpiUnacked * before.tcpiSndMss) | 0;
    // All but the first segment, in blocks that each reach into the one before: they are merged, if anything merges.
    const step = 100 * before.tcpiSndMss;
    for (let to = una + step; to < end; to += step) {
      const options = sackBlocks([una + before.tcpiSndMss, to]);
      victim.give({ sport: peer.sport, seq: peer.seq, ack: una, options });
    }
    const after = infoOf(victim, peer.fd);
    expect(victim.host.net.panicked).toBe(null);
    expect(after.tcpiSacked).toBeGreaterThan(65_536);
    expect(after.tcpiSacked).toBeLessThan(after.tcpiUnacked);
    victim.give({ sport: peer.sport, seq: peer.seq, ack: end });
    expect(infoOf(victim, peer.fd)).toMatchObject({ tcpiSacked: 0, tcpiLost: 0, tcpiRetrans: 0 });
  });

  test('CVE-2019-11478: SACK of every other segment: the queue holds little more memory than the buffer allows, pieces are refused', async () => {
    victimOf();
    const peer = openFrom(victim, 6000, [...mss(48), ...SACK_PERMITTED, ...HUGE_WINDOW]);
    expect(sysSetsockopt(victim.task, peer.fd, SOL_SOCKET, SO_SNDBUF, 20_000)).toBe(0);
    write(peer, 1 << 20);
    const end = await openTheWindow(peer, 600);
    const { tcpiSndMss: size, tcpiUnacked: unacked } = infoOf(victim, peer.fd);
    const una = end - unacked * size;
    const { wmemQueued } = meminfo(peer);
    for (let at = una + size; at + size < end; at += 2 * size) {
      victim.give({ sport: peer.sport, seq: peer.seq, ack: una, options: sackBlocks([at, at + size]) });
    }
    const { wmemQueued: most, sndbuf } = meminfo(peer);
    expect(most).toBeGreaterThan(wmemQueued);
    expect(victim.counter('TcpExtTCPWqueueTooBig')).toBeGreaterThan(0);
    // tcp_fragment refuses at twice the buffer and what two of the largest sk_buffs take.
    expect(most).toBeLessThan(2 * (sndbuf + 2 * 70_000) + 10_000);
  });

  test('RFC 2018 §5: blocks over everything, backwards, over octets never sent, count nothing that is not there', () => {
    victimOf();
    const peer = openFrom(victim, 6000, SACK_PERMITTED);
    write(peer, 20_000);
    const { start } = peer;
    const bad: [number, number][] = [[start - 1000, start + 1e6], [start + 1000, start + 1e6], [start + 5000, start + 4000], [start + 1e5, start + 2e5], [start, start], [start + 2 ** 31, start + 5]];
    for (const block of bad) victim.give({ sport: peer.sport, seq: peer.seq, ack: start, options: sackBlocks(block, ...bad.slice(0, 2)) });
    expect(infoOf(victim, peer.fd)).toMatchObject({ tcpiSacked: 0, tcpiLost: 0 });
    expect(victim.counter('TcpExtTCPSACKDiscard')).toBeGreaterThanOrEqual(bad.length);
  });
});

describe('CVE-2018-5390, SegmentSmack: the work of tiny segments out of order', () => {
  const BUFFER = 8 << 20;

  /** Calls that the victim makes for `count` segments of one octet, of which number i lies `offset` octets beyond what it expects. */
  async function workOf(count: number, offset: (i: number, count: number) => number, buffer = BUFFER): Promise<number> {
    victimOf({ sysctl: { 'net.ipv4.tcp_rmem': [4096, buffer, buffer], 'net.ipv4.tcp_mem': [1 << 20, 1 << 20, 1 << 20] } });
    const peer = openFrom(victim, 6000, [...SACK_PERMITTED, ...HUGE_WINDOW]);
    const octet = new Uint8Array(1);
    const calls = await countCalls(() => {
      for (let i = 0; i < count; i++) {
        victim.give({ sport: peer.sport, seq: peer.seq + offset(i, count), ack: peer.start }, octet);
        victim.sent.length = 0;
      }
    });
    pruned = victim.counter('TcpExtOfoPruned');
    await victim.close();
    return calls;
  }

  const COUNT = 1500;
  /** A prime: its multiples visit every place, far from the last. */
  const STRIDE = 7919;
  let pruned = 0;
  const inOrder = (i: number): number => i;
  /** With a hole before each. */
  const hereAndThere = (i: number, count: number): number => 2 + 2 * ((i * STRIDE) % count);

  test.each<[string, (i: number, count: number) => number]>([
    ['here and there', hereAndThere],
    ['backwards', (i, count) => 2 * (count - i)],
    ['from both ends to the middle', (i, count) => 2 + 2 * (i % 2 === 0 ? i >> 1 : count - 1 - (i >> 1))],
  ])('%s: four times as many cost little more than four times the work, as a tree does and no list', async (_name, offset) => {
    const few = await workOf(COUNT, offset);
    const many = await workOf(4 * COUNT, offset);
    // 4 × (log2 6000 / log2 1500) = 4.8 if all the work were the tree's; a list that is searched would make it 16.
    expect(many / few, `calls: ${few}, ${many}`).toBeLessThan(5);
    const honest = await workOf(4 * COUNT, inOrder);
    expect(many / honest, `calls: ${many}, in order ${honest}`).toBeLessThan(4);
    victimOf();
  });

  test('a buffer that is full of them is cleaned in large steps, not again for each', async () => {
    const small = 1 << 20;
    const full = await workOf(8 * COUNT, hereAndThere, small);
    expect(pruned).toBeGreaterThan(0);
    const honest = await workOf(8 * COUNT, inOrder, small);
    expect(full / honest, `calls: ${full}, in order ${honest}`).toBeLessThan(4);
    victimOf();
  });
});

describe('acknowledgements that lie (Savage et al., RFC 3465, RFC 5681)', () => {
  test('optimistic ACK: octets never sent are not acknowledged, whatever the peer says', async () => {
    victimOf();
    const peer = openFrom(victim, 6000);
    write(peer, 100_000);
    const [first] = data(victim.take());
    const { tcpiUnacked, tcpiSndCwnd } = infoOf(victim, peer.fd);
    for (let i = 1; i <= 100; i++) victim.give({ sport: peer.sport, seq: peer.seq, ack: peer.start + tcpiUnacked * first!.length + i * 1000 });
    expect(infoOf(victim, peer.fd)).toMatchObject({ tcpiUnacked, tcpiSndCwnd, tcpiBytesAcked: 0 });
    expect(data(victim.take())).toEqual([]);
    await victim.pass(1);
  });

  test('ACK division: a segment acknowledged in a thousand pieces opens the window by one (RFC 3465 §2.1)', async () => {
    victimOf();
    const peer = openFrom(victim, 6000);
    write(peer, 200_000);
    const [first] = data(victim.take());
    const { tcpiSndCwnd } = infoOf(victim, peer.fd);
    await victim.pass(20);
    victim.take();
    for (let i = 1; i <= first!.length; i++) victim.give({ sport: peer.sport, seq: peer.seq, ack: peer.start + i });
    expect(infoOf(victim, peer.fd).tcpiSndCwnd).toBeLessThanOrEqual(tcpiSndCwnd + 1);
    expect(data(victim.take()).length).toBeLessThanOrEqual(2);
  });

  test('duplicate ACKs that never end: with SACK each has to say what has come, and no more is sent than was in flight', async () => {
    victimOf();
    const { sent, inFlight, cwnd } = await duplicates(SACK_PERMITTED);
    expect(sent).toBeLessThanOrEqual(inFlight);
    expect(cwnd).toBeLessThanOrEqual(inFlight);
  });

  test('duplicate ACKs that never end: without SACK the offered window is the bound, as no ACK opens it', async () => {
    victimOf();
    const { sent, inFlight, cwnd } = await duplicates([]);
    expect((sent + inFlight) * 536).toBeLessThanOrEqual(65_535 + inFlight * 536); // what was in flight goes once again
    expect(cwnd).toBeLessThanOrEqual(inFlight);
  });

  /** 10,000 duplicates of the first ACK: segments that the victim sends for them, was sending before, and its window afterwards. */
  async function duplicates(options: readonly number[]): Promise<{ sent: number; inFlight: number; cwnd: number }> {
    const peer = openFrom(victim, 6000, options);
    write(peer, 1_000_000);
    const inFlight = data(victim.take()).length;
    await victim.pass(20);
    victim.take();
    for (let i = 0; i < 10_000; i++) victim.give({ sport: peer.sport, seq: peer.seq, ack: peer.start });
    return { sent: data(victim.take()).length, inFlight, cwnd: infoOf(victim, peer.fd).tcpiSndCwnd };
  }

  test('what is acknowledged before it can have arrived: the victim sends no faster than its window', async () => {
    victimOf();
    const peer = openFrom(victim, 6000, SACK_PERMITTED);
    write(peer, 1 << 20);
    // Every round the peer acknowledges at once all that it has been sent: slow start doubles, and no more.
    let last = data(victim.take()).length;
    let end = peer.start + last * 536;
    for (let round = 0; round < 5; round++) {
      await victim.pass(10);
      victim.give({ sport: peer.sport, seq: peer.seq, ack: end });
      const next = data(victim.take());
      for (const { seq, length } of next) end = seq + length;
      expect(next.length).toBeLessThanOrEqual(2 * last);
      last = next.length;
    }
  });
});

describe('CVE-2019-11479, tiny MSS: the victim may be made to send many small segments', () => {
  const OCTETS = 8192;

  /** How many segments the victim sends for OCTETS. */
  async function segmentsAt(offered: number, sysctl: VictimOptions['sysctl'] = {}): Promise<number> {
    victimOf({ sysctl: { ...sysctl, 'net.ipv4.tcp_wmem': [4096, 1 << 20, 1 << 20] } });
    const peer = openFrom(victim, 6000, mss(offered));
    write(peer, OCTETS);
    let end = peer.start;
    let count = 0;
    for (let rounds = 0; rounds < 20; rounds++) {
      for (const { seq, length } of data(victim.take())) {
        count++;
        end = seq + length;
      }
      if (end - peer.start === OCTETS) break;
      await victim.pass(1);
      victim.give({ sport: peer.sport, seq: peer.seq, ack: end });
    }
    expect((end - peer.start) | 0).toBe(OCTETS);
    return count;
  }

  test.each([0, 1, 8, 47])('an MSS of %i is one of 48 (net.ipv4.tcp_min_snd_mss)', async (offered) => {
    expect(await segmentsAt(offered)).toBeLessThanOrEqual(Math.ceil(OCTETS / (48 - 12)));
  });

  test('tcp_min_snd_mss = 536 leaves no peer a lesser one', async () => {
    expect(await segmentsAt(48, { 'net.ipv4.tcp_min_snd_mss': 536 })).toBeLessThanOrEqual(Math.ceil(OCTETS / (536 - 12)));
  });
});

describe('zero window: peers that keep what they are sent waiting for ever', () => {
  const PEERS = 200;

  /** Connections whose peers close the window at once; the victim has `octets` for each. */
  function stuck(count: number, octets: number): Attacker[] {
    return Array.from({ length: count }, (_, i) => {
      const peer = openFrom(victim, 10_000 + i);
      victim.give({ sport: peer.sport, seq: peer.seq, ack: peer.start, window: 0 });
      write(peer, octets);
      return peer;
    });
  }

  /** Probes of each port that answerProbes() has answered. */
  const probes = new Map<number, number>();

  /** For `seconds` every probe is answered, the window still closed. Returns the ports that were reset. */
  async function answerProbes(peers: readonly Attacker[], seconds: number): Promise<Set<number>> {
    const reset = new Set<number>();
    probes.clear();
    for (let second = 0; second < seconds; second++) {
      await victim.pass(1000);
      for (const { dport, flags } of victim.take()) {
        if ((flags & RST) !== 0) reset.add(dport);
        probes.set(dport, (probes.get(dport) ?? 0) + 1);
        const peer = peers[dport - 10_000];
        if (peer !== undefined && !reset.has(dport)) victim.give({ sport: dport, seq: peer.seq, ack: peer.start, window: 0, flags: ACK });
      }
    }
    return reset;
  }

  const left = (): number => victim.host.show.sockets().filter(({ state }) => state !== 'LISTEN').length;

  test('RFC 1122 §4.2.2.17: a connection that its owner keeps stays, while its peer answers', async () => {
    victimOf({ backlog: PEERS });
    const peers = stuck(3, 10_000);
    await answerProbes(peers, 600);
    expect(left()).toBe(3);
  });

  test('RFC 5482, TCP_USER_TIMEOUT ends it though the peer answers every probe', async () => {
    victimOf({ backlog: PEERS });
    const peers = stuck(PEERS, 10_000);
    for (const { fd } of peers) sysSetsockopt(victim.task, fd, SOL_TCP, TCP_USER_TIMEOUT, 30_000);
    await answerProbes(peers, 60);
    expect(left()).toBe(0);
    for (const { fd } of peers) expect(sysGetsockopt(victim.task, fd, SOL_SOCKET, SO_ERROR)).toBe(ETIMEDOUT);
    // Waits double from 200 ms, and the last is cut: had the time not ended it, probes without an answer would have, one each tick.
    expect(Math.max(...probes.values())).toBeLessThanOrEqual(9);
  });

  test('orphans go when their probes have reached the longest timeout, though the peer answers (tcp_orphan_retries)', async () => {
    victimOf({ backlog: PEERS });
    const peers = stuck(PEERS, 10_000);
    for (const { fd } of peers) sysClose(victim.task, fd);
    expect(left()).toBe(PEERS);
    await answerProbes(peers, 600);
    expect(left()).toBe(0);
  });

  test('tcp_max_orphans: those above are reset at once', async () => {
    victimOf({ backlog: PEERS, sysctl: { 'net.ipv4.tcp_max_orphans': 50 } });
    const peers = stuck(PEERS, 10_000);
    for (const { fd } of peers) sysClose(victim.task, fd);
    expect(left()).toBeLessThanOrEqual(50);
    expect((await answerProbes(peers, 1)).size).toBeGreaterThanOrEqual(PEERS - 50);
    expect(victim.counter('TcpExtTCPAbortOnMemory')).toBeGreaterThanOrEqual(PEERS - 50);
  });

  test('tcp_mem: all of them together hold no more than it allows, and orphans go', async () => {
    const PAGE = 4096;
    const limit = 500;
    victimOf({ backlog: PEERS, sysctl: { 'net.ipv4.tcp_mem': [300, 400, limit], 'net.ipv4.tcp_wmem': [4096, 1 << 19, 1 << 19] } });
    const peers = stuck(PEERS, 400_000);
    const held = peers.reduce((sum, peer) => sum + meminfo(peer).wmemQueued, 0);
    // Each sock may always have its first sk_buff, here of half the offered window.
    expect(held).toBeLessThan((limit + PEERS * 10) * PAGE);
    for (const { fd } of peers) sysClose(victim.task, fd);
    await answerProbes(peers, 5);
    expect(left()).toBeLessThan(PEERS);
    expect(victim.counter('TcpExtTCPAbortOnMemory')).toBeGreaterThan(0);
  });
});
