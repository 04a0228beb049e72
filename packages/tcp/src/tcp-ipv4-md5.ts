/*
 * RFC 2385 over IPv4: whose key it is, what is signed, and TCP_MD5SIG, TCP_MD5SIG_EXT.
 *
 * Order of calls: setsockopt → tcpV4ParseMd5Keys; a reset or an ACK of no sock (tcp-ipv4-reply.ts) → tcpV4Md5HashHdr.
 * Read first: RFC 2385 §2.0 (what is digested, in which order); tcp(7).
 */
import { SockAddrIn } from '@stack/inet-sock';
import type { SockCommon } from '@stack/inet-sock';
import { ipHdrDaddr, ipHdrSaddr } from '@stack/ip';
import { EINVAL } from '@stack/kernel';
import { skbCopyBits } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { AF_INET, IPPROTO_TCP, lockSock, releaseSock } from '@stack/socket';
import type { SockOptValue } from '@stack/socket';
import { md5Final, md5Init, md5Update } from './md5.ts';
import type { Md5Ctx } from './md5.ts';
import { TCP_HDR_LEN, TH_CHECK, thHdrLen } from './tcp-hdr.ts';
import { tcpMd5DoAdd, tcpMd5DoDel } from './tcp-md5.ts';
import type { TcpMd5sigKey, TcpSockMd5Ops } from './tcp-md5.ts';
import type { TcpSock } from './tcp-sock.ts';
import { TCP_MD5SIG_EXT, TCP_MD5SIG_FLAG_IFINDEX, TCP_MD5SIG_FLAG_PREFIX, TCP_MD5SIG_MAXKEYLEN, TcpMd5sig } from './tcp-uapi.ts';

/** Bytes of data that are copied at a time. */
const CHUNK = 1024;

function tcpV4Md5Match(key: TcpMd5sigKey, sk: SockCommon | null, skb: SkBuff | null): boolean {
  const addr = sk !== null ? sk.inetDaddr : ipHdrSaddr(skb!);
  return key.prefixlen === 0 || ((key.addr ^ addr) >>> (32 - key.prefixlen)) === 0;
}

/** The pseudo header and the header at `at` of buf, without options and checksum, of a segment of `len` bytes. */
function tcpV4Md5HashHeaders(ctx: Md5Ctx, saddr: number, daddr: number, buf: Uint8Array, at: number, len: number): void {
  const bytes = new Uint8Array(12 + TCP_HDR_LEN);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, saddr);
  view.setInt32(4, daddr);
  view.setUint16(8, IPPROTO_TCP);
  view.setUint16(10, len);
  bytes.set(buf.subarray(at, at + TCP_HDR_LEN), 12);
  view.setUint16(12 + TH_CHECK, 0);
  md5Init(ctx);
  md5Update(ctx, bytes, 0, bytes.length);
}

/** TcpSockMd5Ops.calcMd5Hash (tcp_v4_md5_hash_skb). */
function tcpV4Md5HashSkb(ctx: Md5Ctx, key: TcpMd5sigKey, sk: SockCommon | null, skb: SkBuff, out: Uint8Array, at: number): void {
  const saddr = sk !== null ? sk.inetRcvSaddr : ipHdrSaddr(skb);
  const daddr = sk !== null ? sk.inetDaddr : ipHdrDaddr(skb);
  const start = skb.transportHeader - skb.data;
  const len = skb.len - start;
  tcpV4Md5HashHeaders(ctx, saddr, daddr, skb.buf, skb.transportHeader, len);
  const chunk = new Uint8Array(CHUNK);
  for (let pos = start + thHdrLen(skb); pos < skb.len; pos += CHUNK) {
    const n = Math.min(CHUNK, skb.len - pos);
    skbCopyBits(skb, pos, chunk, 0, n);
    md5Update(ctx, chunk, 0, n);
  }
  md5Update(ctx, key.key, 0, key.key.length);
  md5Final(ctx, out, at);
}

/** Signs a segment that is all header, from saddr to daddr, at `at` of its buffer (tcp_v4_md5_hash_hdr). */
export function tcpV4Md5HashHdr(ctx: Md5Ctx, key: TcpMd5sigKey, saddr: number, daddr: number, skb: SkBuff, at: number): void {
  tcpV4Md5HashHeaders(ctx, saddr, daddr, skb.buf, skb.transportHeader, thHdrLen(skb));
  md5Update(ctx, key.key, 0, key.key.length);
  md5Final(ctx, skb.buf, at);
}

/** What IPv4 does for signatures. */
const tcpSockIpv4Md5Ops: TcpSockMd5Ops = {
  match: tcpV4Md5Match,
  calcMd5Hash: tcpV4Md5HashSkb,
};

/** TCP_MD5SIG, TCP_MD5SIG_EXT (tcp_v4_parse_md5_keys): a key, or none (no bytes: the one for this address goes). 0 or -errno. */
export function tcpV4ParseMd5Keys(sk: TcpSock, name: number, value: SockOptValue): number {
  if (!(value instanceof TcpMd5sig) || !(value.tcpmAddr instanceof SockAddrIn) || value.tcpmAddr.saFamily !== AF_INET) return -EINVAL;
  const ext = name === TCP_MD5SIG_EXT;
  let prefixlen = 32;
  if (ext && (value.tcpmFlags & TCP_MD5SIG_FLAG_PREFIX) !== 0) {
    prefixlen = value.tcpmPrefixlen;
    if (prefixlen > 32) return -EINVAL;
  }
  // There are no L3 master devices.
  if (ext && (value.tcpmFlags & TCP_MD5SIG_FLAG_IFINDEX) !== 0 && value.tcpmIfindex !== 0) return -EINVAL;
  const addr = value.tcpmAddr.sinAddr;
  const key = value.tcpmKey;
  if (key.length > TCP_MD5SIG_MAXKEYLEN) return -EINVAL;
  lockSock(sk);
  const err = key.length === 0 ? tcpMd5DoDel(sk, addr, prefixlen) : tcpMd5DoAdd(sk, tcpSockIpv4Md5Ops, addr, prefixlen, key.slice());
  releaseSock(sk);
  return err;
}
