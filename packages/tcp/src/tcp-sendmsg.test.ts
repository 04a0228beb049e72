import { EAGAIN, EPIPE } from '@stack/kernel';
import {
  F_SETFL, MSG_DONTWAIT, MSG_EOR, MSG_MORE, MSG_OOB, SHUT_WR, SIOCOUTQ, SIOCOUTQNSD, SOL_SOCKET, SOL_TCP, SO_SNDBUF, makeMsgHdr,
  sysFcntl, sysIoctl, sysSend, sysSendmsg, sysSetsockopt, sysShutdown, sysWrite,
} from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { scriptConnecting, scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';
import { TCP_CORK, TCP_NODELAY } from './tcp-uapi.ts';

let s: Script;

afterEach(() => s.end());

function setOpt(name: number, value: number): void {
  expect(sysSetsockopt(s.host.task, s.fd, SOL_TCP, name, value)).toBe(0);
}

function send(n: number, flags = 0): number | Promise<number> {
  return sysSend(s.host.task, s.fd, new Uint8Array(n), flags | MSG_DONTWAIT);
}

test('one write is one copy into the linear part, then fragments, of one sk_buff', async () => {
  s = await scriptServer({ win: 1000 });
  setOpt(TCP_CORK, 1);
  expect(await s.write(900)).toBe(900);
  const { sk } = s;
  const skb = sk.skWriteQueue.next;
  if (skb === null) throw new Error('nothing queued');
  expect(skb).toMatchObject({ len: 900, dataLen: 0 });
  expect(s.take()).toEqual([]);
});

test('the bytes of several buffers join one segment (sendmsg gathers)', async () => {
  s = await scriptServer();
  const msg = makeMsgHdr([Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)]);
  expect(sysSendmsg(s.host.task, s.fd, msg, 0)).toBe(3);
  expect(s.takeBare()).toEqual(['P. 1:4(3) ack 1']);
  expect([...(s.channel.log?.at(-1)?.data ?? [])]).toEqual([1, 2, 3]);
});

test('RFC 9293 §3.7.4: a small segment waits while another is not acknowledged; TCP_NODELAY sends it', async () => {
  s = await scriptServer();
  await s.write(10);
  await s.write(10);
  await s.write(10);
  expect(s.takeBare()).toEqual(['P. 1:11(10) ack 1']);
  s.give('. 1 ack 11');
  expect(s.takeBare()).toEqual(['P. 11:31(20) ack 1']);
  await s.write(5);
  expect(s.takeBare()).toEqual([]);
  setOpt(TCP_NODELAY, 1);
  expect(s.takeBare()).toEqual(['P. 31:36(5) ack 1']);
  await s.write(5);
  expect(s.takeBare()).toEqual(['P. 36:41(5) ack 1']);
});

test('RFC 9293 §3.7.4: a full segment goes at once, its rest waits', async () => {
  s = await scriptServer();
  await s.write(100);
  s.take();
  await s.write(2500);
  expect(s.takeBare()).toEqual(['. 101:1101(1000) ack 1', '. 1101:2101(1000) ack 1']);
});

test('TCP_CORK: only full segments leave until the cork is drawn, or 200 ms have passed', async () => {
  s = await scriptServer();
  setOpt(TCP_CORK, 1);
  await s.write(1200);
  expect(s.takeBare()).toEqual(['. 1:1001(1000) ack 1']);
  await s.write(100);
  expect(s.takeBare()).toEqual([]);
  setOpt(TCP_CORK, 0);
  expect(s.takeBare()).toEqual(['P. 1001:1301(300) ack 1']);
});

test('MSG_MORE is a cork for one write', async () => {
  s = await scriptServer();
  expect(send(10, MSG_MORE)).toBe(10);
  expect(s.takeBare()).toEqual([]);
  expect(send(10)).toBe(10);
  expect(s.takeBare()).toEqual(['P. 1:21(20) ack 1']);
});

test('MSG_EOR: nothing is appended to a segment that ends a record', async () => {
  s = await scriptServer();
  await s.write(1);
  s.take();
  send(10, MSG_EOR);
  expect(s.takeBare()).toEqual([]);
  // Now it is not the last any more: Nagle holds the new one only.
  send(10);
  expect(s.takeBare()).toEqual(['P. 2:12(10) ack 1']);
  s.give('. 1 ack 12');
  expect(s.takeBare()).toEqual(['P. 12:22(10) ack 1']);
});

test('RFC 9293 §3.8.5: MSG_OOB marks the byte before the urgent pointer, in each segment up to it', async () => {
  s = await scriptServer();
  expect(send(3, MSG_OOB)).toBe(3);
  expect(s.takeBare()).toEqual(['P.U 1:4(3) ack 1 urg 3']);
  s.give('. 1 ack 4');
  await s.write(2);
  expect(s.takeBare()).toEqual(['P. 4:6(2) ack 1']);
});

test('a non-blocking write takes what the send buffer has room for, then -EAGAIN', async () => {
  s = await scriptServer({ win: 65535 });
  expect(sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_SNDBUF, 10_000)).toBe(0);
  let total = 0;
  for (;;) {
    const n = send(5000);
    if (typeof n !== 'number') throw new Error('it sleeps');
    if (n < 0) {
      expect(n).toBe(-EAGAIN);
      break;
    }
    total += n;
  }
  expect(total).toBeGreaterThan(5000);
  expect(sysIoctl(s.host.task, s.fd, SIOCOUTQ)).toBe(total);
  expect(s.sk.skWmemQueued).toBeGreaterThanOrEqual(s.sk.skSndbuf);
});

test('a blocking write returns when all of it is queued, room coming with acknowledgments', async () => {
  s = await scriptServer({ win: 65535 });
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_SNDBUF, 10_000);
  let result: number | null = null;
  const writing = Promise.resolve(s.write(60_000)).then((n) => {
    result = n;
  });
  for (let acked = 1, round = 0; round < 200 && result === null; round++) {
    acked = (s.sk.sndNxt - s.isn) | 0;
    s.give(`. 1 ack ${acked} win 65535`);
    await s.wait(1);
  }
  await writing;
  expect(result).toBe(60_000);
  expect(s.sk.writeSeq).toBe((s.isn + 60_001) | 0);
});

test('a blocking write before the handshake is over waits for it, and takes the last ACK with it', async () => {
  const connecting = scriptConnecting();
  s = connecting.s;
  sysFcntl(s.host.task, s.fd, F_SETFL, 0);
  s.take();
  const writing = s.write(10);
  s.give('S. 0 ack 1 win 65535 <mss 1000>');
  expect(await connecting.connected).toBe(0);
  expect(await writing).toBe(10);
  expect(s.takeBare()).toEqual(['P. 1:11(10) ack 1']);
});

test('a non-blocking write before the handshake is over is -EAGAIN; on a fresh socket -EPIPE', async () => {
  const connecting = scriptConnecting();
  s = connecting.s;
  expect(send(10)).toBe(-EAGAIN);
  s.take();
  s.give('S. 0 ack 1 win 65535');
  await connecting.connected;
});

test('a write after shutdown(SHUT_WR) is -EPIPE', async () => {
  s = await scriptServer();
  expect(sysShutdown(s.host.task, s.fd, SHUT_WR)).toBe(0);
  expect(send(1)).toBe(-EPIPE);
  expect(s.takeBare()).toEqual(['F. 1:1(0) ack 1']);
});

test('a write after the peer has reset is the error once, then -EPIPE', async () => {
  s = await scriptServer();
  s.give('R 1');
  expect(send(1)).toBe(-104);
  expect(send(1)).toBe(-EPIPE);
});

test('RFC 9293 §3.8.6.2.1: no segment larger than half of the largest window offered', async () => {
  s = await scriptServer({ win: 8 });
  await s.write(1024);
  expect(s.takeBare()).toEqual(['. 1:513(512) ack 1', 'P. 513:1025(512) ack 1']);
});

test('SIOCOUTQNSD tells what was never sent', async () => {
  s = await scriptServer({ win: 8 });
  await s.write(5000);
  expect(sysIoctl(s.host.task, s.fd, SIOCOUTQ)).toBe(5000);
  expect(sysIoctl(s.host.task, s.fd, SIOCOUTQNSD)).toBe(5000 - 1024);
});

test('memory: what is written is charged to the sock and to the host, and given back when acknowledged', async () => {
  s = await scriptServer({ win: 65535 });
  const { mem } = s.host.net.tcp;
  expect(mem.memoryAllocated).toBeLessThanOrEqual(4096);
  await s.write(9000);
  expect(s.sk.skWmemQueued).toBeGreaterThanOrEqual(9000);
  expect(mem.memoryAllocated).toBeGreaterThan(0);
  s.give('. 1 ack 9001 win 65535');
  expect(s.sk.skWmemQueued).toBe(0);
});

test('an empty write sends nothing', async () => {
  s = await scriptServer();
  expect(sysWrite(s.host.task, s.fd, new Uint8Array(0))).toBe(0);
  expect(s.take()).toEqual([]);
});
