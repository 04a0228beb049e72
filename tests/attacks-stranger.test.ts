// Attacks by somebody who is not the peer of a connection: he sees nothing of it, and sends what he likes under any address. Each test plays the
// attack, and fails without the defence that it names.
import { inAton, SockAddrIn } from '@stack/inet-sock';
import { PF_INET, SOCK_NONBLOCK, SOCK_STREAM, sysAccept, sysClose, sysConnect, sysGetsockname, sysRead, sysSocket } from '@stack/socket';
import { afterEach, describe, expect, test } from 'vitest';
import { PEER_IP } from './fuzz/frames.ts';
import { ACK, PORT, RST, SYN, createVictim, infoOf, openFrom, type Victim, type VictimOptions } from './support/victim.ts';

const OTHER_IP = PEER_IP + 100;
const TCP_ESTABLISHED = 1;

let victims: Victim[] = [];

function victimOf(options: VictimOptions = {}): Victim {
  const victim = createVictim(options);
  victims.push(victim);
  return victim;
}

afterEach(async () => {
  for (const victim of victims) await victim.close();
  victims = [];
});

/** Pearson's statistic of how evenly values below `range` fall into `bins`: about `bins`, with a deviation of √(2·bins). */
function chiSquare(values: readonly number[], range: number, bins: number): number {
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) counts[Math.floor((value * bins) / range)]!++;
  const mean = values.length / bins;
  return counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
}

/** Six deviations above what even values give. */
const evenBelow = (bins: number): number => bins + 6 * Math.sqrt(2 * bins);

describe('CVE-2016-5696: the challenge ACK side channel', () => {
  const CONNECTIONS = 200;

  /**
   * The attacker has connections of his own; he sends a SYN under the address of another client, whose connection is or is not there, then disturbs
   * his own and counts the challenge ACKs. Resolves with the counts, second by second.
   */
  async function probe(guessIsRight: boolean, seconds: number, limit?: number): Promise<number[]> {
    const sysctl = limit === undefined ? {} : { 'net.ipv4.tcp_challenge_ack_limit': limit };
    const victim = victimOf({ sysctl, backlog: 1024 });
    openFrom(victim, 6000, [], OTHER_IP);
    const own = Array.from({ length: CONNECTIONS }, (_, i) => openFrom(victim, 10_000 + i));
    const counts: number[] = [];
    for (let second = 0; second < seconds; second++) {
      await victim.pass(1000);
      victim.take();
      victim.give({ sport: guessIsRight ? 6000 : 6001, seq: 77, flags: SYN }, undefined, OTHER_IP);
      for (const { sport, seq } of own) victim.give({ sport, seq: seq + 100, flags: RST });
      counts.push(victim.take().filter(({ to, flags }) => to === PEER_IP && flags === ACK).length);
    }
    return counts;
  }

  test('by default nothing that he sees depends on the connection of another', async () => {
    const right = await probe(true, 5);
    expect(right).toEqual(await probe(false, 5));
    expect(right).toEqual(new Array(5).fill(CONNECTIONS));
  });

  test('with tcp_challenge_ack_limit what is left of a second\'s budget says nothing: the budget is random', async () => {
    const [right, wrong] = [await probe(true, 100, 100), await probe(false, 100, 100)];
    for (const counts of [right, wrong]) {
      // From half of the limit to one and a half of it, and evenly so.
      expect(Math.min(...counts)).toBeGreaterThanOrEqual(49);
      expect(Math.max(...counts)).toBeLessThan(150);
      expect(new Set(counts).size, counts.join(' ')).toBeGreaterThan(40);
    }
  });
});

describe('RFC 5961: blind attacks', () => {
  test('§3: a reset at every window of the sequence space ends nothing, each is challenged or dropped', async () => {
    const victim = victimOf();
    const { fd, sport, seq } = openFrom(victim, 6000);
    const step = 32_768; // the victim's window is 64 KiB: at least one of these lies in it
    for (let at = 7; at < 2 ** 32; at += step) victim.give({ sport, seq: seq + at, flags: RST });
    expect(infoOf(victim, fd).tcpiState).toBe(TCP_ESTABLISHED);
    expect(victim.counter('TcpExtTCPChallengeACK')).toBeGreaterThan(0);
    victim.give({ sport, seq, flags: RST });
    expect(infoOf(victim, fd).tcpiState, 'the one that is exactly right does').not.toBe(TCP_ESTABLISHED);
  });

  test('§4: nor does a SYN, wherever it lies', async () => {
    const victim = victimOf();
    const { fd, sport, seq } = openFrom(victim, 6000);
    for (let at = 0; at < 2 ** 32; at += 32_768) victim.give({ sport, seq: seq + at, flags: SYN });
    expect(infoOf(victim, fd).tcpiState).toBe(TCP_ESTABLISHED);
    expect(victim.counter('TcpExtTCPSYNChallenge')).toBeGreaterThan(0);
  });

  test('§5: data in the window with a guessed ACK is not taken, but for an ACK that fits', async () => {
    const victim = victimOf();
    const { fd, sport, seq, start } = openFrom(victim, 6000);
    const bad = new TextEncoder().encode('malice');
    const MAX_WINDOW = 65_535;
    // 1024 guesses cover the space more narrowly than the window is: one in 65536 fits.
    for (let i = 0; i < 1024; i++) {
      const ack = (start + i * 2 ** 22) | 0;
      if (i !== 0) victim.give({ sport, seq, ack, flags: ACK }, bad);
    }
    victim.give({ sport, seq, ack: start - MAX_WINDOW - 1, flags: ACK }, bad);
    victim.give({ sport, seq, ack: start + 1, flags: ACK }, bad);
    expect(infoOf(victim, fd).tcpiBytesReceived).toBe(0);
    victim.give({ sport, seq, ack: start, flags: ACK }, new TextEncoder().encode('honest'));
    const buffer = new Uint8Array(16);
    expect(await sysRead(victim.task, fd, buffer)).toBe(6);
    expect(new TextDecoder().decode(buffer.subarray(0, 6))).toBe('honest');
  });

  test('RFC 7323 §5: with timestamps a segment of an old one is not taken either (PAWS)', async () => {
    const victim = victimOf();
    const stamp = (value: number): number[] => [1, 1, 8, 10, value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255, 0, 0, 0, 0];
    const { fd, sport, seq, start } = openFrom(victim, 6000, [...stamp(1_000_000)]);
    victim.give({ sport, seq, ack: start, options: Uint8Array.from(stamp(1_000_001)) }, new Uint8Array(1));
    victim.give({ sport, seq: seq + 1, ack: start, options: Uint8Array.from(stamp(900_000)) }, new Uint8Array(100));
    expect(infoOf(victim, fd).tcpiBytesReceived).toBe(1);
    expect(victim.counter('TcpExtPAWSEstab')).toBe(1);
  });
});

describe('SYN flood', () => {
  const MS = 1000;
  const PER_MS = 100;

  /** 100,000 SYNs a second from everywhere; an honest client calls every 50 ms. Resolves with how many did and how many were served. */
  async function flood(victim: Victim, milliseconds = MS): Promise<{ served: number; calls: number }> {
    let random = 1;
    let served = 0;
    let calls = 0;
    victim.hears = ({ to }) => to === PEER_IP;
    for (let ms = 0; ms < milliseconds; ms++) {
      for (let i = 0; i < PER_MS; i++) {
        random = Math.imul(random, 1_664_525) + 1_013_904_223;
        victim.give({ sport: 1024 + (random >>> 17), seq: random, flags: SYN }, undefined, (0x0b00_0000 + (random >>> 8)) >>> 0);
      }
      if (ms % 50 === 25) served += await call(victim, 20_000 + calls++) ? 1 : 0;
      else await victim.pass(1);
    }
    return { served, calls };
  }

  /** An honest client: its SYN, its ACK 2 ms later with a request, and whether the server reads that. */
  async function call(victim: Victim, sport: number): Promise<boolean> {
    victim.take();
    victim.give({ sport, flags: SYN });
    const answer = victim.take().find(({ dport, flags }) => dport === sport && flags === (SYN | ACK));
    await victim.pass(1);
    if (answer === undefined) return false;
    victim.give({ sport, seq: 1001, ack: answer.seq + 1 });
    victim.give({ sport, seq: 1001, ack: answer.seq + 1 }, new Uint8Array(5));
    const fd = sysAccept(victim.task, victim.listener, null, SOCK_NONBLOCK);
    if (typeof fd !== 'number' || fd < 0) return false;
    const got = await sysRead(victim.task, fd, new Uint8Array(16));
    sysClose(victim.task, fd);
    return got === 5;
  }

  test('RFC 4987 §3.6: at 100,000 SYNs a second every honest client is served, by cookies; requests stay within the backlog and one', { timeout: 120_000 }, async () => {
    const victim = victimOf();
    const { served, calls } = await flood(victim);
    expect(calls).toBe(20);
    expect(served).toBe(calls);
    expect(victim.counter('TcpExtSyncookiesSent')).toBeGreaterThan(90_000);
    expect(victim.counter('TcpExtSyncookiesRecv')).toBe(calls);
    expect(victim.host.show.sockets().filter(({ state }) => state === 'SYN-RECV').length).toBeLessThanOrEqual(129);
  });

  test('without cookies the same flood shuts them out: it is the cookies that help', { timeout: 120_000 }, async () => {
    const { served, calls } = await flood(victimOf({ sysctl: { 'net.ipv4.tcp_syncookies': 0 } }), 300);
    expect(served).toBeLessThan(calls / 3);
  });
});

describe('numbers that he would have to guess', () => {
  const SEED = 20_261_130;
  const DRAWS = 4096;

  test('RFC 6528: initial sequence numbers, and the steps between them, are even over the whole space', async () => {
    const victim = victimOf({ seed: SEED, backlog: 2 * DRAWS });
    const numbers: number[] = [];
    for (let i = 0; i < DRAWS; i++) {
      victim.give({ sport: 1024 + i, flags: SYN });
      numbers.push(victim.take()[0]!.seq >>> 0);
      if (i % 64 === 0) await victim.pass(1);
    }
    const steps = numbers.slice(1).map((number, i) => (number - numbers[i]!) >>> 0);
    expect(chiSquare(numbers, 2 ** 32, 64), `seed ${SEED}: the numbers`).toBeLessThan(evenBelow(64));
    expect(chiSquare(steps, 2 ** 32, 64), `seed ${SEED}: the steps`).toBeLessThan(evenBelow(64));
    // The low bits too: a clock or a counter would show there.
    expect(chiSquare(numbers.map((number) => number & 63), 64, 64), `seed ${SEED}: the last six bits`).toBeLessThan(evenBelow(64));
  });

  test('RFC 6528 §3: who knows the numbers of one address knows nothing of another\'s', async () => {
    const victim = victimOf({ seed: SEED, backlog: 2 * DRAWS });
    const apart: number[] = [];
    for (let i = 0; i < DRAWS / 2; i++) {
      victim.give({ sport: 1024 + i, flags: SYN });
      victim.give({ sport: 1024 + i, flags: SYN }, undefined, OTHER_IP);
      const [own, other] = victim.take();
      apart.push((own!.seq - other!.seq) >>> 0);
    }
    expect(chiSquare(apart, 2 ** 32, 64), `seed ${SEED}`).toBeLessThan(evenBelow(64));
  });

  /** The local port of a connection that the victim opens. */
  function portTowards(victim: Victim, address: number, port: number): number {
    const fd = sysSocket(victim.task, PF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    void sysConnect(victim.task, fd, new SockAddrIn(address | 0, port));
    const name = new SockAddrIn();
    sysGetsockname(victim.task, fd, name);
    sysClose(victim.task, fd);
    return name.sinPort;
  }

  const LOW = 32_768;
  const RANGE = 60_999 - LOW + 1;

  test('RFC 6056 §3.3: the local ports towards many servers are even over the range, and so are the steps between them', async () => {
    const victim = victimOf({ seed: SEED });
    const ports = Array.from({ length: DRAWS }, (_, i) => portTowards(victim, inAton('192.0.2.1') + (i << 8), PORT) - LOW);
    const steps = ports.slice(1).map((port, i) => (port - ports[i]! + RANGE) % RANGE);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...ports)).toBeLessThan(RANGE);
    expect(chiSquare(ports, RANGE, 32), `seed ${SEED}: ports`).toBeLessThan(evenBelow(32));
    expect(chiSquare(steps, RANGE, 32), `seed ${SEED}: steps`).toBeLessThan(evenBelow(32));
  });

  test('RFC 6056 §3.3.4: the ports towards one server say nothing of those towards the next, on whichever host', async () => {
    const [mine, theirs] = [inAton('192.0.2.1'), inAton('198.51.100.1')];
    const apart: number[] = [];
    for (let i = 0; i < 128; i++) {
      const victim = createVictim({ seed: SEED + i });
      apart.push((portTowards(victim, theirs, PORT) - portTowards(victim, mine, PORT) + RANGE) % RANGE);
      await victim.close();
    }
    expect(chiSquare(apart, RANGE, 16), `seeds from ${SEED}`).toBeLessThan(evenBelow(16));
  });

  test('RFC 7323 §5.4: the timestamps that one address gets say nothing of another\'s', async () => {
    const victim = victimOf({ seed: SEED });
    const offsets = Array.from({ length: 1024 }, (_, i) => timestampFor(victim, PEER_IP + 1000 + i));
    expect(chiSquare(offsets, 2 ** 32, 16), `seed ${SEED}`).toBeLessThan(evenBelow(16));
  });

  function timestampFor(victim: Victim, source: number): number {
    const options = Uint8Array.from([8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1]);
    victim.give({ sport: 6000, flags: SYN, options }, undefined, source);
    return victim.take().find(({ to }) => to === source)!.tsval;
  }
});
