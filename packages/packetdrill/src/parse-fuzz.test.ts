// Whatever a script says, parseScript() reads it or throws a ScriptError.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseScript } from './parse.ts';
import { ScriptError } from './scanner.ts';

const words = [
  '0', '+0', '+.1', '*', '~', '...', '<', '>', 'S', 'P.', '1:1001(1000)', '0:0(0)', 'ack', 'win', 'urg', '1', '257', '<mss 1460,sackOK,nop,wscale 7>', '<sack 1:3,nop,nop>',
  '<TS val 1 ecr 2>', '<FO aabb>', '[ect0]', 'icmp', 'unreachable', 'frag_needed', 'mtu', '[0:1(1)]', 'udp', '(', ')', '[', ']', '{', '}', ',', '=', '|', '-1', 'EAGAIN', 'socket',
  'AF_INET', 'fd', '"text\\x41"', '`', '%{', '}%', '/*', '*/', '//', '#', '--mtu=9', '--mtu', '--huh', '8080 > 80', '0x', '0xffffffffffffffffff', '\\', '"', '\n', 'constructor', '__proto__',
  'htons(', 'msg_iov(2)=', '99999999999', '1e9', '-',
];

function readsOrRefuses(text: string): void {
  try {
    parseScript(text);
  } catch (error) {
    expect(error).toBeInstanceOf(ScriptError);
  }
}

test('any text is a script or a ScriptError', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), readsOrRefuses), { numRuns: 500 });
  fc.assert(fc.property(fc.array(fc.constantFrom(...words), { maxLength: 24 }), (parts) => readsOrRefuses(parts.join(' '))), { numRuns: 5000 });
});

test('a script with a piece changed is a script or a ScriptError', () => {
  const script = `--mtu=1500
\`sysctl -q net.ipv4.tcp_sack=1\`
   0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
  +0 < [ect0] S 0:0(0) win 32792 <mss 1000,sackOK,TS val 1 ecr 0,nop,wscale 7>
+.01~+.02 > S. 0:0(0) ack 1 <...>
  +0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT|EPOLLET, fd=4}) = -1 EBADF (Bad file descriptor)
  +0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=0}, 0) = 10
  +0 < icmp unreachable frag_needed mtu 840 [0:1000(1000)]
  +0 %{ assert tcpi_unacked == 0, tcpi_unacked }%`;
  fc.assert(fc.property(fc.nat(script.length), fc.nat(8), fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 4 })), (at, cut, put) => {
    readsOrRefuses(script.slice(0, at) + put + script.slice(at + cut));
  }), { numRuns: 5000 });
});
