/*
 * Birth and death of a Sock (net/core/sock.c): skAlloc, sockInitData; sockHold and sockPut count who refers to it; the
 * last sockPut calls skFree, which waits for the sk_buffs below that the sock still answers for (skWmemAlloc), and then
 * destroys it. Order at close: protocol's close -> skCommonRelease (or TCP's own way) -> sockOrphan -> sockPut.
 */
import type { Net } from '@stack/kernel';
import { dstRelease, skbQueuePurge } from '@stack/skbuff';
import type { Socket } from './net-struct.ts';
import { sockDefErrorReport, sockDefReadable, sockDefWakeup, sockDefWriteSpace } from './sock-callbacks.ts';
import { SOCK_BINDPORT_LOCK, SOCK_DEAD, SOCK_DONE, sockSetFlag, SOCK_ZAPPED } from './sock-struct.ts';
import type { Proto, Sock } from './sock-struct.ts';

/** A new Sock of `prot` with one reference, listed in the Net. Its defaults come with sockInitData. */
export function skAlloc(net: Net, family: number, prot: Proto): Sock {
  const sk = prot.objCreate(net, family, prot);
  sockListAdd(sk);
  return sk;
}

/** Puts the sock into the Net's list of all socks. */
function sockListAdd(sk: Sock): void {
  const ns = sk.skNet.socket;
  sk.skAllPrev = ns.sockLast;
  sk.skAllNext = null;
  if (ns.sockLast === null) ns.sockFirst = sk;
  else ns.sockLast.skAllNext = sk;
  ns.sockLast = sk;
  ns.socksInUse++;
}

function sockListDel(sk: Sock): void {
  const ns = sk.skNet.socket;
  if (sk.skAllPrev === null) ns.sockFirst = sk.skAllNext;
  else sk.skAllPrev.skAllNext = sk.skAllNext;
  if (sk.skAllNext === null) ns.sockLast = sk.skAllPrev;
  else sk.skAllNext.skAllPrev = sk.skAllPrev;
  sk.skAllNext = null;
  sk.skAllPrev = null;
  ns.socksInUse--;
}

/** Gives a new Sock its defaults and ties it to `sock` (null for one that has no user yet). */
export function sockInitData(sock: Socket | null, sk: Sock): void {
  const ns = sk.skNet.socket;
  sk.skRcvbuf = ns.sysctlRmemDefault;
  sk.skSndbuf = ns.sysctlWmemDefault;
  sockSetFlag(sk, SOCK_ZAPPED);
  if (sock !== null) {
    sk.skType = sock.type;
    sk.skSocket = sock;
    sk.skWq = sock.wq;
    sock.sk = sk;
  }
  sk.skStateChange = sockDefWakeup;
  sk.skDataReady = sockDefReadable;
  sk.skWriteSpace = sockDefWriteSpace;
  sk.skErrorReport = sockDefErrorReport;
  sk.skBacklogRcv = sk.skProt.backlogRcv;
}

/**
 * A child of a listener: a new Sock of the same protocol with the listener's options (buffers, time limits, flags, device,
 * mark, priority), no user, nothing queued, two references: one for whoever makes it a connection, one for its future
 * user. The protocol fills in the rest. (sk_clone_lock; nothing to lock: skLockOwned is false.)
 */
export function skCloneLock(sk: Sock): Sock {
  const child = skAlloc(sk.skNet, sk.skFamily, sk.skProt);
  sockInitData(null, child);
  child.skRefcnt = 2;
  child.skType = sk.skType;
  child.skProtocol = sk.skProtocol;
  child.skReuse = sk.skReuse;
  child.skReuseport = sk.skReuseport;
  child.skBoundDevIf = sk.skBoundDevIf;
  child.skRcvbuf = sk.skRcvbuf;
  child.skSndbuf = sk.skSndbuf;
  child.skFlags = sk.skFlags & ~((1 << SOCK_DEAD) | (1 << SOCK_DONE));
  child.skUserlocks = sk.skUserlocks & ~SOCK_BINDPORT_LOCK;
  child.skRcvlowat = sk.skRcvlowat;
  child.skRcvtimeo = sk.skRcvtimeo;
  child.skSndtimeo = sk.skSndtimeo;
  child.skLingertime = sk.skLingertime;
  child.skMark = sk.skMark;
  child.skPriority = sk.skPriority;
  child.skNoCheckTx = sk.skNoCheckTx;
  child.skPeekOff = sk.skPeekOff;
  child.skGsoMaxSize = sk.skGsoMaxSize;
  child.skGsoMaxSegs = sk.skGsoMaxSegs;
  child.skPacingRate = sk.skPacingRate;
  child.skMaxPacingRate = sk.skMaxPacingRate;
  child.skPacingStatus = sk.skPacingStatus;
  child.skPacingShift = sk.skPacingShift;
  child.skTsflags = sk.skTsflags;
  child.skTstampOps = sk.skTstampOps;
  child.skUserData = null;
  child.skStateChange = sk.skStateChange;
  child.skDataReady = sk.skDataReady;
  child.skWriteSpace = sk.skWriteSpace;
  child.skErrorReport = sk.skErrorReport;
  child.skBacklogRcv = sk.skBacklogRcv;
  child.skDestruct = sk.skDestruct;
  return child;
}

/** The user and the sock let go of each other: no more wake-ups. */
export function sockOrphan(sk: Sock): void {
  sockSetFlag(sk, SOCK_DEAD);
  sk.skSocket = null;
  sk.skWq = null;
}

/** Ties a sock that arrived (accept) to a Socket. */
export function sockGraft(sk: Sock, parent: Socket): void {
  sk.skWq = parent.wq;
  sk.skSocket = parent;
  parent.sk = sk;
}

export function sockHold(sk: Sock): void {
  sk.skRefcnt++;
}

/** Drops one reference; the last one frees the sock. */
export function sockPut(sk: Sock): void {
  if (--sk.skRefcnt === 0) skFree0(sk);
}

/** The sock's own hold on skWmemAlloc goes; packets still below it free it later (sockWfree). */
function skFree0(sk: Sock): void {
  if (--sk.skWmemAlloc === 0) skFree(sk);
}

/** Destroys a sock that nothing refers to any more. */
export function skFree(sk: Sock): void {
  if (sk.skRefcnt > 0) throw new Error(`sk_free: ${sk.skProt.name} sock with ${sk.skRefcnt} references`);
  if (sk.skDestruct !== null) sk.skDestruct(sk);
  skbQueuePurge(sk.skReceiveQueue);
  skbQueuePurge(sk.skWriteQueue);
  skbQueuePurge(sk.skBacklog);
  if (sk.skErrorQueue !== null) skbQueuePurge(sk.skErrorQueue);
  skDstReset(sk);
  if (sk.skRxDst !== null) {
    dstRelease(sk.skRxDst);
    sk.skRxDst = null;
  }
  sockListDel(sk);
}

/** Forgets the cached route. */
export function skDstReset(sk: Sock): void {
  if (sk.skDstCache !== null) {
    const dst = sk.skDstCache;
    sk.skDstCache = null;
    dstRelease(dst);
  }
}


/**
 * The close of protocols without connections (UDP, raw): out of the tables at once, then the reference of the creator
 * goes. Packets under way keep the memory until they are gone.
 */
export function skCommonRelease(sk: Sock): void {
  if (sk.skProt.destroy !== null) sk.skProt.destroy(sk);
  if (sk.skProt.unhash !== null) sk.skProt.unhash(sk);
  sockOrphan(sk);
  sockPut(sk);
}
