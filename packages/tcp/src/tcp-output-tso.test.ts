/** Segmentation offload: sk_buffs of many segments, and what ACKs, SACK and losses make of them. */
import { afterEach, expect, test } from 'vitest';
import { tcpSkbPcount } from './tcp-skb-cb.ts';
import { TCP_CA_Loss } from './tcp-sock.ts';
import { scriptServer } from './testing/script.ts';
import type { Script, ScriptOptions } from './testing/script.ts';

let s: Script;

afterEach(() => s.end());

/** A connection whose device cuts. */
async function tso(options: ScriptOptions = {}): Promise<Script> {
  const script = await scriptServer({ ...options, sysctl: { sysctlTcpMinTsoSegs: 10, ...options.sysctl } });
  script.sk.skGsoMaxSize = 65536;
  script.sk.skGsoMaxSegs = 64;
  return script;
}

/** Lengths of what was sent. */
function sent(): string[] {
  return s.takeBare().map((line) => line.replace(/ ack 1$/, ''));
}

test('half of the congestion window leaves at once, then the other half', async () => {
  s = await tso();
  s.write(10000);
  expect(sent()).toEqual(['P. 1:5001(5000)', 'P. 5001:10001(5000)']);
  expect(s.sk.packetsOut).toBe(10);
});

test('an ACK inside an sk_buff takes off whole segments, bytes of a segment too', async () => {
  s = await tso();
  s.write(10000);
  s.give('. 1 ack 2001 win 1000');
  expect(s.sk.packetsOut).toBe(8);
  s.give('. 1 ack 2501 win 1000');
  expect(s.sk.packetsOut).toBe(8);
  const head = s.sk.tcpRtxQueue.next;
  expect(head === null ? 0 : tcpSkbPcount(head)).toBe(3);
  s.give('. 1 ack 10001 win 1000');
  expect(s.sk.packetsOut).toBe(0);
});

test('RFC 2018 §5: a block inside an sk_buff splits it at segments; only the hole is sent again', async () => {
  s = await tso();
  s.write(10000);
  s.take();
  await s.wait(100);
  s.give('. 1 ack 1 win 1000 <nop,nop,sack 2001:5001>');
  expect(s.sk.sackedOut).toBe(3);
  expect(sent()).toEqual(['P. 1:2001(2000)']);
  expect(s.sk.retransOut).toBe(2);
  // A block that ends inside a segment marks the whole ones.
  s.give('. 1 ack 1 win 1000 <nop,nop,sack 6001:7501 2001:5001>');
  expect(s.sk.sackedOut).toBe(4);
  s.give('. 1 ack 10001 win 1000');
  expect([s.sk.sackedOut, s.sk.retransOut, s.sk.lostOut, s.sk.packetsOut]).toEqual([0, 0, 0, 0]);
});

test('RFC 6582 §3.2: without SACK one segment of an sk_buff is retransmitted', async () => {
  s = await tso({ syn: 'mss 1000,nop,wscale 7' });
  s.write(10000);
  s.take();
  await s.wait(50);
  for (let i = 0; i < 3; i++) s.give('. 1 ack 1 win 1000');
  expect(sent()).toEqual(['. 1:1001(1000)']);
});

test('RFC 6298 §5.4: a timeout sends one segment, the rest as the window opens', async () => {
  s = await tso({ sysctl: { sysctlTcpEarlyRetrans: 0 } });
  s.write(10000);
  s.take();
  await s.wait(301);
  expect(s.sk.icskCaState).toBe(TCP_CA_Loss);
  expect(sent()).toEqual(['. 1:1001(1000)']);
  s.give('. 1 ack 1001 win 1000');
  expect(sent()).toEqual(['P. 1001:3001(2000)']);
  expect(s.sk.packetsOut).toBe(9);
});

test('RFC 8985 §7.3: a loss probe is the last segment of the last sk_buff', async () => {
  s = await tso();
  s.write(3500);
  s.take();
  await s.wait(250);
  expect(sent()).toEqual(['P. 3001:3501(500)']);
});

test('RFC 9293 §3.8.6: an sk_buff is cut at the window', async () => {
  s = await tso();
  s.give('P. 1:2(1) ack 1 win 20');
  s.give('P. 2:3(1) ack 1 win 20');
  s.take();
  s.write(10000);
  expect(s.take().map((line) => line.split(' ack')[0])).toEqual(['P. 1:2561(2560)']);
  expect(s.sk.skWriteQueue.next?.len).toBe(7440);
});

test('CVE-2019-11477: SACKs of single bytes split nothing beyond segments, and counts stay whole', async () => {
  s = await tso();
  s.write(10000);
  s.take();
  for (let at = 2; at < 9000; at += 311) s.give(`. 1 ack 1 win 1000 <nop,nop,sack ${at}:${at + 1}>`);
  const { sk } = s;
  let pcount = 0;
  for (let skb = sk.tcpRtxQueue.next; skb !== null; skb = skb.next) pcount += tcpSkbPcount(skb);
  expect(pcount).toBe(sk.packetsOut);
  expect(sk.tcpRtxQueue.qlen).toBeLessThanOrEqual(10);
  s.give('. 1 ack 10001 win 1000');
  expect(sk.packetsOut).toBe(0);
});

test('a path MTU that shrinks: what is too large goes again in smaller pieces (RFC 1191 §6.4)', async () => {
  s = await tso();
  s.write(4000);
  s.take();
  s.sk.mtuInfo = 628;
  s.sk.afSpecific.mtuReduced(s.sk);
  expect(s.sk.mssCache).toBe(600);
  const lines = sent();
  expect(lines[0]).toBe('P. 1:4001(4000)');
  expect(s.sk.packetsOut).toBe(7);
});

test('TSO deferral: a partial sk_buff waits for the next ACK while a third of the window is in flight', async () => {
  s = await tso();
  s.write(40000);
  const first = sent();
  expect(first.join()).toBe('P. 1:5001(5000),P. 5001:10001(5000)');
  await s.wait(100);
  s.give('. 1 ack 1001 win 1000');
  const { length } = sent();
  s.give('. 1 ack 10001 win 1000');
  expect(length + sent().length).toBeLessThanOrEqual(3);
});
