/** Options of arriving segments, well formed or not. */
import { createNet, createWorld } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { allocSkb, consumeSkb, installSkbuff, skbPut } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { installSocket } from '@stack/socket';
import { beforeEach, expect, test } from 'vitest';
import { installTcp } from './install.ts';
import { tcpParseMssOption, tcpParseOptions, tcpPawsCheck, tcpPawsReject } from './tcp-input-opt.ts';
import { TCPHDR_ACK, TCPHDR_SYN, tcbSacked, tcbSetTcpFlags } from './tcp-skb-cb.ts';
import { TcpOptionsReceived } from './tcp-sock.ts';

let net: Net;

beforeEach(() => {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  net = createNet(world, { name: 'host' });
  installSocket(net);
  installTcp(net);
});

/** An sk_buff that is a header with these option bytes, padded with zeros. */
function header(bytes: readonly number[], flags = TCPHDR_SYN): SkBuff {
  const len = 20 + ((bytes.length + 3) & ~3);
  const skb = allocSkb(net, 100);
  if (skb === null) throw new Error('no memory');
  const at = skbPut(skb, len);
  skb.buf.fill(0, at, at + len);
  skb.transportHeader = at;
  skb.buf[at + 12] = (len >> 2) << 4;
  skb.buf[at + 13] = flags;
  skb.buf.set(bytes, at + 20);
  tcbSetTcpFlags(skb, flags);
  return skb;
}

function parse(bytes: readonly number[], estab = false, flags = TCPHDR_SYN): TcpOptionsReceived {
  const rx = new TcpOptionsReceived();
  if (estab) {
    rx.tstampOk = true;
    rx.sackOk = 1;
  }
  const skb = header(bytes, flags);
  tcpParseOptions(net, skb, rx, estab);
  consumeSkb(skb);
  return rx;
}

const MSS = [2, 4, 5, 180];
const TS = [8, 10, 0, 0, 0, 7, 0, 0, 0, 9];

test('RFC 9293 §3.2: MSS, window scale, SACK-permitted and timestamps of a SYN, in any order', () => {
  const rx = parse([...TS, 3, 3, 7, ...MSS, 1, 4, 2]);
  expect([rx.mssClamp, rx.sndWscale, rx.wscaleOk, rx.sackOk, rx.sawTstamp, rx.rcvTsval, rx.rcvTsecr]).toEqual([1460, 7, true, 1, true, 7, 9]);
});

test('RFC 9293 §3.1 MUST-6, MUST-7: an unknown option is skipped by its length, before and behind others', () => {
  expect(parse([253, 6, 1, 2, 3, 4, ...MSS]).mssClamp).toBe(1460);
});

test('an end of option list ends it', () => {
  expect(parse([0, ...MSS]).mssClamp).toBe(0);
});

test('a length of 0 or 1, or beyond the header, ends the list without harm', () => {
  expect(parse([...MSS, 253, 0, 3, 3]).mssClamp).toBe(1460);
  expect(parse([...MSS, 253, 1, 3, 3]).wscaleOk).toBe(false);
  expect(parse([...MSS, 8, 40, 0, 0]).sawTstamp).toBe(false);
  expect(parse([1, 1, 1, 8]).sawTstamp).toBe(false);
});

test('a known option of the wrong length is ignored', () => {
  expect(parse([2, 3, 5, 1]).mssClamp).toBe(0);
  expect(parse([4, 3, 0, 1]).sackOk).toBe(0);
  expect(parse([8, 8, 0, 0, 0, 7, 0, 0]).sawTstamp).toBe(false);
});

test('RFC 7323 §2.3: a shift above 14 counts as 14', () => {
  expect(parse([3, 3, 200]).sndWscale).toBe(14);
});

test('options of a SYN mean nothing on other segments', () => {
  const rx = parse([...MSS, 3, 3, 7], false, TCPHDR_ACK);
  expect([rx.mssClamp, rx.wscaleOk]).toEqual([0, false]);
});

test('TCP_MAXSEG bounds the peer’s MSS', () => {
  const rx = new TcpOptionsReceived();
  rx.userMss = 1000;
  const skb = header(MSS);
  tcpParseOptions(net, skb, rx, false);
  expect(rx.mssClamp).toBe(1000);
  expect(tcpParseMssOption(skb, 0)).toBe(1460);
  expect(tcpParseMssOption(skb, 1200)).toBe(1200);
  consumeSkb(skb);
});

test('net.ipv4.tcp_timestamps, tcp_sack, tcp_window_scaling off: the offers are not heard', () => {
  const { tcp } = net;
  tcp.sysctlTcpTimestamps = 0;
  tcp.sysctlTcpSack = 0;
  tcp.sysctlTcpWindowScaling = 0;
  const rx = parse([...TS, 3, 3, 7, 4, 2]);
  expect([rx.sawTstamp, rx.sackOk, rx.wscaleOk]).toEqual([false, 0, false]);
});

test('RFC 2018 §3: a SACK option with no whole block, or without agreement, is ignored', () => {
  const block = [0, 0, 0, 1, 0, 0, 0, 2];
  const rx = new TcpOptionsReceived();
  const good = header([1, 1, 5, 10, ...block], TCPHDR_ACK);
  tcpParseOptions(net, good, rx, true);
  expect(tcbSacked(good)).toBe(0);
  rx.sackOk = 1;
  tcpParseOptions(net, good, rx, true);
  expect(tcbSacked(good)).toBe(22);
  const torn = header([1, 1, 5, 9, ...block], TCPHDR_ACK);
  tcpParseOptions(net, torn, rx, true);
  expect(tcbSacked(torn)).toBe(0);
  consumeSkb(good);
  consumeSkb(torn);
});

test('RFC 7323 §5.2, §5.5: an older timestamp is refused, but for the wrap, 24 days, and peers that began with 0', () => {
  const rx = new TcpOptionsReceived();
  rx.tsRecent = 1000;
  rx.tsRecentStamp = 1;
  rx.rcvTsval = 999;
  expect(tcpPawsCheck(net, rx, 0)).toBe(false);
  expect(tcpPawsCheck(net, rx, 1)).toBe(true);
  rx.rcvTsval = (1000 + 0x7fffffff) | 0;
  expect(tcpPawsCheck(net, rx, 0)).toBe(true);
  rx.rcvTsval = 500;
  net.world.now = 24 * 86400 * 1e9;
  expect(tcpPawsCheck(net, rx, 0)).toBe(true);
  net.world.now = 0;
  rx.tsRecent = 0;
  rx.rcvTsval = -5;
  expect(tcpPawsCheck(net, rx, 0)).toBe(true);
});

test('RFC 7323 §5.2: a reset with an old timestamp is believed again after an MSL', () => {
  const rx = new TcpOptionsReceived();
  rx.tsRecent = 1000;
  rx.tsRecentStamp = 1;
  rx.rcvTsval = 500;
  expect(tcpPawsReject(net, rx, true)).toBe(true);
  net.world.now = 61e9;
  expect(tcpPawsReject(net, rx, true)).toBe(false);
  expect(tcpPawsReject(net, rx, false)).toBe(true);
});
