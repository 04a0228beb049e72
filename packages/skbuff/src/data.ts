// The data area's pointers: reserve, push, pull, put, trim, and the header offsets (include/linux/skbuff.h).
//
//   skbReserve: data and tail down, while empty     skbPush: data up       skbPull: data down
//   skbPut: tail down                               skbTrim: tail to len
//
// Each has two forms: the checked one panics (throws) as skb_over_panic and skb_under_panic do, or returns -1 where the
// kernel returns NULL; the __ form does only the work. Lengths are bytes, results are offsets into skb.buf.

import { callerName } from './debug.ts';
import type { SkBuff } from './sk-buff.ts';

/** The packet is not in the linear area alone. */
export function skbIsNonlinear(skb: SkBuff): boolean {
  return skb.dataLen !== 0;
}

/** Bytes of the packet in the linear area. */
export function skbHeadlen(skb: SkBuff): number {
  return skb.len - skb.dataLen;
}

/** Bytes in front of data. */
export function skbHeadroom(skb: SkBuff): number {
  return skb.data - skb.head;
}

/** Bytes behind tail that skbPut may take; none in a nonlinear packet. */
export function skbTailroom(skb: SkBuff): number {
  return skb.dataLen !== 0 ? 0 : skb.end - skb.tail;
}

/** Moves data and tail down by len: makes headroom in an empty sk_buff. Throws when it is not empty or too small. */
export function skbReserve(skb: SkBuff, len: number): void {
  if (skb.len !== 0 || skb.tail !== skb.data) skbPanic(skb, 'skb_reserve', len, 'skbReserve');
  if (skb.tail + len > skb.end || skb.data + len < skb.head) skbPanic(skb, 'skb_reserve', len, 'skbReserve');
  __skbReserve(skb, len);
}

/** skbReserve of a caller who knows that it fits. */
export function __skbReserve(skb: SkBuff, len: number): void {
  skb.data += len;
  skb.tail += len;
}

/** Makes room for len bytes behind the data; returns where they begin. Throws (skb_over_panic) when there is no tailroom. */
export function skbPut(skb: SkBuff, len: number): number {
  const at = skb.tail;
  if (skb.dataLen !== 0) skbPanic(skb, 'skb_put: nonlinear', len, 'skbPut');
  if (at + len > skb.end) skbOverPanic(skb, len, 'skbPut');
  skb.tail = at + len;
  skb.len += len;
  return at;
}

/** skbPut of a caller who knows that it fits. */
export function __skbPut(skb: SkBuff, len: number): number {
  const at = skb.tail;
  skb.tail = at + len;
  skb.len += len;
  return at;
}

/** Makes room for a header of len bytes in front; returns the new data. Throws (skb_under_panic) when there is no headroom. */
export function skbPush(skb: SkBuff, len: number): number {
  const data = skb.data - len;
  if (data < skb.head) skbUnderPanic(skb, len, 'skbPush');
  skb.data = data;
  skb.len += len;
  return data;
}

/** skbPush of a caller who knows that it fits. */
export function __skbPush(skb: SkBuff, len: number): number {
  const data = skb.data - len;
  skb.data = data;
  skb.len += len;
  return data;
}

/** Strips len bytes in front; returns the new data, or -1 and no change when the packet is shorter. Throws when they are not in the linear area. */
export function skbPull(skb: SkBuff, len: number): number {
  if (len > skb.len) return -1;
  if (len > skb.len - skb.dataLen) skbPanic(skb, 'skb_pull: not linear', len, 'skbPull');
  return __skbPull(skb, len);
}

/** skbPull of a caller who knows that the bytes are there (pskbMayPull). */
export function __skbPull(skb: SkBuff, len: number): number {
  skb.len -= len;
  skb.data += len;
  return skb.data;
}

/** Cuts a linear packet to len bytes if it is longer. Throws when it is not linear (use pskbTrim). */
export function skbTrim(skb: SkBuff, len: number): void {
  if (len >= skb.len) return;
  if (skb.dataLen !== 0) skbPanic(skb, 'skb_trim: not linear', len, 'skbTrim');
  __skbTrim(skb, len);
}

/** Sets the length of a linear packet, down or up, without a check. */
export function __skbTrim(skb: SkBuff, len: number): void {
  skb.len = len;
  skb.tail = skb.data + len;
}

/** Sets tail from data (as after skb.data was set by hand). */
export function skbResetTailPointer(skb: SkBuff): void {
  skb.tail = skb.data;
}

/** The link header begins at data. */
export function skbResetMacHeader(skb: SkBuff): void {
  skb.macHeader = skb.data;
}

/** The link header begins `offset` bytes after data. */
export function skbSetMacHeader(skb: SkBuff, offset: number): void {
  skb.macHeader = skb.data + offset;
}

export function skbMacHeaderWasSet(skb: SkBuff): boolean {
  return skb.macHeader >= 0;
}

/** Notes how long the link header is: from macHeader to networkHeader. */
export function skbResetMacLen(skb: SkBuff): void {
  skb.macLen = skb.networkHeader - skb.macHeader;
}

/** The network header begins at data. */
export function skbResetNetworkHeader(skb: SkBuff): void {
  skb.networkHeader = skb.data;
}

/** The network header begins `offset` bytes after data. */
export function skbSetNetworkHeader(skb: SkBuff, offset: number): void {
  skb.networkHeader = skb.data + offset;
}

/** The transport header begins at data. */
export function skbResetTransportHeader(skb: SkBuff): void {
  skb.transportHeader = skb.data;
}

/** The transport header begins `offset` bytes after data. */
export function skbSetTransportHeader(skb: SkBuff, offset: number): void {
  skb.transportHeader = skb.data + offset;
}

export function skbTransportHeaderWasSet(skb: SkBuff): boolean {
  return skb.transportHeader >= 0;
}

/** Where the link header is, seen from data. */
export function skbMacOffset(skb: SkBuff): number {
  return skb.macHeader - skb.data;
}

/** Where the network header is, seen from data. */
export function skbNetworkOffset(skb: SkBuff): number {
  return skb.networkHeader - skb.data;
}

/** Where the transport header is, seen from data. */
export function skbTransportOffset(skb: SkBuff): number {
  return skb.transportHeader - skb.data;
}

/** Length of the network header, options included. */
export function skbNetworkHeaderLen(skb: SkBuff): number {
  return skb.transportHeader - skb.networkHeader;
}

/** CHECKSUM_PARTIAL: where summing begins, seen from data. */
export function skbChecksumStartOffset(skb: SkBuff): number {
  return skb.head + skb.csumStart - skb.data;
}

/** Throws what skb_over_panic says: skb_put ran over the end. `at`: name of the function that found it. */
export function skbOverPanic(skb: SkBuff, len: number, at: string = 'skbPut'): never {
  return skbPanicWith(skb, 'skb_over_panic', len, skb.data, skb.tail + len, skb.len + len, at);
}

/** Throws what skb_under_panic says: skb_push ran over the head. */
export function skbUnderPanic(skb: SkBuff, len: number, at: string = 'skbPush'): never {
  return skbPanicWith(skb, 'skb_under_panic', len, skb.data - len, skb.tail, skb.len + len, at);
}

function skbPanic(skb: SkBuff, what: string, len: number, at: string): never {
  return skbPanicWith(skb, what, len, skb.data, skb.tail, skb.len, at);
}

/** The panic's text; data, tail and len are those that the operation would have left. */
function skbPanicWith(skb: SkBuff, what: string, put: number, data: number, tail: number, len: number, at: string): never {
  const offset = (value: number): string => `0x${(value - skb.head).toString(16)}`;
  throw new Error(
    `skbuff: ${what}: text:${callerName(at)} len:${len} put:${put} head:${skb.head} data:${data} ` +
      `tail:${offset(tail)} end:${offset(skb.end)} dev:${deviceName(skb.dev)}`,
  );
}

function deviceName(dev: unknown): string {
  if (typeof dev !== 'object' || dev === null || !('name' in dev)) return '<NULL>';
  return String(dev.name);
}
