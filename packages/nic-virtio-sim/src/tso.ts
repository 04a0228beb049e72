// What a card does with a frame that is not finished: completing its checksum, cutting TCP into segments.
//
// The hardware's counterpart of skb_segment: it knows bytes only, and works from the pieces of a Frame into pages.
// Read first: VIRTIO 1.2 §5.1.6.2, RFC 9293 §3.1, RFC 6864 (IP ids), RFC 3168 §6.1.2 (CWR goes with the first segment only).

import { csumFold, csumMangle0, csumPartial, csumTcpudpMagic, ipFastCsum } from '@stack/skbuff';
import { frameByte, frameCopy, frameUint16, type Frame } from './frame.ts';
import { heldAlloc, heldCopy, heldRelease, type HeldFrame } from './held-frame.ts';
import type { Channel } from './port.ts';

const ETH_HLEN = 14;
const VLAN_HLEN = 4;
const ETH_P_IP = 0x0800;
const ETH_P_8021Q = 0x8100;
const IPPROTO_TCP = 6;
const IP_TOT_LEN = 2;
const IP_ID = 4;
const IP_CHECK = 10;
const IP_SADDR = 12;
const IP_DADDR = 16;
const TCP_SEQ = 4;
const TCP_DOFF = 12;
const TCP_FLAGS = 13;
const TCP_CHECK = 16;
const TCPHDR_FIN_PSH = 0x09;
const TCPHDR_CWR = 0x80;

/** Completes the checksum of `len` octets at `off`, as the offload header asked. False if that does not fit the frame. */
export function completeCsum(buf: Uint8Array, view: DataView, off: number, len: number, start: number, offset: number): boolean {
  if (start + offset + 2 > len) return false;
  const sum = csumFold(csumPartial(buf, view, off + start, len - start, 0));
  view.setUint16(off + start + offset, csumMangle0(sum, offset));
  return true;
}

/** A copy of `frame` with its checksum completed. Null if there is no memory, or the header does not fit (counted). */
export function heldComplete(channel: Channel, frame: Frame): HeldFrame | null {
  const held = heldCopy(channel, frame);
  if (held === null || !held.needsCsum) return held;
  const page = held.page!;
  if (!completeCsum(page.buf, page.view, page.base, held.len, held.csumStart, held.csumOffset)) {
    heldRelease(channel, held);
    channel.malformed++;
    return null;
  }
  held.needsCsum = false;
  return held;
}

/** Where the IPv4 header of a frame begins, behind one VLAN tag or none. */
function tsoIp(frame: Frame): number {
  return frameUint16(frame, ETH_HLEN - 2) === ETH_P_8021Q ? ETH_HLEN + VLAN_HLEN : ETH_HLEN;
}

/** Where the IPv4 header of a TCP frame to be cut begins; -1 if it is no such frame. */
function tsoIpOffset(frame: Frame): number {
  if (frame.len < ETH_HLEN + 40) return -1;
  const at = tsoIp(frame);
  const type = frameUint16(frame, at - 2);
  const ihl = (frameByte(frame, at) & 0x0f) * 4;
  if (type !== ETH_P_IP || frameByte(frame, at) >> 4 !== 4 || frameByte(frame, at + 9) !== IPPROTO_TCP) return -1;
  return frame.csumStart === at + ihl && frame.len >= frame.csumStart + 20 ? at : -1;
}

/** Octets of the headers of a TCP frame to be cut; 0 if it is no such frame (counted). */
export function tsoHeaders(channel: Channel, frame: Frame): number {
  const tcp = frame.csumStart;
  const headers = tsoIpOffset(frame) < 0 ? 0 : tcp + (frameByte(frame, tcp + TCP_DOFF) >> 4) * 4;
  if (headers >= tcp + 20 && headers < frame.len) return headers;
  channel.malformed++;
  return 0;
}

/**
 * Cuts a TCP frame of many segments. Returns them complete, linked by `next`; null if it is not one, or there is no memory
 * for the first (counted; without memory for a later one, the rest is lost).
 */
export function tsoSegment(channel: Channel, frame: Frame): HeldFrame | null {
  const headers = tsoHeaders(channel, frame);
  if (headers === 0) return null;
  let first: HeldFrame | null = null;
  let last: HeldFrame | null = null;
  for (let at = headers; at < frame.len; at += frame.gsoSize) {
    const held = tsoCopy(channel, frame, headers, at, Math.min(frame.gsoSize, frame.len - at));
    if (held === null) return first;
    const { buf, view, base } = held.page!;
    completeCsum(buf, view, base, held.len, frame.csumStart, TCP_CHECK);
    if (last === null) first = held;
    else last.next = held;
    last = held;
  }
  return first;
}

/** A frame of `n` octets of the payload, from octet `at` of the frame on, with headers that say so; without a checksum. Null: no memory. */
function tsoCopy(channel: Channel, frame: Frame, headers: number, at: number, n: number): HeldFrame | null {
  const held = heldAlloc(channel, headers + n);
  if (held === null) return null;
  const page = held.page!;
  frameCopy(frame, 0, headers, page, page.base);
  frameCopy(frame, at, n, page, page.base + headers);
  tsoFixHeaders(held, tsoIp(frame), frame.csumStart, at - headers, frame.gsoSize, at + n === frame.len);
  return held;
}

/** As tsoCopy(), for segments that stay together: as a driver gives them to its card. */
export function tsoPart(channel: Channel, frame: Frame, headers: number, at: number, n: number): HeldFrame | null {
  const held = tsoCopy(channel, frame, headers, at, n);
  if (held === null) return null;
  held.needsCsum = true;
  held.csumStart = frame.csumStart;
  held.csumOffset = TCP_CHECK;
  if (n <= frame.gsoSize) return held;
  held.gsoSize = frame.gsoSize;
  held.gsoType = frame.gsoType;
  return held;
}

/** Makes the copied headers those of what begins `sent` octets into the payload; the checksum is that of the pseudo-header alone. */
function tsoFixHeaders(held: HeldFrame, ip: number, tcp: number, sent: number, mss: number, isLast: boolean): void {
  const { view, base } = held.page!;
  const iph = base + ip;
  const th = base + tcp;
  view.setUint16(iph + IP_TOT_LEN, held.len - ip);
  view.setUint16(iph + IP_ID, view.getUint16(iph + IP_ID) + sent / mss);
  view.setUint16(iph + IP_CHECK, 0);
  view.setUint16(iph + IP_CHECK, ipFastCsum(view, iph, (tcp - ip) >> 2));
  view.setInt32(th + TCP_SEQ, view.getInt32(th + TCP_SEQ) + sent);
  let flags = view.getUint8(th + TCP_FLAGS);
  if (!isLast) flags &= ~TCPHDR_FIN_PSH;
  if (sent > 0) flags &= ~TCPHDR_CWR;
  view.setUint8(th + TCP_FLAGS, flags);
  const pseudo = csumTcpudpMagic(view.getInt32(iph + IP_SADDR), view.getInt32(iph + IP_DADDR), held.len - tcp, IPPROTO_TCP, 0);
  view.setUint16(th + TCP_CHECK, ~pseudo & 0xffff);
}
