/*
 * Fast Open's option and what a client remembers of its servers.
 *
 * Order of calls: SYN: tcpFastopenCacheGet → tcpFastopenSize, tcpFastopenWrite; SYN-ACK: tcpParseFastopen →
 * tcpFastopenCacheSet. Read first: RFC 7413 §4.1, §4.1.3; RFC 6994 (the experimental option of before).
 */
import { TCPOPT_EXP, TCPOPT_FASTOPEN, TCPOPT_NOP } from './tcp-hdr.ts';
import { tcpGetMetrics } from './tcp-metrics.ts';
import type { TcpSock } from './tcp-sock.ts';

const TCP_FASTOPEN_COOKIE_MIN = 4;
const TCP_FASTOPEN_COOKIE_MAX = 16;
/** What marks Fast Open in the experimental option. */
export const TCPOPT_FASTOPEN_MAGIC = 0xf989;
const TCPOLEN_FASTOPEN_BASE = 2;
const TCPOLEN_EXP_FASTOPEN_BASE = 4;

/** A Fast Open option (struct tcp_fastopen_cookie). */
export class TcpFastopenCookie {
  /** The cookie; empty: one is asked for; null: no option. */
  val: Uint8Array | null;
  /** In the experimental option (RFC 6994). */
  exp: boolean;

  constructor() {
    this.val = null;
    this.exp = false;
  }
}

/** Copies a cookie, which is never written in place. */
export function tcpFastopenCookieCopy(to: TcpFastopenCookie, from: TcpFastopenCookie): void {
  to.val = from.val;
  to.exp = from.exp;
}

/** Reads the option whose content is the `len` octets at `at`; an odd or wrong length is no option. */
export function tcpParseFastopen(foc: TcpFastopenCookie, buf: Uint8Array, at: number, len: number, exp: boolean): void {
  if (len < 0 || (len & 1) !== 0) return;
  if (len !== 0 && (len < TCP_FASTOPEN_COOKIE_MIN || len > TCP_FASTOPEN_COOKIE_MAX)) return;
  foc.val = buf.slice(at, at + len);
  foc.exp = exp;
}

/** Octets that the option takes, padded; 0 if there is none. */
export function tcpFastopenSize(foc: TcpFastopenCookie): number {
  if (foc.val === null) return 0;
  return (foc.val.length + (foc.exp ? TCPOLEN_EXP_FASTOPEN_BASE : TCPOLEN_FASTOPEN_BASE) + 3) & ~3;
}

/** Writes the option at `at`, and NOPs up to the next word. */
export function tcpFastopenWrite(foc: TcpFastopenCookie, view: DataView, at: number): void {
  if (foc.val === null) return;
  const base = foc.exp ? TCPOLEN_EXP_FASTOPEN_BASE : TCPOLEN_FASTOPEN_BASE;
  const len = base + foc.val.length;
  view.setUint8(at, foc.exp ? TCPOPT_EXP : TCPOPT_FASTOPEN);
  view.setUint8(at + 1, len);
  if (foc.exp) view.setUint16(at + 2, TCPOPT_FASTOPEN_MAGIC);
  for (const [i, octet] of foc.val.entries()) view.setUint8(at + base + i, octet);
  for (let i = len; (i & 3) !== 0; i++) view.setUint8(at + i, TCPOPT_NOP);
}

/** What is known of sk's peer: its cookie into `foc`. @returns the MSS that it announced, 0 if it is not known */
export function tcpFastopenCacheGet(sk: TcpSock, foc: TcpFastopenCookie): number {
  const tm = tcpGetMetrics(sk, false);
  if (tm === null || tm.fastopen === null) return 0;
  const { cookie, tryExp, mss } = tm.fastopen;
  tcpFastopenCookieCopy(foc, cookie);
  if ((cookie.val === null || cookie.val.length === 0) && tryExp === 1) foc.exp = true;
  return mss;
}

/**
 * A handshake tells of Fast Open at sk's peer.
 * @param mss 0: not known @param foc its answer, null if none is to be kept @param synLost the SYN with data was lost
 * @param tryExp 1: ask by the experimental option next time, 2: by the standard one again
 */
export function tcpFastopenCacheSet(sk: TcpSock, mss: number, foc: TcpFastopenCookie | null, synLost: boolean, tryExp: number): void {
  const tm = tcpGetMetrics(sk, true);
  if (tm === null) return;
  tm.fastopen ??= { mss: 0, synLoss: 0, tryExp: 0, cookie: new TcpFastopenCookie() };
  const tfom = tm.fastopen;
  if (mss > 0) tfom.mss = mss;
  if (foc !== null && foc.val !== null && foc.val.length > 0) {
    tcpFastopenCookieCopy(tfom.cookie, foc);
  } else if (tryExp > tfom.tryExp && (tfom.cookie.val === null || tfom.cookie.val.length === 0) && !tfom.cookie.exp) {
    tfom.tryExp = tryExp;
  }
  tfom.synLoss = synLost ? tfom.synLoss + 1 : 0;
}
