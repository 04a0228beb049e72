/** Which options segments carry, and in which order. */
import { afterEach, expect, test } from 'vitest';
import { scriptConnecting, scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';

let s: Script | null = null;

afterEach(() => {
  s?.end();
  s = null;
});

test('RFC 9293 §3.7.1, RFC 7323 §2–3: a SYN carries mss, sackOK, TS, nop, wscale', () => {
  const c = scriptConnecting();
  s = c.s;
  expect(s.take()).toEqual(['S 0:0(0) win 64768 <mss 1472,sackOK,TS val 0 ecr 0,nop,wscale 10>']);
});

test('without timestamps: mss, nop, nop, sackOK, nop, wscale', () => {
  s = scriptConnecting({ sysctl: { sysctlTcpTimestamps: 0 } }).s;
  expect(s.take()).toEqual(['S 0:0(0) win 64768 <mss 1472,nop,nop,sackOK,nop,wscale 10>']);
});

test('net.ipv4.tcp_sack=0, tcp_window_scaling=0: neither is offered', () => {
  s = scriptConnecting({ sysctl: { sysctlTcpSack: 0, sysctlTcpWindowScaling: 0 } }).s;
  expect(s.take()).toEqual(['S 0:0(0) win 64768 <mss 1472,nop,nop,TS val 0 ecr 0>']);
});

test('RFC 2018 §3: with timestamps three SACK blocks fit, without four; the DSACK is one of them', async () => {
  s = await scriptServer({ syn: 'mss 1000,sackOK,TS val 1000 ecr 0,nop,wscale 7', sysctl: { sysctlTcpCompSackNr: 0 } });
  for (const at of [1001, 3001, 5001, 7001]) s.give(`. ${at}:${at + 500}(500) ack 1 win 1000 <nop,nop,TS val 1001 ecr 0>`);
  expect(s.take().pop()).toMatch(/nop,nop,sack 7001:7501 5001:5501 3001:3501>$/);
  s.give('. 3001:3501(500) ack 1 win 1000 <nop,nop,TS val 1001 ecr 0>');
  expect(s.take().pop()).toMatch(/nop,nop,sack 3001:3501 3001:3501 7001:7501>$/);
});

test('SACK blocks make room for themselves: data segments beside them are shorter', async () => {
  s = await scriptServer({ syn: 'mss 1000,nop,nop,sackOK,nop,wscale 7' });
  s.give('. 1001:2001(1000) ack 1 win 1000');
  s.take();
  s.write(2000);
  expect(s.takeBare()).toEqual([
    '. 1:989(988) ack 1 <nop,nop,sack 1001:2001>',
    '. 989:1977(988) ack 1 <nop,nop,sack 1001:2001>',
    'P. 1977:2001(24) ack 1 <nop,nop,sack 1001:2001>',
  ]);
});
