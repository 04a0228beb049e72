/*
 * A connection before the script's own, with a peer of its own: what runs for the first time takes milliseconds (code is compiled,
 * functions are bound), and would be late.
 */
import { parseScript } from '../parse.ts';
import { runScriptOn } from '../run.ts';
import { closeOpened, linuxOps, type LinuxTarget } from './target.ts';

/** For documentation (RFC 5737): nothing that the kernel remembers of this peer matters to the script. */
const PEER = '198.51.100.1';
const TIMES = 3;

const connection = `
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
   +0 < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 1 ecr 0,nop,wscale 7>
   +0 > S. 0:0(0) ack 1 <mss MSS,sackOK,TS val 1 ecr 1,nop,wscale 10>
+.002 < . 1:1(0) ack 1 win 257 <nop,nop,TS val 2 ecr 1>
   +0 accept(3, ..., ...) = 4
   +0 fcntl(4, F_SETFL, O_RDWR) = 0
   +0 write(4, ..., 100) = 100
   +0 > P. 1:101(100) ack 1 <nop,nop,TS val 1 ecr 2>
+.002 < . 1:1(0) ack 101 win 257 <sack 1:2,nop,nop>
   +0 %{ assert tcpi_unacked == 0 }%
   +0...0.002 read(4, ..., 1000) = 1000
+.002 < P. 1:1001(1000) ack 101 win 257
   +0 > . 101:101(0) ack 1001 <...>
+.001 < R. 1001:1001(0) ack 101 win 257
   +0 close(4) = 0
   +0 close(3) = 0
`;

export async function rehearse(target: LinuxTarget, localIp: string, mtu: number): Promise<void> {
  const script = parseScript(connection.replace('MSS', String(mtu - 40)), 'rehearsal');
  const ops = { ...linuxOps, close: () => Promise.resolve('') };
  for (let i = 0; i < TIMES; i++) {
    await runScriptOn(ops, target, script, { localIp, remoteIp: PEER, tolerance: 1e6 });
    closeOpened(target);
  }
  await linuxOps.close(target);
}
