// What a run makes of packets, addresses and commands: each script holds on Linux too.
import { expect, test } from 'vitest';
import { runScript } from './house.ts';
import { parseScript } from './parse.ts';

async function failureOf(text: string): Promise<string> {
  const { failure } = await runScript(parseScript(text));
  return failure === null ? '' : `${failure.line}: ${failure.message}`;
}

test('datagrams go out and come in; their IPv4 header; ICMP about them either way', async () => {
  expect(await failureOf(`   0 socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP) = 3
  +0 setsockopt(3, IPPROTO_IP, IP_TOS, [16], 4) = 0
  +0 connect(3, ..., ...) = 0
  +0 write(3, ..., 100) = 100
  +0 > [tos 0x10] udp (100)
+.01 < udp (50)
  +0 read(3, ..., 1000) = 50
  +0 send(3, ..., 7, 0) = 7
  +0 > (ttl 64, tos 0x10) udp (7)
+.01 < icmp unreachable port_unreachable [udp (7)]
  +0 read(3, ..., 1000) = -1 ECONNREFUSED (Connection refused)
  +0 close(3) = 0
+.01 < udp (50)
  +0 > icmp unreachable port_unreachable [udp (50)]`)).toBe('');
});

test('several connections, told apart by their ports; addresses spelled out; buffers that are none', async () => {
  expect(await failureOf(`   0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
  +0 bind(3, {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr("192.168.0.1")}, ...) = 0
  +0 listen(3, 2) = 0
  +0 < 1001 > 80 S 0:0(0) win 1000 <mss 1000>
  +0 > 80 > 1001 S. 0:0(0) ack 1 <mss 1460>
  +0 < 1002 > 80 S 0:0(0) win 1000 <mss 1000>
  +0 > 80 > 1002 S. 0:0(0) ack 1 <mss 1460>
+.01 < 1001 > 80 . 1:1(0) ack 1 win 1000
  +0 < 1002 > 80 . 1:1(0) ack 1 win 1000
  +0 accept(3, ..., ...) = 4
  +0 accept(3, ..., ...) = 5
  +0 write(5, ..., 10) = 10
  +0 > 80 > 1002 P. 1:11(10) ack 1
  +0 writev(4, [{..., 10}, {..., 20}], 2) = 30
  +0 > 80 > 1001 P. 1:31(30) ack 1
+.01 < 1001 > 80 P. 1:6(5) ack 31 win 1000
  +0 > 80 > 1001 . 31:31(0) ack 6
  +0 < 1002 > 80 R. 1:1(0) ack 11 win 0
  +0 read(5, ..., 10) = -1 ECONNRESET (Connection reset by peer)
  +0 readv(4, [{..., 2}, {..., 20}], 2) = 5
  +0 getpeername(4, {sa_family = AF_INET, sin_port = htons(1001), sin_addr = inet_addr("192.0.2.1")}, [16]) = 0
  +0 getsockname(4, {sa_family = AF_INET, sin_port = htons(80)}, [16]) = 0
  +0 sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 10}, {NULL, 20}], msg_flags=0}, 0) = -1 EFAULT (Bad address)
  +0 write(4, ..., 10) = 10
  +0 > 80 > 1001 P. 31:41(10) ack 6
  +0 writev(4, [{NULL, 20}], 1) = -1 EFAULT (Bad address)
  +0 getsockopt(4, IPPROTO_TCP, TCP_INFO, {tcpi_state=1, tcpi_unacked=1}, [256]) = 0
  +0 fcntl(4, F_GETFL) = 0x02 (flags O_RDWR)`)).toBe('');
});

test('commands of a block share variables; !, || and pipelines', async () => {
  expect(await failureOf(`\`X=2; Y="net.ipv4.tcp_sack"
cd /proc/sys/net/ipv4 && true
! false
false || true\`
   0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
  +0 \`kldload -n cc_newreno || true; sysctl -w "net.ipv4.tcp_syn_retries=3"\`
  +0 \`grep -q 3 /proc/sys/net/ipv4/tcp_syn_retries && cat /proc/net/snmp | grep -q "^Tcp: RtoAlgorithm"\`
  +0 \`cd / && A=3 && grep -q $A /proc/sys/net/ipv4/tcp_syn_retries; grep -q \${B:-3} /proc/sys/net/ipv4/tcp_syn_retries\`
  +0 getsockopt(3, IPPROTO_TCP, TCP_FUNCTION_BLK, {function_set_name="freebsd", pcbcnt=1}, [36]) = 0`)).toBe('');
});

const listener = `0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 2) = 0
+0 < 1001 > 8080 S 0:0(0) win 1000 <mss 1000>
`;

test.each([
  [`${listener}+0 > 8080 > 1002 S. 0:0(0) ack 1 <mss 1460>`, '5: other ports\nexpected 8080 > 1002 S. 0:0(0) ack 1 <mss 1460>\ngot      8080 > 1001 S.'],
  [`${listener}+0 > (ttl 63) S. 0:0(0) ack 1 <mss 1460>`, '5: another TTL\nexpected [ttl 63] S.'],
  [`${listener}+0 > [tos 4] S. 0:0(0) ack 1 <mss 1460>`, '5: another TOS'],
  [`${listener}+0 > udp (1)`, '5: expected udp (1)\nbut nothing was sent by 0.004000'],
  ['`frobnicate 1`\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3', '0: frobnicate 1: no such command here; there are defaults.sh,'],
  ['`nstat | awk 1`\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3', '0: nstat | awk 1: awk is not known here in a pipeline; there are nstat, grep'],
])('what is not as the script says: %j', async (text, message) => {
  expect(await failureOf(text)).toContain(message);
});

test('a timestamp that `<...>` has not named is echoed as the host sent it', async () => {
  expect(await failureOf(`${listener.replace('<mss 1000>', '<mss 1000,sackOK,TS val 100 ecr 0>')}+0 > S. 0:0(0) ack 1 <...>
+.01 < 1001 > 8080 . 1:1(0) ack 1 win 1000 <nop,nop,TS val 110 ecr 100>
+0 accept(3, ..., ...) = 4`)).toBe('');
});
