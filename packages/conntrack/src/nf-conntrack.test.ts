import { destroyNet, sleep, sysctlRead, sysctlWrite } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { NFPROTO_IPV4, NF_ACCEPT, NF_DROP, NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING, nfCtAttach, nfHook, nfRegisterNetHook } from '@stack/netfilter';
import { nfCtHookContract } from '@stack/netfilter/contract';
import { allocSkb, consumeSkb, leakReport } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  IP_CT_ESTABLISHED, IP_CT_ESTABLISHED_REPLY, IP_CT_NEW, IP_CT_RELATED, IP_CT_RELATED_REPLY, conntrackFlush, conntrackShow, conntrackStat,
} from './index.ts';
import type { ConntrackRow } from './index.ts';
import { A, B, forward, ipBytes, packetOf, trackingNet } from './test-packets.ts';
import type { Fields, Passed } from './test-packets.ts';

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
const stat = (name: string): number => conntrackStat(net)[name]!;
const rows = (): ConntrackRow[] => conntrackShow(net);
const seconds = (n: number): Promise<void> => sleep(net.world, n * 1000);

/** A packet from A to B, or back. */
function send(protocol: number, fields: Fields = {}, back = false): Passed {
  const { sport = 1000, dport = protocol === 6 ? 80 : 53 } = fields;
  const turned = back ? { saddr: B, daddr: A, sport: dport, dport: sport } : { sport, dport };
  return forward(packetOf(net, ipBytes(protocol, { ...fields, ...turned, ...(fields.saddr === undefined ? {} : { saddr: fields.saddr }) })));
}

const udp = (fields: Fields = {}, back = false): Passed => send(17, fields, back);

describe('a connection', () => {
  it('is new, then established in both directions', () => {
    expect([udp().ctinfo, udp().ctinfo, udp({}, true).ctinfo, udp().ctinfo]).toEqual([IP_CT_NEW, IP_CT_NEW, IP_CT_ESTABLISHED_REPLY, IP_CT_ESTABLISHED]);
    expect(rows()).toMatchObject([{ protocol: 'udp', protonum: 17, unreplied: false, assured: false, orig: { src: A, dst: B, sport: 1000, dport: 53 }, reply: { src: B, dst: A } }]);
  });

  it('is in the table when its first packet has left, not before', () => {
    nfRegisterNetHook(net, { pf: NFPROTO_IPV4, hooknum: NF_INET_POST_ROUTING, priority: 0, hook: (_p, skb) => (skb.mark === 1 ? NF_DROP : NF_ACCEPT) });
    const skb = packetOf(net, ipBytes(17, {}));
    skb.mark = 1;
    expect(forward(skb).accepted).toBe(false);
    expect([rows(), net.ct.count]).toEqual([[], 0]);
    expect(udp().ctinfo).toBe(IP_CT_NEW);
    expect(rows()).toHaveLength(1);
  });

  it('whose tuple another has taken meanwhile is not confirmed: its packet is dropped', () => {
    const held: SkBuff[] = [];
    for (let i = 0; i < 2; i++) {
      nfHook(NFPROTO_IPV4, NF_INET_PRE_ROUTING, packetOf(net, ipBytes(17, {})), null, null, (skb) => held.push(skb));
    }
    let left = 0;
    for (const skb of held) {
      nfHook(NFPROTO_IPV4, NF_INET_POST_ROUTING, skb, null, null, (at) => {
        left++;
        consumeSkb(at);
        return 0;
      });
    }
    expect([left, stat('insert_failed'), net.ct.count]).toEqual([1, 1, 1]);
  });

  it('that a packet has already is left alone: loopback, or our own error', () => {
    const skb = packetOf(net, ipBytes(17, {}));
    nfHook(NFPROTO_IPV4, NF_INET_PRE_ROUTING, skb, null, null, (at) => {
      forward(at);
      return 0;
    });
    expect([stat('ignore'), net.ct.count]).toEqual([1, 1]);
  });

  it('nf_ct_attach: what answers a packet is related, the other way', () => {
    udp();
    const infos = [false, true].map((back) => {
      let info = -1;
      const fields = back ? { saddr: B, daddr: A, sport: 53, dport: 1000 } : {};
      nfHook(NFPROTO_IPV4, NF_INET_PRE_ROUTING, packetOf(net, ipBytes(17, fields)), null, null, (skb) => {
        const answer = allocSkb(net, 100)!;
        nfCtAttach(answer, skb);
        info = answer.nfctinfo;
        expect(answer.nfct).toBe(skb.nfct);
        consumeSkb(answer);
        consumeSkb(skb);
        return 0;
      });
      return info;
    });
    expect(infos).toEqual([IP_CT_RELATED_REPLY, IP_CT_RELATED]);
  });

  it('counts packets and octets when nf_conntrack_acct is on', () => {
    set('acct', 1);
    udp({ payload: new Uint8Array(100) });
    udp({}, true);
    expect(rows()).toMatchObject([{ orig: { packets: 1, bytes: 128 }, reply: { packets: 1, bytes: 28 } }]);
  });

  it('of a protocol without a tracker is told by its addresses', () => {
    expect([send(47).ctinfo, send(47, {}, true).ctinfo]).toEqual([IP_CT_NEW, IP_CT_ESTABLISHED_REPLY]);
    expect(rows()).toMatchObject([{ protocol: 'unknown', protonum: 47, timeout: 600, orig: { src: A, dst: B } }]);
  });

  it('ends with conntrack -F, and its packets begin another', () => {
    udp();
    conntrackFlush(net);
    expect(net.ct.count).toBe(0);
    expect(udp({}, true).ctinfo).toBe(IP_CT_NEW);
  });
});

describe('the contract of NfCtHook', () => {
  for (const { name, run } of nfCtHookContract) {
    it(name, () => run(() => ({
      net,
      tracked: () => {
        let tracked: SkBuff | null = null;
        nfHook(NFPROTO_IPV4, NF_INET_PRE_ROUTING, packetOf(net, ipBytes(17, {})), null, null, (skb) => {
          tracked = skb;
          return 0;
        });
        return tracked!;
      },
    })));
  }
});

describe('UDP', () => {
  it('is kept 30 s; a stream, which is one that is answered after 2 s too, 120 s and assured', async () => {
    udp();
    expect(rows()).toMatchObject([{ timeout: 30, unreplied: true }]);
    udp({}, true);
    udp();
    expect(rows()).toMatchObject([{ timeout: 30, assured: false }]);
    await seconds(3);
    udp();
    expect(rows()).toMatchObject([{ timeout: 120, assured: true }]);
    await seconds(119);
    expect(rows()).toHaveLength(1);
    await seconds(2);
    expect(rows()).toEqual([]);
    expect(udp().ctinfo).toBe(IP_CT_NEW);
  });

  it('with a wrong length or checksum is invalid; without a checksum it is not (RFC 768)', () => {
    const broken = (change: (bytes: Uint8Array) => void): Passed => {
      const bytes = ipBytes(17, { payload: new Uint8Array(4) });
      change(bytes);
      return forward(packetOf(net, bytes));
    };
    const wrong = [(b: Uint8Array): void => void (b[25] = 99), (b: Uint8Array): void => void (b[25] = 3), (b: Uint8Array): void => void (b[31]! ^= 1)];
    for (const change of wrong) expect(broken(change)).toMatchObject({ accepted: true, ctinfo: null });
    expect(stat('invalid')).toBe(3);
    expect(broken((b) => b.fill(0, 26, 28)).ctinfo).toBe(IP_CT_NEW);
    set('checksum', 0);
    expect(broken(wrong[2]!).ctinfo).toBe(IP_CT_NEW);
  });

  it('cut off behind the IP header is invalid', () => {
    for (const length of [20, 23, 27]) expect(forward(packetOf(net, ipBytes(17, {}).subarray(0, length))).ctinfo).toBeNull();
  });
});

describe('ICMP', () => {
  const icmp = (fields: Fields, back = false): Passed => send(1, fields, back);

  it('queries are told apart by id and type; an answer to nothing is invalid', () => {
    expect(icmp({ type: 8, id: 1 }).ctinfo).toBe(IP_CT_NEW);
    expect(icmp({ type: 8, id: 2 }).ctinfo).toBe(IP_CT_NEW);
    expect(icmp({ type: 13, id: 1, payload: new Uint8Array(12) }).ctinfo).toBe(IP_CT_NEW);
    expect(icmp({ type: 0, id: 1 }, true).ctinfo).toBe(IP_CT_ESTABLISHED_REPLY);
    expect(icmp({ type: 0, id: 3 }, true).ctinfo).toBeNull();
    expect(rows()).toHaveLength(3);
    expect(rows().find(({ orig }) => orig.id === 1 && orig.type === 8)).toMatchObject({ timeout: 30, unreplied: false, reply: { type: 0, code: 0, id: 1 } });
  });

  it.each([[3, 3], [3, 4], [4, 0], [5, 1], [11, 0], [12, 0]])('type %i code %i is related to what comes back in it, in both directions', (type, code) => {
    udp();
    const payload = ipBytes(17, {}).subarray(0, 28);
    expect(icmp({ type, code, payload, saddr: '203.0.113.1' }, true).ctinfo).toBe(IP_CT_RELATED_REPLY);
    const other = ipBytes(17, { saddr: B, daddr: A, sport: 53, dport: 1000 });
    expect(icmp({ type, code, payload: other }).ctinfo).toBe(IP_CT_RELATED);
  });

  it('an error is invalid when it is about nothing, to somebody else, cut off, or its checksum wrong', () => {
    udp();
    const about = ipBytes(17, {});
    const invalid: Passed[] = [
      icmp({ type: 3, payload: ipBytes(17, { sport: 9 }) }, true),
      forward(packetOf(net, ipBytes(1, { saddr: B, daddr: '10.0.0.9', type: 3, payload: about }))),
      icmp({ type: 3, payload: about.subarray(0, 27) }, true),
      icmp({ type: 3, payload: about.subarray(0, 10) }, true),
      icmp({ type: 19, payload: about }, true),
    ];
    const bytes = ipBytes(1, { saddr: B, daddr: A, type: 3, payload: about });
    bytes[30]! ^= 1;
    invalid.push(forward(packetOf(net, bytes)));
    expect(invalid.map(({ ctinfo }) => ctinfo)).toEqual(invalid.map(() => null));
    expect([stat('icmp_error'), stat('invalid')]).toEqual([invalid.length, invalid.length]);
  });

  it('an error does not keep a connection alive', async () => {
    udp();
    await seconds(20);
    icmp({ type: 3, payload: ipBytes(17, {}) }, true);
    expect(rows()[0]!.timeout).toBe(10);
  });
});

describe('the table', () => {
  it('has at most nf_conntrack_max: a new connection ends one that nobody answered, or is refused', () => {
    set('buckets', 1);
    set('max', 3);
    for (let sport = 1; sport <= 5; sport++) expect(udp({ sport }).ctinfo).toBe(IP_CT_NEW);
    expect([net.ct.count, stat('early_drop'), stat('drop')]).toEqual([3, 2, 0]);
    for (const h of net.ct.buckets) for (let at = h; at !== null; at = at.next) at.ct.status |= 1 << 2; // assured
    expect(udp({ sport: 99 }).accepted).toBe(false);
    expect([net.ct.count, stat('drop')]).toEqual([3, 1]);
  });

  it('spares, when it is full, a connection that a packet still refers to: to end it would free nothing', () => {
    set('buckets', 1);
    set('max', 1);
    let held: SkBuff | null = null;
    nfHook(NFPROTO_IPV4, NF_INET_PRE_ROUTING, packetOf(net, ipBytes(17, {})), null, null, (skb) => (
      nfHook(NFPROTO_IPV4, NF_INET_POST_ROUTING, skb, null, null, (at) => {
        held = at;
        return 0;
      })
    ));
    expect(udp({ sport: 2 }).accepted).toBe(false);
    expect(net.ct.count).toBe(1);
    consumeSkb(held);
    expect(udp({ sport: 2 }).ctinfo).toBe(IP_CT_NEW);
  });

  it('0 is no limit', () => {
    set('max', 0);
    for (let sport = 1; sport <= 100; sport++) udp({ sport });
    expect(net.ct.count).toBe(100);
  });

  it('is found again after nf_conntrack_buckets changes', () => {
    for (let sport = 1; sport <= 50; sport++) udp({ sport });
    set('buckets', 3);
    expect(net.ct.buckets).toHaveLength(4);
    for (let sport = 1; sport <= 50; sport++) expect(udp({ sport }, true).ctinfo).toBe(IP_CT_ESTABLISHED_REPLY);
    expect(sysctlRead(net, 'net.netfilter.nf_conntrack_count')).toBe(50);
  });

  it('is rid of what has expired by garbage collection, without a packet', async () => {
    for (let sport = 1; sport <= 50; sport++) udp({ sport });
    await seconds(29);
    expect(net.ct.count).toBe(50);
    await seconds(12);
    expect([net.ct.count, stat('delete')]).toEqual([0, 50]);
  });

  it('nearly full: garbage collection ends what is not assured', async () => {
    set('max', 64);
    for (let sport = 1; sport <= 63; sport++) udp({ sport });
    await seconds(9);
    expect(net.ct.count).toBeLessThanOrEqual(60);
  });

  it('has the kernel\'s defaults', () => {
    const defaults = {
      tcp_timeout_syn_sent: 120, tcp_timeout_syn_recv: 60, tcp_timeout_established: 432000, tcp_timeout_fin_wait: 120, tcp_timeout_close_wait: 60,
      tcp_timeout_last_ack: 30, tcp_timeout_time_wait: 120, tcp_timeout_close: 10, tcp_timeout_max_retrans: 300, tcp_timeout_unacknowledged: 300,
      udp_timeout: 30, udp_timeout_stream: 120, icmp_timeout: 30, generic_timeout: 600, tcp_loose: 1, tcp_be_liberal: 0, tcp_max_retrans: 3,
      checksum: 1, acct: 0, max: 65536,
    };
    for (const [name, value] of Object.entries(defaults)) expect(sysctlRead(net, `net.netfilter.nf_conntrack_${name}`), name).toBe(value);
  });
});

it('a fragment that is not the first has no connection', () => {
  const bytes = ipBytes(17, {});
  bytes[7] = 5;
  expect(forward(packetOf(net, bytes))).toMatchObject({ accepted: true, ctinfo: null });
});
