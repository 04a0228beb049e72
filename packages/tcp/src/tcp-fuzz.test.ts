/** Random transfers over a bad channel: every byte arrives, and after every segment the sender's books balance. */
import { createWorld, destroyNet, idle, openReport, randomBelow, randomChance } from '@stack/kernel';
import type { World } from '@stack/kernel';
import { installSkbuff, leakReport } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  SOCK_STREAM, exitTask, sysAccept, sysBind, sysClose, sysConnect, sysListen, sysRead, sysShutdown, sysSocket, sysWrite,
} from '@stack/socket';
import type { Sock, Task } from '@stack/socket';
import { describe, expect, test } from 'vitest';
import { tcpPacketsInFlight } from './tcp-rtx-queue.ts';
import {
  TCPCB_LOST, TCPCB_SACKED_ACKED, TCPCB_SACKED_RETRANS, tcbEndSeq, tcbSacked, tcbSeq, tcpSkbPcount,
} from './tcp-skb-cb.ts';
import { TcpSock } from './tcp-sock.ts';
import { AF_CHANNEL, Channel, SockAddrChannel, channelSend } from './tcp-channel.ts';
import type { Segment } from './tcp-channel.ts';
import { createChannelHost } from './tcp-channel-family.ts';
import type { ChannelHost } from './tcp-channel-family.ts';

const PORT = 7;

/** The counts of the scoreboard are the sums over the retransmission queue; sequence numbers are in order. */
function checkBooks(sk: TcpSock): void {
  let packets = 0;
  let sacked = 0;
  let lost = 0;
  let retrans = 0;
  let seq = sk.sndUna;
  let aboveSack: SkBuff | null = null;
  for (let skb = sk.tcpRtxQueue.next; skb !== null; skb = skb.next) {
    const pcount = tcpSkbPcount(skb);
    const marks = tcbSacked(skb);
    packets += pcount;
    if ((marks & TCPCB_SACKED_ACKED) !== 0) sacked += pcount;
    if ((marks & TCPCB_LOST) !== 0) lost += pcount;
    if ((marks & TCPCB_SACKED_RETRANS) !== 0) retrans += pcount;
    if ((marks & TCPCB_SACKED_ACKED) !== 0) {
      expect(marks & TCPCB_LOST).toBe(0);
      aboveSack = skb.next;
    }
    if (((tcbSeq(skb) - seq) | 0) > 0) throw new Error(`a gap before ${tcbSeq(skb)}`);
    seq = tcbEndSeq(skb);
  }
  expect(sk.packetsOut).toBe(packets);
  if (sk.rxOpt.sackOk !== 0) expect(sk.sackedOut).toBe(sacked);
  if (sacked !== 0) expect(sk.highestSack).toBe(aboveSack);
  expect(sk.lostOut).toBe(lost);
  expect(sk.retransOut).toBe(retrans);
  expect(tcpPacketsInFlight(sk)).toBeGreaterThanOrEqual(0);
  expect(sk.sndCwnd).toBeGreaterThan(0);
  expect(seq).toBe(sk.tcpRtxQueue.next === null ? sk.sndUna : sk.sndNxt);
}

function checkHost(host: ChannelHost): void {
  for (let sk: Sock | null = host.net.socket.sockFirst; sk !== null; sk = sk.skAllNext) {
    if (sk instanceof TcpSock && sk.tcpRtxQueue.next !== null) checkBooks(sk);
  }
}

/** Byte `at` of either stream. */
function byteAt(at: number): number {
  return (at * 31 + (at >> 9)) & 255;
}

async function sendAll(world: World, task: Task, fd: number, total: number): Promise<void> {
  for (let sent = 0; sent < total; ) {
    const n = Math.min(total - sent, 1 + randomBelow(world.random, 20000));
    const bytes = Uint8Array.from({ length: n }, (_, i) => byteAt(sent + i));
    expect(await sysWrite(task, fd, bytes)).toBe(n);
    sent += n;
  }
  sysShutdown(task, fd, 1);
}

async function receiveAll(world: World, task: Task, fd: number): Promise<number> {
  let got = 0;
  for (;;) {
    const buf = new Uint8Array(1 + randomBelow(world.random, 30000));
    const n = (await sysRead(task, fd, buf)) as number;
    if (n <= 0) return n < 0 ? n : got;
    for (let i = 0; i < n; i++) if (buf[i] !== byteAt(got + i)) throw new Error(`byte ${got + i} is wrong`);
    got += n;
  }
}

/** Loss, duplication, reordering and now and then a cut-off tail, all from the World's generator. */
function badFilter(world: World, channel: Channel, hosts: readonly ChannelHost[], loss: number): (seg: Segment) => boolean {
  let again = false;
  return (seg) => {
    if (again) return true;
    // The sender is in the midst of something; the other one rests.
    for (const host of hosts) if (host.key !== seg.from) checkHost(host);
    if (randomChance(world.random, loss)) return false;
    if (randomChance(world.random, 0.03)) {
      again = true;
      const { delay } = channel;
      channel.delay = delay + randomBelow(world.random, 5_000_000);
      channelSend(channel, seg);
      channel.delay = delay;
      again = false;
      // Half of them twice, half of them late.
      return randomChance(world.random, 0.5);
    }
    return true;
  };
}

async function transfer(seed: number, loss: number, sack: number, gsoSegs: number): Promise<void> {
  const world = createWorld({ seed });
  installSkbuff(world);
  const channel = new Channel(world, 2_000_000);
  const server = createChannelHost(channel, 1);
  const client = createChannelHost(channel, 2);
  for (const { net } of [server, client]) {
    net.tcp.sysctlTcpSack = sack;
    net.tcp.sysctlTcpRetries2 = 100;
    net.tcp.sysctlTcpSynRetries = 20;
    net.tcp.sysctlTcpSynackRetries = 20;
    // By turns with and without a static reordering window, and the threshold of duplicates.
    net.tcp.sysctlTcpRecovery = 1 + 2 * (seed & 3);
  }
  channel.filter = badFilter(world, channel, [server, client], loss);
  const lfd = sysSocket(server.task, AF_CHANNEL, SOCK_STREAM, 0) as number;
  sysBind(server.task, lfd, new SockAddrChannel(0, PORT));
  sysListen(server.task, lfd, 16);
  const fd = sysSocket(client.task, AF_CHANNEL, SOCK_STREAM, 0) as number;
  const accepted = sysAccept(server.task, lfd);
  expect(await sysConnect(client.task, fd, new SockAddrChannel(1, PORT))).toBe(0);
  const sfd = (await accepted) as number;
  for (const { net } of [server, client]) {
    for (let sk: Sock | null = net.socket.sockFirst; sk !== null; sk = sk.skAllNext) {
      sk.skGsoMaxSegs = gsoSegs;
      sk.skGsoMaxSize = gsoSegs > 1 ? 60000 : 0;
    }
  }
  const there = 50_000 + randomBelow(world.random, 200_000);
  const back = 1 + randomBelow(world.random, 100_000);
  const results = await Promise.all([
    sendAll(world, client.task, fd, there), receiveAll(world, server.task, sfd),
    sendAll(world, server.task, sfd, back), receiveAll(world, client.task, fd),
  ]);
  expect(results[1]).toBe(there);
  expect(results[3]).toBe(back);
  await Promise.all([sysClose(client.task, fd), sysClose(server.task, sfd)]);
  sysClose(server.task, lfd);
  for (const host of [server, client]) exitTask(host.task);
  await idle(world);
  for (const { net } of [server, client]) {
    expect(net.tcp.mem.memoryAllocated).toBe(0);
    destroyNet(net);
  }
  expect(openReport(world).filter(({ kind }) => kind !== 'hrtimer')).toEqual([]);
  expect(leakReport(world)).toEqual([]);
}

describe.each([
  ['SACK', 1, 1],
  ['SACK, segmentation offload', 1, 40],
  ['NewReno', 0, 1],
  ['NewReno, segmentation offload', 0, 40],
])('%s', (_name, sack, gsoSegs) => {
  test.each([1, 2, 3, 4, 5, 6])('seed %i', async (seed) => {
    await transfer(seed, [0, 0.01, 0.03, 0.1, 0.2, 0.3][seed - 1] ?? 0, sack, gsoSegs);
  }, 60_000);
});
