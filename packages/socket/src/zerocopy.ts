/*
 * MSG_ZEROCOPY (net/core/skbuff.c, msg_zerocopy_*; Documentation/networking/msg_zerocopy.rst): every call that sends with it has
 * a number, counted by the sock, and when the last sk_buff that shares the call's memory has gone, the number is put on the
 * error queue. Numbers that follow one another share one notification: [eeInfo, eeData].
 *
 * Order of calls: msgZerocopyRealloc (sendmsg) → skbZcopySet for each sk_buff → msgZerocopyEnd; later, by the last kfreeSkb,
 * msgZerocopyUbufOps.complete.
 *
 * Deviation: the user's memory is copied in the call all the same, and SO_EE_CODE_ZEROCOPY_COPIED says so: the slabs that
 * fragments lie in are the stack's own. Linux says the same of packets to itself and through tun.
 */
import { EAGAIN } from '@stack/kernel';
import { SkBuffHead, UbufInfo, __skbQueueTail, allocSkb, consumeSkb } from '@stack/skbuff';
import type { SkBuff, UbufInfoOps } from '@stack/skbuff';
import { SO_EE_ORIGIN_ZEROCOPY, skbSetExterr } from './errqueue.ts';
import type { MsgHdr } from './msghdr.ts';
import { sockHold, sockPut } from './sock-alloc.ts';
import { sockFlag, SOCK_DEAD } from './sock-struct.ts';
import type { Sock } from './sock-struct.ts';
import { MSG_DONTWAIT } from './uapi-socket.ts';

/** eeCode of a notification: the memory was copied after all. */
export const SO_EE_CODE_ZEROCOPY_COPIED = 1;

/** Most calls, and bytes, that one notification gathers while their data is queued. */
const MSGZC_LEN_MAX = 0xfffe;
const MSGZC_BYTES_MAX = 1 << 19;

/** The notification of one call, or of several that follow one another (struct ubuf_info_msgzc). */
export class UbufInfoMsgzc extends UbufInfo {
  /** Number of the first call, and of how many. */
  id: number;
  len: number;
  bytelen: number;
  /** What goes on the error queue: made at once, so that completing cannot fail. */
  skb: SkBuff;
  sk: Sock;

  constructor(ops: UbufInfoOps, sk: Sock, skb: SkBuff, id: number, bytelen: number) {
    super(ops, null);
    this.id = id;
    this.len = 1;
    this.bytelen = bytelen;
    this.skb = skb;
    this.sk = sk;
  }
}

/** sk_buff destructor of what sockOmalloc made. */
function sockOfree(skb: SkBuff): void {
  const sk = skb.sk as Sock;
  skb.sk = null;
  sk.skOmemAlloc -= skb.truesize;
}

/** An sk_buff on the sock's account of options and notifications (net.core.optmem_max); null when that is full. */
function sockOmalloc(sk: Sock, size: number): SkBuff | null {
  const skb = allocSkb(sk.skNet, size);
  if (skb === null) return null;
  if (sk.skOmemAlloc + skb.truesize > sk.skNet.socket.sysctlOptmemMax) {
    consumeSkb(skb);
    return null;
  }
  sk.skOmemAlloc += skb.truesize;
  skb.sk = sk;
  skb.destructor = sockOfree;
  return skb;
}

/** Can `uarg` of the last queued sk_buff take the sock's next number too? */
function canExtend(sk: Sock, uarg: UbufInfoMsgzc, size: number): boolean {
  return uarg.len < MSGZC_LEN_MAX && uarg.bytelen + size <= MSGZC_BYTES_MAX && ((uarg.id + uarg.len) | 0) === sk.skZckey;
}

/**
 * The notification for a call that sends `size` bytes; `uarg`: that of the last sk_buff queued, which is used again where
 * possible. One reference is the caller's, until msgZerocopyEnd. Null without room for it (-ENOBUFS).
 */
export function msgZerocopyRealloc(sk: Sock, size: number, uarg: UbufInfo | null): UbufInfo | null {
  if (uarg instanceof UbufInfoMsgzc && canExtend(sk, uarg, size)) {
    sk.skZckey = (sk.skZckey + 1) | 0;
    uarg.len++;
    uarg.bytelen += size;
    uarg.refcnt++;
    return uarg;
  }
  const skb = sockOmalloc(sk, 0);
  if (skb === null) return null;
  const id = sk.skZckey;
  sk.skZckey = (id + 1) | 0;
  sockHold(sk);
  return new UbufInfoMsgzc(msgZerocopyUbufOps, sk, skb, id, size);
}

/** skb shares the memory of the call. */
export function skbZcopySet(skb: SkBuff, uarg: UbufInfo): void {
  if (skb.shinfo.uarg !== null) return;
  uarg.refcnt++;
  skb.shinfo.uarg = uarg;
}

/** Drops one reference; the last one completes. */
function netZcopyPut(uarg: UbufInfo): void {
  if (--uarg.refcnt === 0) uarg.ops.complete(uarg, true);
}

/**
 * A call with msg.msgUbuf is over with `ret`: bytes or -errno. One that has sent nothing gives its number back. While it only
 * sleeps (-EAGAIN of a blocking call) nothing happens.
 */
export function msgZerocopyEnd(msg: MsgHdr, ret: number): void {
  if (ret === -EAGAIN && (msg.msgFlags & MSG_DONTWAIT) === 0) return;
  msgZerocopyRelease(msg);
}

/** The same for a call that will not go on. */
export function msgZerocopyRelease(msg: MsgHdr): void {
  const uarg = msg.msgUbuf;
  if (uarg === null) return;
  msg.msgUbuf = null;
  if (msg.msgCopied === 0 && uarg instanceof UbufInfoMsgzc) {
    uarg.sk.skZckey = (uarg.sk.skZckey - 1) | 0;
    uarg.len--;
  }
  netZcopyPut(uarg);
}

/** Does the newest notification on the queue end right before number `lo`? Then it says `len` numbers more. */
function notifyExtend(tail: SkBuff | null, lo: number, len: number): boolean {
  if (tail === null || tail.cb1 !== (SO_EE_ORIGIN_ZEROCOPY | (SO_EE_CODE_ZEROCOPY_COPIED << 16))) return false;
  if (((tail.cb3 + 1) | 0) !== lo) return false;
  tail.cb3 = (tail.cb3 + len) | 0;
  return true;
}

function msgZerocopyComplete(uarg: UbufInfo, _success: boolean): void {
  if (!(uarg instanceof UbufInfoMsgzc)) return;
  const { sk, skb, id, len } = uarg;
  if (len === 0 || sockFlag(sk, SOCK_DEAD)) {
    consumeSkb(skb);
    sockPut(sk);
    return;
  }
  if (sk.skErrorQueue === null) sk.skErrorQueue = new SkBuffHead();
  if (notifyExtend(sk.skErrorQueue.prev, id, len)) {
    consumeSkb(skb);
  } else {
    skbSetExterr(skb, 0, SO_EE_ORIGIN_ZEROCOPY, 0, SO_EE_CODE_ZEROCOPY_COPIED, id, 0, 0);
    skb.cb3 = (id + len - 1) | 0;
    __skbQueueTail(sk.skErrorQueue, skb);
  }
  sk.skErrorReport(sk);
  sockPut(sk);
}

/** msg_zerocopy_ubuf_ops. */
export const msgZerocopyUbufOps: UbufInfoOps = { complete: msgZerocopyComplete };
