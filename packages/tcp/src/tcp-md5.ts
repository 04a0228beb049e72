/*
 * RFC 2385: segments that carry a signature of their own, made with a key that both ends know. The engine's half: whose
 * key, what an arriving segment must show, where the signature goes. The addresses in it are the carrier's (TcpSockMd5Ops).
 *
 * Order of calls: TCP_MD5SIG → tcpMd5DoAdd; up: tcpRcvSock, tcpRcvRequest → tcpInboundHash; down: tcpTransmitSkb → tcpMd5SignSkb.
 */
import type { SockCommon } from '@stack/inet-sock';
import {
  ENOENT, SKB_DROP_REASON_TCP_AUTH_HDR, SKB_DROP_REASON_TCP_MD5FAILURE, SKB_DROP_REASON_TCP_MD5NOTFOUND, SKB_DROP_REASON_TCP_MD5UNEXPECTED,
} from '@stack/kernel';
import type { SkBuff } from '@stack/skbuff';
import { MD5_DIGEST_SIZE, Md5Ctx } from './md5.ts';
import {
  TCPOLEN_MD5SIG, TCPOLEN_TIMESTAMP, TCPOLEN_TSTAMP_ALIGNED, TCPOPT_EOL, TCPOPT_MD5SIG, TCPOPT_NOP, TCPOPT_TIMESTAMP, TCP_HDR_LEN, thHdrLen,
} from './tcp-hdr.ts';
import { LINUX_MIB_TCPMD5FAILURE, LINUX_MIB_TCPMD5NOTFOUND, LINUX_MIB_TCPMD5UNEXPECTED } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpRare } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

const TSTAMP_WORD = (TCPOPT_NOP << 24) | (TCPOPT_NOP << 16) | (TCPOPT_TIMESTAMP << 8) | TCPOLEN_TIMESTAMP;
/** tcpParseAuthOptions: no signature; or two. */
const NO_SIGNATURE = 0;
const BAD_OPTIONS = -1;

/** What a carrier does for signatures (part of the kernel's tcp_sock_af_ops). */
export interface TcpSockMd5Ops {
  /** Does the peer of sk, or without sk the sender of skb, belong to the key? */
  readonly match: (key: TcpMd5sigKey, sk: SockCommon | null, skb: SkBuff | null) => boolean;
  /** Writes the signature of skb (transportHeader set, data there) at `at` of `out`; addresses from sk, or without it from skb. */
  readonly calcMd5Hash: (ctx: Md5Ctx, key: TcpMd5sigKey, sk: SockCommon | null, skb: SkBuff, out: Uint8Array, at: number) => void;
}

/** A key, and for whom. */
export class TcpMd5sigKey {
  /** The peer's address as an integer, of which the first prefixlen bits count. */
  addr: number;
  prefixlen: number;
  key: Uint8Array;

  constructor(addr: number, prefixlen: number, key: Uint8Array) {
    this.addr = addr;
    this.prefixlen = prefixlen;
    this.key = key;
  }
}

/** The keys of a sock. */
export class TcpMd5sigInfo {
  ops: TcpSockMd5Ops;
  keys: TcpMd5sigKey[];
  ctx: Md5Ctx;
  digest: Uint8Array;

  constructor(ops: TcpSockMd5Ops) {
    this.ops = ops;
    this.keys = [];
    this.ctx = new Md5Ctx();
    this.digest = new Uint8Array(MD5_DIGEST_SIZE);
  }
}

// --- Keys -----------------------------------------------------------------------------------------------------

/** Gives sk a key for these addresses, or another one. Always 0. */
export function tcpMd5DoAdd(sk: TcpSock, ops: TcpSockMd5Ops, addr: number, prefixlen: number, key: Uint8Array): number {
  const rare = tcpRare(sk);
  const info = (rare.md5sigInfo ??= new TcpMd5sigInfo(ops));
  const known = info.keys.find((one) => one.addr === addr && one.prefixlen === prefixlen);
  if (known !== undefined) known.key = key;
  else info.keys.push(new TcpMd5sigKey(addr, prefixlen, key));
  return 0;
}

/** Takes a key away: 0, or -ENOENT. */
export function tcpMd5DoDel(sk: TcpSock, addr: number, prefixlen: number): number {
  const info = sk.rare?.md5sigInfo ?? null;
  const at = info === null ? -1 : info.keys.findIndex((one) => one.addr === addr && one.prefixlen === prefixlen);
  if (info === null || at < 0) return -ENOENT;
  info.keys.splice(at, 1);
  return 0;
}

/** The key for sk's peer (of a sock that is not in the tables: the sender of skb); the one with the longest prefix; or null. */
function tcpMd5DoLookup(info: TcpMd5sigInfo, sk: SockCommon | null, skb: SkBuff | null): TcpMd5sigKey | null {
  let best: TcpMd5sigKey | null = null;
  for (const key of info.keys) {
    if ((best === null || key.prefixlen > best.prefixlen) && info.ops.match(key, sk, skb)) best = key;
  }
  return best;
}

/** sk's key for the peer of `other`: itself, or a request of its own. */
export function tcpMd5Lookup(sk: TcpSock, other: SockCommon): TcpMd5sigKey | null {
  const info = sk.rare?.md5sigInfo ?? null;
  return info === null ? null : tcpMd5DoLookup(info, other, null);
}

/** Whether sk signs what it sends. */
export function tcpIsMd5(sk: TcpSock): boolean {
  return sk.rare !== null && sk.rare.md5sigInfo !== null && tcpMd5DoLookup(sk.rare.md5sigInfo, sk, null) !== null;
}

/** sk's key for the peer of `other`, or without it for the sender of skb, as one for `addr` alone: for a child, a time-wait sock, an answer. Null: none. */
export function tcpMd5KeyCopy(sk: TcpSock, other: SockCommon | null, skb: SkBuff | null, addr: number): TcpMd5sigInfo | null {
  const info = sk.rare?.md5sigInfo ?? null;
  const key = info === null ? null : tcpMd5DoLookup(info, other, skb);
  if (info === null || key === null) return null;
  const copy = new TcpMd5sigInfo(info.ops);
  copy.keys.push(new TcpMd5sigKey(addr, 32, key.key));
  return copy;
}

// --- What arrives ---------------------------------------------------------------------------------------------

/** Where the signature of skb is: an offset into skb.buf, NO_SIGNATURE, or BAD_OPTIONS: two signatures. A length that is none ends the options. */
export function tcpParseAuthOptions(skb: SkBuff): number {
  const hdrLen = thHdrLen(skb);
  let at = skb.transportHeader + TCP_HDR_LEN;
  if (hdrLen === TCP_HDR_LEN) return NO_SIGNATURE;
  if (hdrLen === TCP_HDR_LEN + TCPOLEN_TSTAMP_ALIGNED && skb.view.getInt32(at) === TSTAMP_WORD) return NO_SIGNATURE;
  const buf = skb.buf;
  const end = skb.transportHeader + hdrLen;
  let found = NO_SIGNATURE;
  while (at < end) {
    const opcode = buf[at]!;
    if (opcode === TCPOPT_EOL) break;
    if (opcode === TCPOPT_NOP) {
      at++;
      continue;
    }
    const opsize = at + 1 < end ? buf[at + 1]! : 0;
    if (opsize < 2 || at + opsize > end) break;
    if (opcode === TCPOPT_MD5SIG && opsize === TCPOLEN_MD5SIG) {
      if (found !== NO_SIGNATURE) return BAD_OPTIONS;
      found = at + 2;
    }
    at += opsize;
  }
  return found;
}

/** Whether the signature of skb at `at` of its buffer is the key's. */
export function tcpMd5Verify(info: TcpMd5sigInfo, key: TcpMd5sigKey, skb: SkBuff, at: number): boolean {
  const { digest } = info;
  info.ops.calcMd5Hash(info.ctx, key, null, skb, digest, 0);
  for (let i = 0; i < MD5_DIGEST_SIZE; i++) if (digest[i] !== skb.buf[at + i]) return false;
  return true;
}

/** May skb, data at its header, go to sk (or to a request of it)? 0, or why not. No answer is due then. */
export function tcpInboundHash(sk: TcpSock, skb: SkBuff): number {
  const at = tcpParseAuthOptions(skb);
  if (at === BAD_OPTIONS) return SKB_DROP_REASON_TCP_AUTH_HDR;
  const info = sk.rare?.md5sigInfo ?? null;
  if (info === null && at === NO_SIGNATURE) return 0;
  const key = info === null ? null : tcpMd5DoLookup(info, null, skb);
  if (at === NO_SIGNATURE) {
    if (key === null) return 0;
    netIncStats(sk.skNet, LINUX_MIB_TCPMD5NOTFOUND);
    return SKB_DROP_REASON_TCP_MD5NOTFOUND;
  }
  if (key === null || info === null) {
    netIncStats(sk.skNet, LINUX_MIB_TCPMD5UNEXPECTED);
    return SKB_DROP_REASON_TCP_MD5UNEXPECTED;
  }
  if (tcpMd5Verify(info, key, skb, at)) return 0;
  netIncStats(sk.skNet, LINUX_MIB_TCPMD5FAILURE);
  return SKB_DROP_REASON_TCP_MD5FAILURE;
}

// --- What leaves ----------------------------------------------------------------------------------------------

/** Writes NOP, NOP and an option without signature yet at `at`; returns the place behind. */
export function tcpMd5OptionWrite(view: DataView, at: number): number {
  view.setInt32(at, (TCPOPT_NOP << 24) | (TCPOPT_NOP << 16) | (TCPOPT_MD5SIG << 8) | TCPOLEN_MD5SIG);
  for (let i = 4; i < 20; i += 4) view.setInt32(at + i, 0);
  return at + 20;
}

/**
 * Signs skb, header and data complete, whose first option is the signature.
 * @param sk whose key @param other whose addresses: sk, or a request of it
 */
export function tcpMd5SignSkb(sk: TcpSock, other: SockCommon, skb: SkBuff): void {
  const info = sk.rare?.md5sigInfo ?? null;
  const key = info === null ? null : tcpMd5DoLookup(info, other, null);
  if (info !== null && key !== null) info.ops.calcMd5Hash(info.ctx, key, other, skb, skb.buf, skb.transportHeader + TCP_HDR_LEN + 4);
}
