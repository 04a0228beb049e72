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
