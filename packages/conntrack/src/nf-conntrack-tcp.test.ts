import { destroyNet, sleep, sysctlWrite } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { leakReport } from '@stack/skbuff';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IP_CT_NEW, conntrackShow } from './index.ts';
import { A, B, forward, ipBytes, packetOf, trackingNet } from './test-packets.ts';
import type { Fields } from './test-packets.ts';

let net: Net;
beforeEach(() => {
  net = trackingNet();
});
afterEach(() => {
  destroyNet(net);
  expect(net.ct.count).toBe(0);
  expect(leakReport(net.world)).toEqual([]);
});

const set = (name: string, value: number): void => expect(sysctlWrite(net, `net.netfilter.nf_conntrack_${name}`, value)).toBe(0);

/** State of the one connection, `-` if there is none. */
function state(): string {
  const [row] = conntrackShow(net);
  return row?.state ?? '-';
}

const timeout = (): number => conntrackShow(net)[0]?.timeout ?? -1;

/** Whether a segment from A's client, or (`<`) from B's server, is part of a connection. */
function send(direction: '>' | '<', flags: string, fields: Fields = {}): boolean {
  const turned = direction === '>' ? { saddr: A, daddr: B, sport: 1000, dport: 80 } : { saddr: B, daddr: A, sport: 80, dport: 1000 };
  return forward(packetOf(net, ipBytes(6, { ...fields, ...turned, flags }))).ctinfo !== null;
}

/** A's first octet is 101, B's 501. */
const [ISS, IRS] = [100, 500];

function handshake(options: { a?: readonly number[]; b?: readonly number[]; win?: number } = {}): void {
  const win = options.win ?? 10_000;
  expect(send('>', 'S', { seq: ISS, win, options: options.a ?? [] })).toBe(true);
  expect(send('<', 'SA', { seq: IRS, ack: ISS + 1, win, options: options.b ?? [] })).toBe(true);
  expect(send('>', 'A', { seq: ISS + 1, ack: IRS + 1, win })).toBe(true);
  expect(state()).toBe('ESTABLISHED');
}

const data = (length: number): Fields => ({ payload: new Uint8Array(length) });

describe('states (RFC 9293 §3.3.2, seen from the middle)', () => {
  it('opening and closing, with the timeout of each', async () => {
    const steps: [('>' | '<'), string, Fields, string, number][] = [
      ['>', 'S', { seq: ISS }, 'SYN_SENT', 120],
      ['<', 'SA', { seq: IRS, ack: ISS + 1 }, 'SYN_RECV', 60],
      ['>', 'A', { seq: ISS + 1, ack: IRS + 1 }, 'ESTABLISHED', 432000],
      ['>', 'FA', { seq: ISS + 1, ack: IRS + 1 }, 'FIN_WAIT', 120],
      ['<', 'A', { seq: IRS + 1, ack: ISS + 2 }, 'CLOSE_WAIT', 60],
      ['<', 'FA', { seq: IRS + 1, ack: ISS + 2 }, 'LAST_ACK', 30],
      ['>', 'A', { seq: ISS + 2, ack: IRS + 2 }, 'TIME_WAIT', 120],
    ];
    for (const [direction, flags, fields, name, seconds] of steps) {
      expect(send(direction, flags, fields), name).toBe(true);
      expect([state(), timeout()]).toEqual([name, seconds]);
    }
    await sleep(net.world, 121_000);
    expect(state()).toBe('-');
  });

  it('both ends send a SYN at once', () => {
    send('>', 'S', { seq: ISS });
    send('<', 'S', { seq: IRS });
    expect(state()).toBe('SYN_SENT2');
    send('>', 'SA', { seq: ISS, ack: IRS + 1 });
    expect(state()).toBe('SYN_RECV');
    send('<', 'A', { seq: IRS + 1, ack: ISS + 1 });
    expect(state()).toBe('SYN_RECV');
    send('>', 'A', { seq: ISS + 1, ack: IRS + 1 });
    expect(state()).toBe('ESTABLISHED');
  });

  it('both ends send a FIN at once', () => {
    handshake();
    send('>', 'FA', { seq: ISS + 1, ack: IRS + 1 });
    send('<', 'FA', { seq: IRS + 1, ack: ISS + 1 });
    expect(state()).toBe('LAST_ACK');
  });

  it.each(['', 'F', 'SF', 'SR', 'SAF', 'P', 'RF'])('flags "%s" go together in no segment', (flags) => {
    expect(send('>', flags, { seq: ISS })).toBe(false);
  });

  it('nothing begins with a SYN-ACK, a FIN or a reset', () => {
    for (const flags of ['SA', 'FA', 'RA', 'R']) expect(send('>', flags, { seq: ISS, ack: 1 }), flags).toBe(false);
    expect(net.ct.count).toBe(0);
  });

  it('an ACK of nothing known begins one in the middle, if tcp_loose', () => {
    expect(send('>', 'A', { seq: 7000, ack: 9000, ...data(100) })).toBe(true);
    expect(state()).toBe('ESTABLISHED');
    expect(send('<', 'A', { seq: 9000, ack: 7100, ...data(5000) })).toBe(true);
    expect(send('>', 'A', { seq: 7100, ack: 14_000 })).toBe(true);
    set('tcp_loose', 0);
    expect(forward(packetOf(net, ipBytes(6, { sport: 5, flags: 'A', seq: 1, ack: 1 }))).ctinfo).toBeNull();
  });

  it('a SYN in TIME_WAIT begins a new connection (RFC 9293 §3.6.1)', () => {
    handshake();
    send('>', 'FA', { seq: ISS + 1, ack: IRS + 1 });
    send('<', 'FA', { seq: IRS + 1, ack: ISS + 2 });
    send('>', 'A', { seq: ISS + 2, ack: IRS + 2 });
    expect(state()).toBe('TIME_WAIT');
    // The side that closed first keeps the state; the other may open again.
    expect(forward(packetOf(net, ipBytes(6, { saddr: B, daddr: A, sport: 80, dport: 1000, flags: 'S', seq: 90_000 }))).ctinfo).toBe(IP_CT_NEW);
    expect(state()).toBe('SYN_SENT');
    expect(conntrackShow(net)[0]!.orig.src).toBe(B);
  });

  it('a SYN into a connection that stands changes nothing; if it is answered by a SYN-ACK, the ends had begun anew', () => {
    handshake();
    expect(send('>', 'S', { seq: 77_000 })).toBe(true);
    expect(state()).toBe('ESTABLISHED');
    expect(send('<', 'SA', { seq: 88_000, ack: 77_001 })).toBe(true);
    expect(state()).toBe('SYN_RECV');
    expect(send('>', 'A', { seq: 77_001, ack: 88_001 })).toBe(true);
    expect(send('>', 'A', { seq: ISS + 1, ack: IRS + 1 })).toBe(false);
  });
});

describe('resets', () => {
  it('in answer to a SYN: the connection is gone', () => {
    send('>', 'S', { seq: ISS });
    expect(send('<', 'RA', { seq: 0, ack: ISS + 1 })).toBe(true);
    expect(state()).toBe('-');
  });

  it('RFC 5961 §3: exact, it closes; in the window, the end may challenge it; behind it, it is forged', () => {
    handshake();
    expect(send('<', 'A', { seq: IRS + 1, ack: ISS + 1, ...data(100) })).toBe(true);
    expect(send('>', 'A', { seq: ISS + 1, ack: IRS + 101 })).toBe(true);
    expect(send('<', 'R', { seq: IRS + 50 })).toBe(false);
    expect(state()).toBe('ESTABLISHED');
    expect(send('<', 'R', { seq: IRS + 200 })).toBe(true);
    expect(state()).toBe('ESTABLISHED');
    expect(send('<', 'R', { seq: IRS + 101 })).toBe(true);
    expect([state(), timeout()]).toEqual(['CLOSE', 10]);
  });

  it('tcp_ignore_invalid_rst lets one behind the window pass to the end that knows better', () => {
    set('tcp_ignore_invalid_rst', 1);
    handshake();
    expect(send('<', 'R', { seq: IRS })).toBe(true);
    expect(state()).toBe('ESTABLISHED');
  });
});

it('a SYN into a connection that stands, answered by a reset: its end had forgotten it', () => {
  handshake();
  send('>', 'S', { seq: 77_000 });
  expect(send('<', 'RA', { seq: 0, ack: 77_001 })).toBe(true);
  expect([state(), timeout()]).toEqual(['CLOSE', 10]);
});

it('a reset of a connection that is ending needs no window', () => {
  handshake();
  send('>', 'FA', { seq: ISS + 1, ack: IRS + 1 });
  expect(send('<', 'R', { seq: 1 })).toBe(true);
  expect(state()).toBe('CLOSE');
});

describe('windows', () => {
  it('data beyond the other\'s window, or an acknowledgement of what was not sent, is invalid', () => {
    handshake({ win: 1000 });
    expect(send('>', 'A', { seq: ISS + 1, ack: IRS + 1, win: 1000, ...data(1000) })).toBe(true);
    expect(send('>', 'A', { seq: ISS + 1002, ack: IRS + 1, win: 1000, ...data(10) })).toBe(false);
    expect(send('>', 'A', { seq: ISS + 1001, ack: IRS + 2, win: 1000 })).toBe(false);
    expect(send('<', 'A', { seq: IRS + 1, ack: ISS + 1002, win: 1000 })).toBe(false);
    expect(send('<', 'A', { seq: IRS + 1, ack: ISS + 1001, win: 1000 })).toBe(true);
    expect(send('>', 'A', { seq: ISS + 1001, ack: IRS + 1, win: 1000, ...data(10) })).toBe(true);
  });

  it('far behind the window it is invalid too, but for a keepalive\'s one octet', () => {
    handshake({ win: 1000 });
    send('>', 'A', { seq: ISS + 1, ack: IRS + 1, win: 1000, ...data(1000) });
    send('<', 'A', { seq: IRS + 1, ack: ISS + 1001, win: 1000 });
    expect(send('>', 'A', { seq: ISS + 1000, ack: IRS + 1, win: 1000 })).toBe(true);
    expect(send('>', 'A', { seq: ISS - 5000, ack: IRS + 1, win: 1000 })).toBe(false);
  });

  it('an acknowledgement of long ago is invalid: further back than any window has been', () => {
    handshake({ win: 65_000 });
    for (let sent = 0; sent < 120_000; sent += 60_000) {
      expect(send('<', 'A', { seq: IRS + 1 + sent, ack: ISS + 1, win: 65_000, ...data(60_000) })).toBe(true);
      expect(send('>', 'A', { seq: ISS + 1, ack: IRS + 60_001 + sent, win: 65_000 })).toBe(true);
    }
    expect(send('>', 'A', { seq: ISS + 1, ack: IRS + 60_001, win: 65_000 })).toBe(true);
    expect(send('>', 'A', { seq: ISS + 1, ack: IRS + 1, win: 65_000 })).toBe(false);
  });

  it('tcp_be_liberal lets everything pass but what no state allows', () => {
    set('tcp_be_liberal', 1);
    handshake({ win: 1000 });
    expect(send('>', 'A', { seq: ISS + 500_000, ack: IRS + 1 })).toBe(true);
  });

  it('RFC 7323 §2.2: a window is scaled if both ends have offered it, and not by one alone', () => {
    const scale = [1, 3, 3, 7];
    handshake({ a: scale, b: scale, win: 1000 });
    send('<', 'A', { seq: IRS + 1, ack: ISS + 1, win: 1000 });
    expect(send('>', 'A', { seq: ISS + 1 + 100_000, ack: IRS + 1, ...data(100) })).toBe(true);
    const other = (direction: '>' | '<', fields: Fields): boolean => {
      const ends = direction === '>' ? { saddr: A, daddr: B, sport: 2000, dport: 80 } : { saddr: B, daddr: A, sport: 80, dport: 2000 };
      return forward(packetOf(net, ipBytes(6, { win: 1000, ...fields, ...ends }))).ctinfo !== null;
    };
    other('>', { flags: 'S', seq: ISS, options: scale });
    other('<', { flags: 'SA', seq: IRS, ack: ISS + 1 });
    other('>', { flags: 'A', seq: ISS + 1, ack: IRS + 1 });
    other('<', { flags: 'A', seq: IRS + 1, ack: ISS + 1 });
    expect(other('>', { flags: 'A', seq: ISS + 1 + 100_000, ack: IRS + 1, ...data(100) })).toBe(false);
    expect(other('<', { flags: 'A', seq: IRS + 1 + 100_000, ack: ISS + 1, ...data(100) })).toBe(false);
  });

  it('RFC 2018: a selective acknowledgement beyond what was sent is invalid', () => {
    const sackPerm = [4, 2, 1, 1];
    handshake({ a: sackPerm, b: sackPerm });
    send('>', 'A', { seq: ISS + 1, ack: IRS + 1, ...data(3000) });
    const block = (left: number, right: number): readonly number[] => [1, 1, 5, 10, ...[left, right].flatMap((n) => [n >>> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255])];
    expect(send('<', 'A', { seq: IRS + 1, ack: ISS + 1, options: block(ISS + 1001, ISS + 2001) })).toBe(true);
    expect(send('<', 'A', { seq: IRS + 1, ack: ISS + 1, options: block(ISS + 2001, ISS + 4001) })).toBe(false);
  });

  it('sequence numbers wrap', () => {
    const [iss, irs] = [0xffffff00 | 0, 0x7fffff00];
    send('>', 'S', { seq: iss });
    send('<', 'SA', { seq: irs, ack: iss + 1 });
    send('>', 'A', { seq: iss + 1, ack: irs + 1 });
    expect(send('>', 'A', { seq: iss + 1, ack: irs + 1, ...data(1000) })).toBe(true);
    expect(send('<', 'A', { seq: irs + 1, ack: (iss + 1001) | 0, ...data(1000) })).toBe(true);
    expect(send('>', 'A', { seq: (iss + 1001) | 0, ack: (irs + 1001) | 0 })).toBe(true);
    expect(send('>', 'A', { seq: (iss + 500_000) | 0, ack: irs + 1 })).toBe(false);
  });

  it('options that lie about their length are no options', () => {
    for (const options of [[3, 0, 0, 0], [5, 40, 0, 0], [3, 3], [2, 1, 1, 1]]) {
      expect(send('>', 'S', { seq: ISS, options: [...options, 0, 0].slice(0, 4) })).toBe(true);
    }
  });
});

describe('timeouts', () => {
  it('unacknowledged data: 300 s; the acknowledgement gives it its 5 days again', () => {
    handshake();
    send('>', 'A', { seq: ISS + 1, ack: IRS + 1, ...data(100) });
    expect(timeout()).toBe(300);
    send('<', 'A', { seq: IRS + 1, ack: ISS + 101 });
    expect(timeout()).toBe(432000);
  });

  it('the same segment for the third time after the first: tcp_timeout_max_retrans', () => {
    set('tcp_timeout_unacknowledged', 400);
    handshake();
    for (let i = 0; i < 3; i++) {
      send('>', 'A', { seq: ISS + 1, ack: IRS + 1, ...data(100) });
      expect(timeout()).toBe(400);
    }
    send('>', 'A', { seq: ISS + 1, ack: IRS + 1, ...data(100) });
    expect(timeout()).toBe(300);
  });

  it('a window of 0 is kept as long as retransmissions are', () => {
    handshake();
    send('<', 'A', { seq: IRS + 1, ack: ISS + 1, win: 0 });
    expect(timeout()).toBe(300);
  });

  it('what is no part of the connection does not keep it', async () => {
    handshake();
    await sleep(net.world, 100_000);
    send('>', 'A', { seq: ISS + 500_000, ack: IRS + 1 });
    expect(timeout()).toBe(431_900);
  });
});

it('a wrong checksum, or a header that is cut off or lies about its length, is invalid', () => {
  const bytes = ipBytes(6, { flags: 'S' });
  bytes[36]! ^= 1;
  expect(forward(packetOf(net, bytes)).ctinfo).toBeNull();
  for (const length of [24, 30, 39]) expect(forward(packetOf(net, ipBytes(6, { flags: 'S' }).subarray(0, length))).ctinfo).toBeNull();
  const long = ipBytes(6, { flags: 'S' });
  long[32] = 0xf0;
  expect(forward(packetOf(net, long)).ctinfo).toBeNull();
  expect(net.ct.count).toBe(0);
});
