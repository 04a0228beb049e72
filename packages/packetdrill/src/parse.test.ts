import { expect, test } from 'vitest';
import { parseScript } from './parse.ts';
import type { TcpSpec } from './script.ts';

/** The one event of a script. */
function only(text: string): ReturnType<typeof parseScript>['events'][number] {
  const { events } = parseScript(text);
  expect(events).toHaveLength(1);
  return events[0]!;
}

function segment(text: string): TcpSpec {
  const { action } = only(text);
  if (action.kind !== 'packet' || action.packet.kind !== 'tcp') throw new Error('no segment');
  return action.packet;
}

test.each([
  ['0.5 < . 1:1(0) ack 1 win 1', { kind: 'absolute', at: 500_000 }],
  ['+.001 < . 1:1(0) ack 1 win 1', { kind: 'relative', at: 1000 }],
  ['* > . 1:1(0) ack 1', { kind: 'any', at: 0 }],
  ['+.1~+.105 > . 1:1(0) ack 1', { kind: 'relative', at: 100_000, until: 105_000 }],
  ['+0...0.300 read(4, ..., 10) = 10', { kind: 'relative', at: 0, until: 300_000 }],
  ['+.002 ... 0.004 connect(4, ..., ...) = 0', { kind: 'relative', at: 2000, until: 4000 }],
] as const)('time: %s', (text, when) => {
  expect(only(text).when).toEqual(when);
});

test('a segment: flags, numbers, options in their order', () => {
  const spec = segment('0 > [ect0] SEW 0:10(10) ack 7 win 9 urg 2 <mss 1460,sackOK,TS val 3 ecr 4,nop,wscale 8>');
  expect(spec).toMatchObject({ ecn: 'ect0', flags: 0xc2, seq: 0, length: 10, ack: 7, win: 9, urg: 2 });
  expect(spec.options?.map(({ kind, values }) => [kind, ...values])).toEqual([[2, 1460], [4], [8, 3, 4], [1], [3, 8]]);
  expect(segment('0 > . 1:1(0) ack 1 <...>').options).toBeNull();
  expect(segment('0 < - 0:0(0) win 5').flags).toBe(0);
});

test('SACK blocks, cookies and digests', () => {
  const { options } = segment('0 < . 1:1(0) ack 1 win 1 <sack 1:3 5:7,nop,nop>');
  expect(options?.[0]?.values).toEqual([1, 3, 5, 7]);
  const spec = parseScript('0 < S 0:0(0) win 1 <mss 9,FO COOKIE,nop,nop>', 'x', new Map([['COOKIE', '0a0b0c0d']])).events[0]!.action;
  if (spec.kind !== 'packet' || spec.packet.kind !== 'tcp') throw new Error('no segment');
  expect([...spec.packet.options?.[1]?.bytes ?? []]).toEqual([10, 11, 12, 13]);
});

test('a call: names or-ed, arrays, structs, errno, comments between', () => {
  const { action } = only('0 epoll_ctl(5, EPOLL_CTL_ADD, 4, /* what */ {events=EPOLLOUT|EPOLLET, fd=4}) = -1 EBADF (Bad file descriptor) // so');
  if (action.kind !== 'call') throw new Error('no call');
  expect(action).toMatchObject({ name: 'epoll_ctl', errno: 'EBADF', result: { kind: 'int', value: -1 } });
  const event = action.args[3]!;
  expect(event.kind === 'struct' ? [...event.fields] : []).toEqual([
    ['events', { kind: 'int', value: (4 | (1 << 31)) }], ['fd', { kind: 'int', value: 4 }],
  ]);
});

test('`*` is any acknowledgment or window; the names of ECN codepoints may begin with ip_', () => {
  expect(segment('0 > [ip_ect0] S. 0:0(0) ack * win * <mss 1460,sackOK,>')).toMatchObject({ ecn: 'ect0', ack: null, anyAck: true, win: null });
  expect(segment('0 > . 1:1(0) ack 7 win 8')).toMatchObject({ ack: 7, anyAck: false, win: 8 });
});

test('an ICMP error quotes a segment', () => {
  const { action } = only('0 < icmp unreachable frag_needed mtu 840 [0:1000(1000)]');
  if (action.kind !== 'packet') throw new Error('no packet');
  expect(action.packet).toMatchObject({ kind: 'icmp', type: 3, code: 4, mtu: 840, quoted: { seq: 0, length: 1000 } });
});

test('options at the top, first and last commands', () => {
  const script = parseScript('--tolerance_usecs=7000\n`a\nb`\n0 close(3) = 0\n`c`');
  expect(script.options.get('tolerance_usecs')).toBe('7000');
  expect([script.init, script.cleanup]).toEqual(['a\nb', 'c']);
});

test('options that packetdrill has are taken, whether they mean something here or not', () => {
  const { options } = parseScript('--wire_server_dev=eth0\n--code_command="python3 -x"\n--dry_run\n0 close(3) = 0');
  expect([...options]).toEqual([['wire_server_dev', 'eth0'], ['code_command', 'python3 -x'], ['dry_run', 'true']]);
});

test('ports before a segment', () => {
  const ports = { source: 8080, destination: 34567 };
  expect(segment('0 > [noecn] 8080 > 34567 S. 0:0(0) ack 1')).toEqual({ ...segment('0 > [noecn] S. 0:0(0) ack 1'), ports });
});

test('what stands in the IPv4 header, in either kind of brackets', () => {
  expect(segment('0 > [ect0, tos 0x28] . 1:1(0) ack 1')).toMatchObject({ ecn: 'ect0', tos: 0x28, ttl: null });
  expect(segment('0 < (ttl 64) . 1:1(0) ack 1')).toMatchObject({ ecn: 'any', tos: null, ttl: 64 });
});

test('datagrams, ICMP in either direction', () => {
  const packet = (text: string): unknown => {
    const { action } = only(text);
    return action.kind === 'packet' ? action.packet : null;
  };
  expect(packet('0 > udp (1000)')).toMatchObject({ kind: 'udp', ports: null, length: 1000 });
  expect(packet('0 < [tos 4] udp 5353 > 53 (0)')).toMatchObject({ kind: 'udp', tos: 4, ports: { source: 5353, destination: 53 }, length: 0 });
  expect(packet('0 > icmp unreachable port_unreachable [udp (7)]')).toMatchObject({ kind: 'icmp', type: 3, code: 3, quoted: { seq: null, length: 7 } });
  expect(packet('0 < icmp time_exceeded ttl_exceeded')).toMatchObject({ kind: 'icmp', type: 11, code: 0, quoted: null });
});

test('counters of AccECN', () => {
  expect(segment('0 > . 1:1(0) ack 1 <ECN e0b 1 ceb 0 e1b 1,nop>').options?.[0]).toMatchObject({ kind: 172, values: [1, 0, 1] });
  expect(segment('0 > . 1:1(0) ack 1 <ECN e1b 70000>').options?.[0]).toMatchObject({ kind: 174, values: [70000] });
});

test.each([
  ['--tolerance_usec=7000\n0 close(3) = 0', 'script:1: expected an option that packetdrill has\n--tolerance_usec=7000\n^'],
  ['--mtu=many\n0 close(3) = 0', 'expected a number for --mtu'],
  ['--ip_version=ipv6\n0 close(3) = 0', 'expected ipv4 (there is no other) for --ip_version'],
  ['0 < icmp constructor', 'expected unreachable'],
  ['0 < S 0:0(0) win 1 <constructor>', "not 'constructor'"],
  ['0 < S 0:5(4) win 1', 'script:1: expected 0:4(4)'],
  ['0 < S 0:0(0) win 1 <mss x>', "a number, not 'x'"],
  ['0 < S 0:0(0) win 1 <huh>', "not 'huh'"],
  ['0 > [flowlabel 1] S 0:0(0)', 'there is no IPv6'],
  ['0 < icmp time_exceeded port_unreachable', 'ttl_exceeded'],
  ['0 < S 0:0(0) win 1 <ECN ceb 1>', 'e0b N ceb N e1b N'],
  ['0 > S 0:0(0) <...>/udp(9899 > 9899)', 'no TCP in UDP'],
  ['0 < S 0:0(0) wen 4', "expected 'ack N', 'win N', 'urg N', <options>"],
  ['0 close(3) 0', "expected '='"],
  ['\n\nnow close(3) = 0', 'script:3: expected a time in seconds: 0.5, +.1, *\nnow close(3) = 0\n^'],
  ['0 setsockopt(3, SOL_WHAT, 1, [1], 4) = 0', 'SOL_WHAT has none'],
])('points at what it does not understand: %s', (text, message) => {
  expect(() => parseScript(text)).toThrow(message);
});
