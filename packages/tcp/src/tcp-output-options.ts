/*
 * Options of a segment that is sent: how many bytes, in which order.
 *
 * Layouts as Linux's: SYN: mss, sackOK, timestamp, nop, wscale, or without timestamps mss, nop, nop, sackOK, nop,
 * wscale; else nop, nop, timestamp, then nop, nop, SACK with the DSACK first.
 * Order of calls: tcpTransmitSkb → tcpEstablishedOptionsSize or, for a SYN, tcpOutOptionsSize → …Write.
 * Read first: RFC 9293 §3.2; RFC 7323 §3.2; RFC 2018 §3–4; RFC 2883.
 */
import { tcpClockMs } from './tcp-clock.ts';
import { MAX_TCP_OPTION_SPACE } from './tcp-consts.ts';
import { TcpFastopenCookie, tcpFastopenSize, tcpFastopenWrite } from './tcp-fastopen-cookie.ts';
import {
  TCPOLEN_MD5SIG_ALIGNED, TCPOLEN_MSS, TCPOLEN_MSS_ALIGNED, TCPOLEN_SACKPERM_ALIGNED, TCPOLEN_SACK_BASE, TCPOLEN_SACK_BASE_ALIGNED,
  TCPOLEN_SACK_PERBLOCK, TCPOLEN_SACK_PERM, TCPOLEN_TIMESTAMP, TCPOLEN_TSTAMP_ALIGNED, TCPOLEN_WINDOW,
  TCPOLEN_WSCALE_ALIGNED, TCPOPT_MSS, TCPOPT_NOP, TCPOPT_SACK, TCPOPT_SACK_PERM, TCPOPT_TIMESTAMP, TCPOPT_WINDOW,
} from './tcp-hdr.ts';
import { tcpIsMd5, tcpMd5OptionWrite } from './tcp-md5.ts';
import type { TcpSock } from './tcp-sock.ts';

const NOP_NOP = (TCPOPT_NOP << 24) | (TCPOPT_NOP << 16);
const TSTAMP_WORD = NOP_NOP | (TCPOPT_TIMESTAMP << 8) | TCPOLEN_TIMESTAMP;
const SACKPERM_TSTAMP_WORD =
  (TCPOPT_SACK_PERM << 24) | (TCPOLEN_SACK_PERM << 16) | (TCPOPT_TIMESTAMP << 8) | TCPOLEN_TIMESTAMP;
const SACKPERM_WORD = NOP_NOP | (TCPOPT_SACK_PERM << 8) | TCPOLEN_SACK_PERM;
const MSS_WORD = (TCPOPT_MSS << 24) | (TCPOLEN_MSS << 16);
const WINDOW_WORD = (TCPOPT_NOP << 24) | (TCPOPT_WINDOW << 16) | (TCPOLEN_WINDOW << 8);
const SACK_WORD = NOP_NOP | (TCPOPT_SACK << 8);

// --- Segments of a connection ---------------------------------------------------------------------------------

/** How many SACK blocks fit behind `used` bytes of options. */
function tcpSackBlocks(sk: TcpSock, used: number): number {
  const rx = sk.rxOpt;
  const have = rx.numSacks + (rx.dsack ? 1 : 0);
  if (have === 0) return 0;
  const room = MAX_TCP_OPTION_SPACE - used;
  if (room < TCPOLEN_SACK_BASE_ALIGNED + TCPOLEN_SACK_PERBLOCK) return 0;
  return Math.min(have, ((room - TCPOLEN_SACK_BASE_ALIGNED) / TCPOLEN_SACK_PERBLOCK) | 0);
}

/** Bytes of options that a segment of now carries (tcp_established_options). */
export function tcpEstablishedOptionsSize(sk: TcpSock): number {
  let size = sk.rxOpt.tstampOk ? TCPOLEN_TSTAMP_ALIGNED : 0;
  if (tcpIsMd5(sk)) size += TCPOLEN_MD5SIG_ALIGNED;
  const blocks = tcpSackBlocks(sk, size);
  return blocks === 0 ? size : size + TCPOLEN_SACK_BASE_ALIGNED + blocks * TCPOLEN_SACK_PERBLOCK;
}

/** Writes the options of a segment of now at `at`, a signature still empty; the DSACK is sent once. */
export function tcpEstablishedOptionsWrite(sk: TcpSock, view: DataView, at: number): void {
  const rx = sk.rxOpt;
  let pos = at;
  if (tcpIsMd5(sk)) pos = tcpMd5OptionWrite(view, pos);
  if (rx.tstampOk) {
    view.setInt32(pos, TSTAMP_WORD);
    view.setInt32(pos + 4, (tcpClockMs(sk.skNet) + sk.tsoffset) | 0);
    view.setInt32(pos + 8, rx.tsRecent);
    pos += TCPOLEN_TSTAMP_ALIGNED;
  }
  const blocks = tcpSackBlocks(sk, pos - at);
  if (blocks !== 0) tcpSackWrite(sk, view, pos, blocks);
}

/** RFC 2883 §4: the DSACK is the first block; then the most recent ones. */
function tcpSackWrite(sk: TcpSock, view: DataView, at: number, blocks: number): void {
  const rx = sk.rxOpt;
  view.setInt32(at, SACK_WORD | (TCPOLEN_SACK_BASE + blocks * TCPOLEN_SACK_PERBLOCK));
  let pos = at + 4;
  let left = blocks;
  if (rx.dsack) {
    view.setInt32(pos, sk.duplicateSackStart);
    view.setInt32(pos + 4, sk.duplicateSackEnd);
    pos += TCPOLEN_SACK_PERBLOCK;
    left--;
    rx.dsack = false;
  }
  const sacks = sk.selectiveAcks;
  if (sacks === null) return;
  for (let i = 0; i < left; i++) {
    view.setInt32(pos, sacks[2 * i]!);
    view.setInt32(pos + 4, sacks[2 * i + 1]!);
    pos += TCPOLEN_SACK_PERBLOCK;
  }
}

// --- SYN and SYN-ACK ------------------------------------------------------------------------------------------

/** What a SYN or SYN-ACK announces. One per Net, filled before it is written. */
export class TcpOutOptions {
  mss: number;
  sackOk: boolean;
  tstampOk: boolean;
  tsval: number;
  tsecr: number;
  /** RFC 2385: the segment will be signed. */
  md5: boolean;
  /** Window scale, -1 = not offered. */
  ws: number;
  /** Fast Open. */
  fastopen: TcpFastopenCookie;

  constructor() {
    this.mss = 0;
    this.sackOk = false;
    this.tstampOk = false;
    this.tsval = 0;
    this.tsecr = 0;
    this.md5 = false;
    this.ws = -1;
    this.fastopen = new TcpFastopenCookie();
  }
}

/** Bytes that they take. */
export function tcpOutOptionsSize(opts: TcpOutOptions): number {
  let size = TCPOLEN_MSS_ALIGNED;
  if (opts.md5) size += TCPOLEN_MD5SIG_ALIGNED;
  if (opts.tstampOk) size += TCPOLEN_TSTAMP_ALIGNED;
  else if (opts.sackOk) size += TCPOLEN_SACKPERM_ALIGNED;
  if (opts.ws >= 0) size += TCPOLEN_WSCALE_ALIGNED;
  const fastopen = tcpFastopenSize(opts.fastopen);
  return size + fastopen <= MAX_TCP_OPTION_SPACE ? size + fastopen : size;
}

/** Writes them at `at` (tcp_options_write). */
export function tcpOutOptionsWrite(opts: TcpOutOptions, view: DataView, at: number): void {
  let pos = opts.md5 ? tcpMd5OptionWrite(view, at) : at;
  view.setInt32(pos, MSS_WORD | opts.mss);
  pos += TCPOLEN_MSS_ALIGNED;
  if (opts.tstampOk) {
    view.setInt32(pos, opts.sackOk ? SACKPERM_TSTAMP_WORD : TSTAMP_WORD);
    view.setInt32(pos + 4, opts.tsval);
    view.setInt32(pos + 8, opts.tsecr);
    pos += TCPOLEN_TSTAMP_ALIGNED;
  } else if (opts.sackOk) {
    view.setInt32(pos, SACKPERM_WORD);
    pos += TCPOLEN_SACKPERM_ALIGNED;
  }
  if (opts.ws >= 0) {
    view.setInt32(pos, WINDOW_WORD | opts.ws);
    pos += TCPOLEN_WSCALE_ALIGNED;
  }
  if (pos - at + tcpFastopenSize(opts.fastopen) <= MAX_TCP_OPTION_SPACE) tcpFastopenWrite(opts.fastopen, view, pos);
}
