import { createNet, createWorld } from '@stack/kernel';
import { allocSkb, consumeSkb, installSkbuff, skbPut } from '@stack/skbuff';
import { expect, test } from 'vitest';
import { installSocket } from './install.ts';
import { skAlloc, sockInitData, sockPut } from './sock-alloc.ts';
import {
  SK_MEM_QUANTUM, skbSetOwnerR, skbSetOwnerW, skForcedMemSchedule, skMemReclaim, skRmemSchedule, skStreamModerateSndbuf, skUnderMemoryPressure,
  skWmemSchedule,
} from './sock-mem.ts';
import { lockSock, releaseSock, skAddBacklog, sockQueueRcvSkb } from './sock.ts';
import { ProtoMem, SOCK_SNDBUF_LOCK, SOCK_USE_WRITE_QUEUE, sockSetFlag } from './sock-struct.ts';
import type { Proto, Sock } from './sock-struct.ts';
import { pairProt } from './test-family.ts';

function makeSock(mem: ProtoMem | null): Sock {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  const net = createNet(world);
  installSocket(net);
  const prot: Proto = { ...pairProt, mem: mem === null ? null : () => mem };
  const sk = skAlloc(net, 1, prot);
  sockInitData(null, sk);
  return sk;
}

function makeMem(min: number, pressure: number, max: number): ProtoMem {
  return new ProtoMem(Int32Array.of(min, pressure, max), Int32Array.of(4096, 0, 0), Int32Array.of(4096, 0, 0));
}

test('skWmemAlloc counts what is below the sock, and wakes writers as it leaves', () => {
  const sk = makeSock(null);
  let woken = 0;
  sk.skWriteSpace = () => woken++;
  const skb = allocSkb(sk.skNet, 1000)!;
  const { truesize } = skb;
  skbSetOwnerW(skb, sk);
  expect(sk.skWmemAlloc).toBe(1 + truesize);
  consumeSkb(skb);
  expect([sk.skWmemAlloc, woken]).toEqual([1, 1]);
});

test('a sock lives until the last packet that it sent is gone', () => {
  const sk = makeSock(null);
  let destructed = 0;
  sk.skDestruct = () => destructed++;
  const skb = allocSkb(sk.skNet, 10)!;
  skbSetOwnerW(skb, sk);
  sockPut(sk);
  expect([destructed, sk.skNet.socket.socksInUse]).toEqual([0, 1]);
  consumeSkb(skb);
  expect([destructed, sk.skNet.socket.socksInUse]).toEqual([1, 0]);
});

test('skRmemAlloc is charged to the account and given back in whole quanta', () => {
  const mem = makeMem(100, 200, 300);
  const sk = makeSock(mem);
  const skb = allocSkb(sk.skNet, 1000)!;
  const { truesize } = skb;
  expect(skRmemSchedule(sk, skb, truesize)).toBe(true);
  skbSetOwnerR(skb, sk);
  expect(mem.memoryAllocated).toBe(1);
  expect([sk.skRmemAlloc, sk.skForwardAlloc]).toEqual([truesize, SK_MEM_QUANTUM - truesize]);
  consumeSkb(skb);
  expect([sk.skRmemAlloc, sk.skForwardAlloc]).toEqual([0, 0]);
  skMemReclaim(sk);
  expect([sk.skForwardAlloc, mem.memoryAllocated]).toEqual([0, 0]);
});

test('tcp_mem: above the second limit there is pressure, above the third nothing is given', () => {
  const mem = makeMem(2, 4, 6);
  const sk = makeSock(mem);
  expect(skWmemSchedule(sk, 4 * SK_MEM_QUANTUM)).toBe(true);
  expect(skUnderMemoryPressure(sk)).toBe(false);
  expect(skWmemSchedule(sk, 5 * SK_MEM_QUANTUM)).toBe(true);
  expect(skUnderMemoryPressure(sk)).toBe(true);
  expect(skWmemSchedule(sk, 7 * SK_MEM_QUANTUM)).toBe(false);
  expect(mem.memoryAllocated).toBe(5);
  skForcedMemSchedule(sk, 7 * SK_MEM_QUANTUM);
  expect(mem.memoryAllocated).toBe(7);
  skMemReclaim(sk);
  expect([mem.memoryAllocated, mem.memoryPressure]).toEqual([0, false]);
});

test('a stream that is short of memory gives up what autotuning gave it, unless the user fixed it', () => {
  const sk = makeSock(makeMem(1, 1, 1));
  sockSetFlag(sk, SOCK_USE_WRITE_QUEUE);
  sk.skSndbuf = 100000;
  sk.skWmemQueued = 40000;
  skStreamModerateSndbuf(sk);
  expect(sk.skSndbuf).toBe(20000);
  sk.skUserlocks |= SOCK_SNDBUF_LOCK;
  sk.skWmemQueued = 10000;
  skStreamModerateSndbuf(sk);
  expect(sk.skSndbuf).toBe(20000);
});

test('the receive buffer is a limit: the packet beyond it is refused and counted', () => {
  const sk = makeSock(null);
  sk.skRcvbuf = 4000;
  let refused = 0;
  for (let i = 0; i < 5; i++) {
    const skb = allocSkb(sk.skNet, 1000)!;
    skbPut(skb, 10);
    if (sockQueueRcvSkb(sk, skb) !== 0) {
      refused++;
      consumeSkb(skb);
    }
  }
  expect([sk.skReceiveQueue.qlen, refused, sk.skDrops]).toEqual([2, 3, 3]);
  sockPut(sk);
});

test('the backlog is processed in order when the owner lets go', () => {
  const sk = makeSock(null);
  const seen: number[] = [];
  sk.skBacklogRcv = (_sk, skb) => {
    seen.push(skb.len);
    consumeSkb(skb);
    return 0;
  };
  lockSock(sk);
  for (const n of [1, 2, 3]) {
    const skb = allocSkb(sk.skNet, 100)!;
    skbPut(skb, n);
    expect(skAddBacklog(sk, skb, 100000)).toBe(0);
  }
  expect(seen).toEqual([]);
  releaseSock(sk);
  expect([seen, sk.skBacklogLen, sk.skLockOwned]).toEqual([[1, 2, 3], 0, false]);
  const skb = allocSkb(sk.skNet, 100)!;
  sk.skRmemAlloc = 10;
  expect(skAddBacklog(sk, skb, 5)).toBeLessThan(0);
  consumeSkb(skb);
});

test('taking a sock twice is a broken invariant', () => {
  const sk = makeSock(null);
  lockSock(sk);
  expect(() => lockSock(sk)).toThrow('lock_sock: PAIR sock is owned already');
});
