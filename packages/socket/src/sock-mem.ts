/*
 * The memory of socks (net/core/sock.c). Three accounts: skRmemAlloc and skWmemAlloc count the truesize of sk_buffs that
 * a sock answers for (up, down), skWmemQueued what a stream still holds in its queues. Protocols with a ProtoMem
 * (`net.ipv4.tcp_mem`) also draw, in quanta of 4 KiB, on what their sockets may take together: skForwardAlloc is the
 * part of the sock's quanta that no packet uses yet.
 */
import { consumeSkb, skbOrphan } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { skFree } from './sock-alloc.ts';
import { sockFlag, SOCK_RCVBUF_LOCK, SOCK_SNDBUF_LOCK, SOCK_USE_WRITE_QUEUE } from './sock-struct.ts';
import type { ProtoMem, Sock } from './sock-struct.ts';

export const SK_MEM_QUANTUM = 4096;
const SK_MEM_QUANTUM_SHIFT = 12;
export const SK_MEM_SEND = 0;
export const SK_MEM_RECV = 1;

/** The least that SO_SNDBUF and SO_RCVBUF can be set to. */
export const SOCK_MIN_SNDBUF = 4608;
export const SOCK_MIN_RCVBUF = 2304;

/** `amt` bytes in quanta, rounded up. */
function skMemPages(amt: number): number {
  return (amt + SK_MEM_QUANTUM - 1) >> SK_MEM_QUANTUM_SHIFT;
}

/** sk_buff destructor of what a sock sent: gives the room back and, when it was the last thing alive, frees the sock. */
export function sockWfree(skb: SkBuff): void {
  const sk = skb.sk as Sock;
  skb.sk = null;
  if (!sockFlag(sk, SOCK_USE_WRITE_QUEUE)) {
    // Keep one byte so that the sock outlives its own callback.
    sk.skWmemAlloc -= skb.truesize - 1;
    sk.skWriteSpace(sk);
    sk.skWmemAlloc -= 1;
  } else {
    sk.skWmemAlloc -= skb.truesize;
  }
  if (sk.skWmemAlloc === 0) skFree(sk);
}

/** sk_buff destructor of what a sock has received. */
export function sockRfree(skb: SkBuff): void {
  const sk = skb.sk as Sock;
  skb.sk = null;
  sk.skRmemAlloc -= skb.truesize;
  skMemUncharge(sk, skb.truesize);
}

/** Makes `sk` answer for `skb` on its way down. */
export function skbSetOwnerW(skb: SkBuff, sk: Sock): void {
  skbOrphan(skb);
  skb.sk = sk;
  skb.destructor = sockWfree;
  sk.skWmemAlloc += skb.truesize;
}

/** Makes `sk` answer for `skb` in its receive queue; the room was taken by skRmemSchedule. */
export function skbSetOwnerR(skb: SkBuff, sk: Sock): void {
  skbOrphan(skb);
  skb.sk = sk;
  skb.destructor = sockRfree;
  sk.skRmemAlloc += skb.truesize;
  skMemCharge(sk, skb.truesize);
}

/** Does the protocol account in quanta at all? */
function skHasAccount(sk: Sock): boolean {
  return sk.skProt.mem !== null;
}

function skMem(sk: Sock): ProtoMem | null {
  const mem = sk.skProt.mem;
  return mem === null ? null : mem(sk);
}

export function skMemCharge(sk: Sock, size: number): void {
  if (skHasAccount(sk)) sk.skForwardAlloc -= size;
}

/** Gives `size` bytes back to the sock's quanta, and whole unused quanta to the protocol. */
export function skMemUncharge(sk: Sock, size: number): void {
  if (!skHasAccount(sk)) return;
  sk.skForwardAlloc += size;
  if (sk.skForwardAlloc >= SK_MEM_QUANTUM) skMemReclaimAmount(sk, sk.skForwardAlloc);
}

/** Returns `amount` bytes, rounded down to quanta, from the sock to the protocol. */
function skMemReclaimAmount(sk: Sock, amount: number): void {
  const mem = skMem(sk);
  if (mem === null) return;
  const quanta = amount >> SK_MEM_QUANTUM_SHIFT;
  sk.skForwardAlloc -= quanta << SK_MEM_QUANTUM_SHIFT;
  mem.memoryAllocated -= quanta;
  if (mem.memoryAllocated < (mem.sysctlMem[0] as number)) skLeaveMemoryPressure(sk);
}

/** Returns every whole quantum that the sock does not use. */
export function skMemReclaim(sk: Sock): void {
  if (skHasAccount(sk) && sk.skForwardAlloc >= SK_MEM_QUANTUM) skMemReclaimAmount(sk, sk.skForwardAlloc);
}

/** May the sock have the quanta that were just added to the account (net/core/sock.c, __sk_mem_raise_allocated)? */
function skMemAllowed(sk: Sock, mem: ProtoMem, kind: number): boolean {
  const allocated = mem.memoryAllocated;
  if (allocated <= (mem.sysctlMem[0] as number)) {
    skLeaveMemoryPressure(sk);
    return true;
  }
  if (allocated > (mem.sysctlMem[1] as number)) skEnterMemoryPressure(sk);
  if (allocated > (mem.sysctlMem[2] as number)) return false;
  // Each sock may have its minimum; beyond it, under pressure, no more than the others on average.
  if (kind === SK_MEM_RECV) {
    if (sk.skRmemAlloc < (mem.sysctlRmem[0] as number)) return true;
  } else if ((sockFlag(sk, SOCK_USE_WRITE_QUEUE) ? sk.skWmemQueued : sk.skWmemAlloc) < (mem.sysctlWmem[0] as number)) {
    return true;
  }
  if (!mem.memoryPressure) return true;
  const own = skMemPages(sk.skWmemQueued + sk.skRmemAlloc + sk.skForwardAlloc);
  return (mem.sysctlMem[2] as number) > mem.socketsAllocated * own;
}

/** May the sock use `size` more bytes of `kind` (SK_MEM_…)? Takes quanta from the protocol's account if it has too few. */
export function skMemSchedule(sk: Sock, size: number, kind: number): boolean {
  if (!skHasAccount(sk) || size <= sk.skForwardAlloc) return true;
  return skMemRaise(sk, size - sk.skForwardAlloc, kind);
}

/** Takes quanta for `size` bytes from the protocol's account. False if it must not have them. */
function skMemRaise(sk: Sock, size: number, kind: number): boolean {
  const mem = skMem(sk);
  if (mem === null) return true;
  const quanta = skMemPages(size);
  sk.skForwardAlloc += quanta << SK_MEM_QUANTUM_SHIFT;
  mem.memoryAllocated += quanta;
  if (skMemAllowed(sk, mem, kind)) return true;
  if (kind === SK_MEM_SEND && sockFlag(sk, SOCK_USE_WRITE_QUEUE)) {
    skStreamModerateSndbuf(sk);
    // A stream whose queue is already over its limit may finish what it has begun: it will be throttled.
    if (sk.skWmemQueued + size >= sk.skSndbuf) return true;
  }
  sk.skForwardAlloc -= quanta << SK_MEM_QUANTUM_SHIFT;
  mem.memoryAllocated -= quanta;
  return false;
}

/** May `size` more bytes be queued for sending? */
export function skWmemSchedule(sk: Sock, size: number): boolean {
  return skMemSchedule(sk, size, SK_MEM_SEND);
}

/** May `skb`, of `size` bytes, be queued for the reader? */
export function skRmemSchedule(sk: Sock, _skb: SkBuff, size: number): boolean {
  return skMemSchedule(sk, size, SK_MEM_RECV);
}

/** Takes the room without asking: for what must be sent to make progress (a FIN). */
export function skForcedMemSchedule(sk: Sock, size: number): void {
  const mem = skMem(sk);
  if (mem === null || size <= sk.skForwardAlloc) return;
  const quanta = skMemPages(size - sk.skForwardAlloc);
  sk.skForwardAlloc += quanta << SK_MEM_QUANTUM_SHIFT;
  mem.memoryAllocated += quanta;
}

/** Is the protocol short of memory? */
export function skUnderMemoryPressure(sk: Sock): boolean {
  const mem = skMem(sk);
  return mem !== null && mem.memoryPressure;
}

export function skEnterMemoryPressure(sk: Sock): void {
  const mem = skMem(sk);
  if (mem === null || mem.memoryPressure) return;
  mem.memoryPressure = true;
  mem.pressureStamp = sk.skNet.world.jiffies;
  if (sk.skProt.enterMemoryPressure !== null) sk.skProt.enterMemoryPressure(sk);
}

export function skLeaveMemoryPressure(sk: Sock): void {
  const mem = skMem(sk);
  if (mem === null || !mem.memoryPressure) return;
  mem.memoryPressure = false;
  if (sk.skProt.leaveMemoryPressure !== null) sk.skProt.leaveMemoryPressure(sk);
}

export function skSocketsAllocatedInc(sk: Sock): void {
  const mem = skMem(sk);
  if (mem !== null) mem.socketsAllocated++;
}

export function skSocketsAllocatedDec(sk: Sock): void {
  const mem = skMem(sk);
  if (mem !== null) mem.socketsAllocated--;
}

/** May a datagram sock send (poll)? Half of its buffer must be free. */
export function sockWriteable(sk: Sock): boolean {
  return sk.skWmemAlloc < sk.skSndbuf >> 1;
}

/** Shrinks a send buffer that autotuning grew, when memory is short. */
export function skStreamModerateSndbuf(sk: Sock): void {
  if ((sk.skUserlocks & SOCK_SNDBUF_LOCK) !== 0) return;
  sk.skSndbuf = Math.max(Math.min(sk.skSndbuf, sk.skWmemQueued >> 1), SOCK_MIN_SNDBUF);
}

/** SO_SNDBUF: doubles `val` for the accounting overhead, clamps it, and keeps autotuning off. socket(7). */
export function skSetSndbuf(sk: Sock, val: number): void {
  sk.skUserlocks |= SOCK_SNDBUF_LOCK;
  sk.skSndbuf = Math.max(val * 2, SOCK_MIN_SNDBUF);
  sk.skWriteSpace(sk);
}

/** SO_RCVBUF: as skSetSndbuf. */
export function skSetRcvbuf(sk: Sock, val: number): void {
  sk.skUserlocks |= SOCK_RCVBUF_LOCK;
  sk.skRcvbuf = Math.max(val * 2, SOCK_MIN_RCVBUF);
}

/** Frees an sk_buff of a stream's write queue and gives its room back. Takes the sk_buff. */
export function skWmemFreeSkb(sk: Sock, skb: SkBuff): void {
  sk.skWmemQueued -= skb.truesize;
  skMemUncharge(sk, skb.truesize);
  consumeSkb(skb);
}
