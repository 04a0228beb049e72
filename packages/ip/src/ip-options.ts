/*
 * IP options (RFC 791 §3.1, RFC 1122 §3.2.1.8).
 *
 * ipOptionsCompile() checks a list and does what the host's part in it is (record route, time
 * stamp). ipRcvOptions() for packets that arrive, ipForwardOptions() for those that go on,
 * ipOptionsBuild() for those made here, ipOptionsFragment() for fragments after the first,
 * ipOptionsEcho() for answers.
 */
import { EINVAL } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { inetAddrType } from './fib-lookup.ts';
import { RTN_UNICAST } from './fib.ts';
import {
  IPOPT_F_IS_CHANGED, IPOPT_F_ROUTER_ALERT, IPOPT_F_RR_NEEDADDR, IPOPT_F_STRICTROUTE, IPOPT_F_TS_NEEDADDR, IPOPT_F_TS_NEEDTIME,
} from './ip-cb.ts';
import { IPH_OPTIONS } from './ip-header.ts';

export const IPOPT_END = 0;
export const IPOPT_NOOP = 1;
export const IPOPT_RR = 7;
export const IPOPT_TIMESTAMP = 0x44;
export const IPOPT_LSRR = 0x83;
export const IPOPT_SSRR = 0x89;
export const IPOPT_RA = 0x94;
/** Bit of an option's type: it is copied into every fragment. */
export const IPOPT_COPY = 0x80;

/** Flags of a time stamp option. */
export const IPOPT_TS_TSONLY = 0;
export const IPOPT_TS_TSANDADDR = 1;
export const IPOPT_TS_PRESPEC = 3;

/** Most octets of options. */
export const MAX_IPOPTLEN = 40;

/** What ipOptionsCompile() found: offsets from the start of the header, 0 for none. */
export class IpOptions {
  srr: number;
  rr: number;
  ts: number;
  /** IPOPT_F_* */
  flags: number;
  /** Offset of the octet that is wrong; 0 if none is. */
  error: number;

  constructor() {
    this.srr = 0;
    this.rr = 0;
    this.ts = 0;
    this.flags = 0;
    this.error = 0;
  }
}

/** Milliseconds since midnight UT (RFC 791 §3.1, Internet Timestamp). */
export function inetCurrentTimestamp(net: Net): number {
  return Math.floor(net.world.clock.wallTime()) % 86_400_000;
}

/** Octets of the option at `at`, or 0 if it does not fit into what is left. */
export function optionLength(view: DataView, at: number, left: number): number {
  const type = view.getUint8(at);
  if (type === IPOPT_END || type === IPOPT_NOOP) return 1;
  if (left < 2) return 0;
  const len = view.getUint8(at + 1);
  return len < 2 || len > left ? 0 : len;
}

/**
 * Checks the `optlen` octets of options of the header at offset `at` and enters what each asks
 * for: addr (0: nothing is entered) and the time. Fills opt. Returns 0, or -EINVAL with opt.error
 * set. Options that we do not know are passed over (RFC 1122 §3.2.1.8).
 */
export function ipOptionsCompile(net: Net, view: DataView, at: number, optlen: number, addr: number, opt: IpOptions): number {
  opt.srr = 0;
  opt.rr = 0;
  opt.ts = 0;
  opt.flags = 0;
  opt.error = 0;
  const end = at + IPH_OPTIONS + optlen;
  for (let p = at + IPH_OPTIONS; p < end; ) {
    const type = view.getUint8(p);
    if (type === IPOPT_END) {
      for (let q = p; q < end; q++) view.setUint8(q, IPOPT_END);
      break;
    }
    const len = optionLength(view, p, end - p);
    if (len === 0) {
      opt.error = p - at;
      return -EINVAL;
    }
    const wrong = compileOne(net, view, p, type, len, p - at, addr, opt);
    if (wrong >= 0) {
      opt.error = p - at + wrong;
      return -EINVAL;
    }
    p += len;
  }
  return 0;
}

/** Checks one option; returns -1, or the offset in it of what is wrong. */
function compileOne(net: Net, view: DataView, p: number, type: number, len: number, offset: number, addr: number, opt: IpOptions): number {
  switch (type) {
    case IPOPT_SSRR:
    case IPOPT_LSRR:
      if (len < 3) return 1;
      if (view.getUint8(p + 2) < 4) return 2;
      if (opt.srr !== 0) return 0;
      if (type === IPOPT_SSRR) opt.flags |= IPOPT_F_STRICTROUTE;
      opt.srr = offset;
      return -1;
    case IPOPT_RR:
      return compileRecordRoute(view, p, len, offset, addr, opt);
    case IPOPT_TIMESTAMP:
      return compileTimestamp(net, view, p, len, offset, addr, opt);
    case IPOPT_RA:
      if (len < 4) return 1;
      if (view.getUint16(p + 2) === 0) opt.flags |= IPOPT_F_ROUTER_ALERT;
      return -1;
    default:
      return -1;
  }
}

function compileRecordRoute(view: DataView, p: number, len: number, offset: number, addr: number, opt: IpOptions): number {
  if (opt.rr !== 0) return 0;
  if (len < 3) return 1;
  const ptr = view.getUint8(p + 2);
  if (ptr < 4) return 2;
  if (ptr <= len) {
    if (ptr + 3 > len) return 2;
    if (addr !== 0) {
      view.setInt32(p + ptr - 1, addr);
      view.setUint8(p + 2, ptr + 4);
      opt.flags |= IPOPT_F_IS_CHANGED | IPOPT_F_RR_NEEDADDR;
    }
  }
  opt.rr = offset;
  return -1;
}

function compileTimestamp(net: Net, view: DataView, p: number, len: number, offset: number, addr: number, opt: IpOptions): number {
  if (opt.ts !== 0) return 0;
  if (len < 4) return 1;
  const ptr = view.getUint8(p + 2);
  if (ptr < 5) return 2;
  const flag = view.getUint8(p + 3) & 0x0f;
  if (ptr > len) {
    const overflow = view.getUint8(p + 3) >> 4;
    if (flag !== IPOPT_TS_PRESPEC) {
      if (overflow === 15) return 3;
      view.setUint8(p + 3, flag | ((overflow + 1) << 4));
      opt.flags |= IPOPT_F_IS_CHANGED;
    }
    opt.ts = offset;
    return -1;
  }
  const wrong = enterTimestamp(net, view, p, len, ptr, flag, addr, opt);
  if (wrong < 0) opt.ts = offset;
  return wrong;
}

function enterTimestamp(net: Net, view: DataView, p: number, len: number, ptr: number, flag: number, addr: number, opt: IpOptions): number {
  const slot = p + ptr - 1;
  if (flag === IPOPT_TS_TSONLY) {
    if (ptr + 3 > len) return 2;
    if (addr === 0) return -1;
    view.setInt32(slot, inetCurrentTimestamp(net));
    view.setUint8(p + 2, ptr + 4);
    opt.flags |= IPOPT_F_IS_CHANGED | IPOPT_F_TS_NEEDTIME;
    return -1;
  }
  if (flag !== IPOPT_TS_TSANDADDR && flag !== IPOPT_TS_PRESPEC) return -1;
  if (ptr + 7 > len) return 2;
  if (addr === 0) return -1;
  if (flag === IPOPT_TS_PRESPEC) {
    if (inetAddrType(net, view.getInt32(slot)) === RTN_UNICAST) return -1;
  } else {
    view.setInt32(slot, addr);
    opt.flags |= IPOPT_F_TS_NEEDADDR;
  }
  view.setInt32(slot + 4, inetCurrentTimestamp(net));
  view.setUint8(p + 2, ptr + 8);
  opt.flags |= IPOPT_F_IS_CHANGED | IPOPT_F_TS_NEEDTIME;
  return -1;
}

/** Turns the options of the header at `at` that only the first fragment carries into no-operations. */
export function ipOptionsFragment(view: DataView, at: number, optlen: number): void {
  const end = at + IPH_OPTIONS + optlen;
  for (let p = at + IPH_OPTIONS; p < end; ) {
    const type = view.getUint8(p);
    if (type === IPOPT_END) return;
    const len = optionLength(view, p, end - p);
    if (len === 0) return;
    if ((type & IPOPT_COPY) === 0) {
      for (let q = p; q < p + len; q++) view.setUint8(q, IPOPT_NOOP);
    }
    p += len;
  }
}
