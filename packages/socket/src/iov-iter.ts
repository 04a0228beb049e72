/*
 * Copies between user buffers and packets (lib/iov_iter.c, skb_copy_datagram_msg of net/core/datagram.c). The iterator
 * of the MsgHdr moves on by what was copied; iovIterRevert takes it back. Offsets are indexes into the given array,
 * lengths are bytes. A length beyond what the message has left is cut: the functions return what they moved.
 */
import { EFAULT } from '@stack/kernel';
import { csumBlockAdd, csumPartial, memcpy } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import type { Iovec, MsgHdr } from './msghdr.ts';

/** Copies `len` bytes of the message to buf[off]. */
export function copyFromIter(buf: Uint8Array, off: number, len: number, msg: MsgHdr): number {
  const total = len > msg.msgIterCount ? msg.msgIterCount : len;
  let left = total;
  while (left > 0) {
    const iov = msg.msgIov[msg.msgIterSeg] as Iovec;
    const room = iov.iovLen - msg.msgIterOffset;
    const n = left < room ? left : room;
    if (n > 0) memcpy(buf, off, iov.iovBase, msg.msgIterOffset, n);
    off += n;
    left -= n;
    iterStep(msg, n, room);
  }
  return total;
}

/** Copies `len` bytes at buf[off] to the message. */
export function copyToIter(buf: Uint8Array, off: number, len: number, msg: MsgHdr): number {
  const total = len > msg.msgIterCount ? msg.msgIterCount : len;
  let left = total;
  while (left > 0) {
    const iov = msg.msgIov[msg.msgIterSeg] as Iovec;
    const room = iov.iovLen - msg.msgIterOffset;
    const n = left < room ? left : room;
    if (n > 0) memcpy(iov.iovBase, msg.msgIterOffset, buf, off, n);
    off += n;
    left -= n;
    iterStep(msg, n, room);
  }
  return total;
}

/** The iterator moves `n` bytes inside an iovec that had `room` left. */
function iterStep(msg: MsgHdr, n: number, room: number): void {
  msg.msgIterCount -= n;
  if (n === room) {
    msg.msgIterSeg++;
    msg.msgIterOffset = 0;
  } else {
    msg.msgIterOffset += n;
  }
}

/** copyFromIter that also sums what it copies: returns `sum` with the bytes added (they start at an even offset of the sum). */
export function csumAndCopyFromIter(buf: Uint8Array, view: DataView, off: number, len: number, msg: MsgHdr, sum: number): number {
  const n = copyFromIter(buf, off, len, msg);
  return csumPartial(buf, view, off, n, sum);
}

/** Skips `len` bytes of the message, at most what is left. */
export function iovIterAdvance(msg: MsgHdr, len: number): void {
  let left = len > msg.msgIterCount ? msg.msgIterCount : len;
  while (left > 0) {
    const room = (msg.msgIov[msg.msgIterSeg] as Iovec).iovLen - msg.msgIterOffset;
    const n = left < room ? left : room;
    left -= n;
    iterStep(msg, n, room);
  }
}

/** Takes back the last `len` bytes that the iterator moved. */
export function iovIterRevert(msg: MsgHdr, len: number): void {
  let left = len;
  msg.msgIterCount += len;
  while (left > 0) {
    if (msg.msgIterOffset === 0) {
      msg.msgIterSeg--;
      msg.msgIterOffset = (msg.msgIov[msg.msgIterSeg] as Iovec).iovLen;
    }
    const n = left < msg.msgIterOffset ? left : msg.msgIterOffset;
    msg.msgIterOffset -= n;
    left -= n;
  }
}

/**
 * Copies `len` bytes of the packet, from `offset` (counted from skb.data) on, to the message: linear part, fragments,
 * fragment list. 0, or -EFAULT if the packet or the message is shorter; the sk_buff stays the caller's.
 */
export function skbCopyDatagramMsg(skb: SkBuff, offset: number, msg: MsgHdr, len: number): number {
  if (len > msg.msgIterCount || offset < 0) return -EFAULT;
  const linear = skb.len - skb.dataLen;
  if (offset + len <= linear) {
    copyToIter(skb.buf, skb.data + offset, len, msg);
    return 0;
  }
  return copyNonlinear(skb, offset, msg, len, linear);
}

function copyNonlinear(skb: SkBuff, offset: number, msg: MsgHdr, len: number, linear: number): number {
  let start = linear;
  if (offset < linear) {
    const n = linear - offset;
    copyToIter(skb.buf, skb.data + offset, n, msg);
    offset += n;
    len -= n;
  }
  const shinfo = skb.shinfo;
  for (let i = 0; i < shinfo.nrFrags && len > 0; i++) {
    const frag = shinfo.frags[i]!;
    const into = offset - start;
    start += frag.size;
    if (into >= frag.size) continue;
    const n = Math.min(frag.size - into, len);
    copyToIter(frag.page!.buf, frag.offset + into, n, msg);
    offset += n;
    len -= n;
  }
  for (let list = shinfo.fragList; list !== null && len > 0; list = list.next) {
    const into = offset - start;
    start += list.len;
    if (into >= list.len) continue;
    const n = Math.min(list.len - into, len);
    if (skbCopyDatagramMsg(list, into, msg, n) !== 0) return -EFAULT;
    offset += n;
    len -= n;
  }
  return len === 0 ? 0 : -EFAULT;
}

/**
 * Copies `copy` bytes of the message into the linear area at `off` (made by skbPut); with `sumIt` adds them to skb.csum,
 * `offset` bytes after the start of what it sums. (skb_do_copy_data_nocache.) 0 or -EFAULT.
 */
export function skbDoCopyDataNocache(skb: SkBuff, msg: MsgHdr, off: number, copy: number, offset: number, sumIt: boolean): number {
  if (copy > msg.msgIterCount) return -EFAULT;
  copyFromIter(skb.buf, off, copy, msg);
  if (sumIt) skb.csum = csumBlockAdd(skb.csum, csumPartial(skb.buf, skb.view, off, copy, 0), offset);
  return 0;
}

/** Bytes from the iterator to the end of its buffer; buffers that are empty, or done with, are passed over. */
export function iovIterSegLeft(msg: MsgHdr): number {
  while (msg.msgIterCount > 0) {
    const left = (msg.msgIov[msg.msgIterSeg] as Iovec).iovLen - msg.msgIterOffset;
    if (left > 0) return left;
    msg.msgIterSeg++;
    msg.msgIterOffset = 0;
  }
  return 0;
}
