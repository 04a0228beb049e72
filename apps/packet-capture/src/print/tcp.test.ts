import { expect, test } from 'vitest';
import { ip4Frame, lineOf, linesOf, octets, tcpFrame } from './test-packets.ts';

const SYN = 2;
const ACK = 16;
const PSH = 8;
const head = 'IP 1.2.3.4.1000 > 5.6.7.8.2000: ';

test('RFC 9293 §3.1: each flag has its letter', () => {
  expect(lineOf(tcpFrame(0xff))).toBe(`${head}Flags [FSRP.UEW], seq 5, ack 6, win 100, urg 0, length 0`);
  expect(lineOf(tcpFrame(0))).toBe(`${head}Flags [none], win 100, length 0`);
});

test('numbers are relative to the first of the conversation, in both directions; not under -S', () => {
  const answer = octets(tcpFrame(ACK | PSH, { seq: 901, ack: 111, payload: 'reply', from: 2000, to: 1000 }));
  answer.set(octets('05060708 01020304'), 26);
  const segments = [
    tcpFrame(SYN, { seq: 100, ack: 0 }), tcpFrame(ACK, { seq: 101, ack: 901 }), tcpFrame(ACK | PSH, { seq: 101, ack: 901, payload: 'ten octets' }), answer,
  ];
  expect(linesOf(segments).map((line) => line.slice(line.indexOf('Flags')))).toEqual([
    'Flags [S], seq 100, win 100, length 0', 'Flags [.], ack 901, win 100, length 0',
    'Flags [P.], seq 0:10, ack 1, win 100, length 10', 'Flags [P.], seq 1:6, ack 10, win 100, length 5',
  ]);
  expect(linesOf(segments, { absolute: true })[3]).toContain('seq 901:906, ack 111,');
});

test('numbers wrap', () => {
  expect(linesOf([tcpFrame(ACK, { seq: 0xfffffffe, ack: 1 }), tcpFrame(ACK, { seq: 3, ack: 1, payload: 'x' })])[1]).toContain('seq 5:6, ack 1,');
});

test.each([
  ['020405b4 01 030307', 'mss 1460,nop,wscale 7'],
  ['0402 080a 00000001 00000002', 'sackOK,TS val 1 ecr 2'],
  ['0101 050a 00000010 00000020', 'nop,nop,sack 1 {11:27}'],
  ['1c04 8005 0000', 'uto 0x8005 983160'],
  ['2206 01020304 0101', 'tfo  cookie 01020304,nop,nop'],
  ['fe04 f989', 'exp-tfo cookiereq'],
  ['1d06 0102 0304 0101', 'tcp-ao keyid 1 rnextkeyid 2 mac 0x0304,nop,nop'],
  ['fd04 0102', 'unknown-253 0x0102'],
  ['1e08 2001 01020304', 'mptcp 8 dss ack 16909060'],
  ['1e03 51 01', 'mptcp 3 prio backup,nop'],
])('option %s is %s', (options, text) => {
  const padded = options + '00'.repeat((4 - (options.replace(/\s/g, '').length / 2) % 4) % 4);
  const line = linesOf([tcpFrame(ACK, { seq: 1, ack: 6 }), tcpFrame(ACK, { options: padded })])[1] ?? '';
  expect(/options \[(.*?)(,eol)?\], length 0$/.exec(line)?.[1]).toBe(text);
});

test('options that do not fit, and headers that do not', () => {
  expect(lineOf(tcpFrame(ACK, { options: '02050000' }))).toBe(`${head}Flags [.], ack 6, win 100, options [[bad opt]`);
  expect(lineOf(ip4Frame(6, octets('03e8 07d0 00000005 00000006 4010 0064 0000 0000')))).toBe(`${head} tcp 4 [bad hdr length 16 - too short, < 20]`);
  expect(lineOf(ip4Frame(6, octets('03e8 07d0 00000005 00000006 f010 0064 0000 0000')))).toBe(`${head}Flags [.] [bad hdr length 60 - too long, > 20]`);
  expect(lineOf(ip4Frame(6, octets('03e8 07d0 0000')))).toBe(`${head} [|tcp]`);
  expect(lineOf(ip4Frame(6, octets('03e8')))).toBe('IP 1.2.3.4 > 5.6.7.8: [|tcp]');
});

test('-v: the checksum; -q: the length alone', () => {
  expect(lineOf(tcpFrame(ACK), { verbose: 1 })).toMatch(/Flags \[\.\], cksum 0x0000 \(incorrect -> 0x939a\), ack 6, win 100, length 0$/);
  expect(lineOf(tcpFrame(ACK, { payload: 'abc' }), { quiet: true })).toBe(`${head}tcp 3`);
});

test('what is carried: the first line of HTTP, all of them under -v; DNS behind its length; why a reset was sent', () => {
  const http = tcpFrame(ACK, { to: 80, payload: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n' });
  expect(lineOf(http)).toMatch(/length 27: HTTP: GET \/ HTTP\/1\.1$/);
  expect(lineOf(http, { verbose: 1 })).toMatch(/length 27: HTTP, length: 27\n\tGET \/ HTTP\/1\.1\n\tHost: a\n\t$/);
  expect(lineOf(tcpFrame(ACK, { to: 80, payload: 'garbage\r\n' }))).toMatch(/length 9: HTTP$/);
  expect(lineOf(tcpFrame(ACK, { to: 53, payload: '\0\u0015\0\u0007\u0001\0\0\u0001\0\0\0\0\0\0\u0003abc\0\0\u0001\0\u0001' }))).toMatch(/length 23 7\+ A\? abc\. \(21\)$/);
  expect(lineOf(tcpFrame(4, { payload: 'busy' }), { verbose: 1 })).toMatch(/length 4 \[RST busy\]$/);
});
