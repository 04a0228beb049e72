/*
 * Options at SOL_SOCKET (sock_setsockopt, sock_getsockopt of net/core/sock.c; socket(7)). Integers are numbers; SO_LINGER
 * is a Linger, the time limits are Timevals. Time limits are kept in jiffies, SO_LINGER's too.
 */
import {
  EDOM, EINVAL, ENODEV, ENOPROTOOPT, EOPNOTSUPP, MAX_SCHEDULE_TIMEOUT,
} from '@stack/kernel';
import { sockSetFilter } from './filter.ts';
import { Linger, Timeval } from './msghdr.ts';
import type { Socket } from './net-struct.ts';
import { skDstReset } from './sock-alloc.ts';
import { skSetRcvbuf, skSetSndbuf } from './sock-mem.ts';
import {
  OptInt, SK_CAN_REUSE, SK_NO_REUSE, SK_PACING_NEEDED, SK_PACING_NONE, SK_PACING_UNLIMITED, SOCK_BROADCAST, SOCK_DBG, SOCK_FILTER_LOCKED, SOCK_KEEPOPEN, SOCK_LINGER, SOCK_LOCALROUTE,
  SOCK_RCVTSTAMP, SOCK_RCVTSTAMPNS, SOCK_RXQ_OVFL, SOCK_URGINLINE, SOCK_ZEROCOPY, sockFlag, sockResetFlag, sockSetFlag, sockValboolFlag, TCP_LISTEN,
} from './sock-struct.ts';
import type { Sock, SockOptValue } from './sock-struct.ts';
import { sockError } from './sock.ts';
import { sockSetTimestamping } from './tx-timestamp.ts';
import * as so from './uapi-socket.ts';

const HZ = 1000;

/** setsockopt(2) at SOL_SOCKET: 0 or -errno. */
export function sockSetsockopt(sock: Socket, name: number, value: SockOptValue): number {
  const sk = sock.sk;
  if (sk === null) return -EINVAL;
  switch (name) {
    case so.SO_LINGER:
      return setLinger(sk, value);
    case so.SO_RCVTIMEO:
      return setTimeo(sk, true, value);
    case so.SO_SNDTIMEO:
      return setTimeo(sk, false, value);
    case so.SO_BINDTODEVICE:
      return setBindToDevice(sk, value);
    case so.SO_ATTACH_FILTER:
    case so.SO_DETACH_FILTER:
    case so.SO_LOCK_FILTER:
      return sockSetFilter(sk, name, value);
    default: {
      const val = typeof value === 'boolean' ? Number(value) : value;
      return typeof val === 'number' && Number.isInteger(val) ? setInt(sk, name, val) : -EINVAL;
    }
  }
}

/** Options that are one integer. */
function setInt(sk: Sock, name: number, val: number): number {
  const flag = flagOf(name);
  if (flag >= 0) {
    sockValboolFlag(sk, flag, val !== 0);
    return 0;
  }
  switch (name) {
    case so.SO_REUSEADDR:
      sk.skReuse = val !== 0 ? SK_CAN_REUSE : SK_NO_REUSE;
      return 0;
    case so.SO_REUSEPORT:
      sk.skReuseport = val !== 0;
      return 0;
    case so.SO_KEEPALIVE:
      return setKeepalive(sk, val !== 0);
    case so.SO_TIMESTAMP:
    case so.SO_TIMESTAMPNS:
      setTimestamp(sk, val !== 0, name === so.SO_TIMESTAMPNS);
      return 0;
    case so.SO_RCVLOWAT:
      return setRcvlowat(sk, val);
    case so.SO_ZEROCOPY:
      return setZerocopy(sk, val);
    case so.SO_TIMESTAMPING:
      return sockSetTimestamping(sk, val);
    case so.SO_PEEK_OFF:
      return setPeekOff(sk, val);
    case so.SO_BINDTOIFINDEX:
      return bindToIndex(sk, val);
    default:
      return setSize(sk, name, val);
  }
}

/** The options that are nothing but a bit of skFlags; -1 for others. */
function flagOf(name: number): number {
  switch (name) {
    case so.SO_DEBUG:
      return SOCK_DBG;
    case so.SO_DONTROUTE:
      return SOCK_LOCALROUTE;
    case so.SO_BROADCAST:
      return SOCK_BROADCAST;
    case so.SO_OOBINLINE:
      return SOCK_URGINLINE;
    case so.SO_RXQ_OVFL:
      return SOCK_RXQ_OVFL;
    default:
      return -1;
  }
}

function setSize(sk: Sock, name: number, val: number): number {
  const ns = sk.skNet.socket;
  switch (name) {
    case so.SO_SNDBUF:
      skSetSndbuf(sk, Math.min(val >>> 0, ns.sysctlWmemMax));
      return 0;
    case so.SO_SNDBUFFORCE:
      skSetSndbuf(sk, Math.max(0, Math.min(val, 0x3fffffff)));
      return 0;
    case so.SO_RCVBUF:
      skSetRcvbuf(sk, Math.min(val >>> 0, ns.sysctlRmemMax));
      return 0;
    case so.SO_RCVBUFFORCE:
      skSetRcvbuf(sk, Math.max(0, Math.min(val, 0x3fffffff)));
      return 0;
    case so.SO_NO_CHECK:
      sk.skNoCheckTx = val !== 0;
      return 0;
    case so.SO_PRIORITY:
      sk.skPriority = val;
      return 0;
    case so.SO_MARK:
      if (sk.skMark !== val) skDstReset(sk);
      sk.skMark = val;
      return 0;
    case so.SO_MAX_PACING_RATE:
      // A 32-bit option: all bits set is no limit at all.
      sk.skMaxPacingRate = val === -1 || val === 0xffffffff ? SK_PACING_UNLIMITED : val < 0 ? val >>> 0 : val;
      if (sk.skMaxPacingRate !== SK_PACING_UNLIMITED && sk.skPacingStatus === SK_PACING_NONE) sk.skPacingStatus = SK_PACING_NEEDED;
      sk.skPacingRate = Math.min(sk.skPacingRate, sk.skMaxPacingRate);
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

function setLinger(sk: Sock, value: SockOptValue): number {
  if (!isStruct(value, 'lOnoff')) return -EINVAL;
  const linger = value as Linger;
  if (linger.lOnoff === 0) {
    sockResetFlag(sk, SOCK_LINGER);
    return 0;
  }
  sk.skLingertime = Math.min(linger.lLinger * HZ, MAX_SCHEDULE_TIMEOUT);
  sockSetFlag(sk, SOCK_LINGER);
  return 0;
}

/** By its fields, so that a struct from another copy of this package will do. */
function isStruct(value: SockOptValue, field: string): boolean {
  return typeof value === 'object' && field in value;
}

function setTimeo(sk: Sock, receive: boolean, value: SockOptValue): number {
  if (!isStruct(value, 'tvSec')) return -EINVAL;
  const { tvSec, tvUsec } = value as Timeval;
  if (tvUsec < 0 || tvUsec >= 1000000) return -EDOM;
  let timeo = MAX_SCHEDULE_TIMEOUT;
  if (tvSec < 0) timeo = 0;
  else if (tvSec !== 0 || tvUsec !== 0) timeo = Math.min(tvSec * HZ + Math.ceil(tvUsec / 1000), MAX_SCHEDULE_TIMEOUT);
  if (receive) sk.skRcvtimeo = timeo;
  else sk.skSndtimeo = timeo;
  return 0;
}

function setKeepalive(sk: Sock, on: boolean): number {
  if (sk.skProt.keepalive !== null) sk.skProt.keepalive(sk, on);
  sockValboolFlag(sk, SOCK_KEEPOPEN, on);
  return 0;
}

function setTimestamp(sk: Sock, on: boolean, ns: boolean): void {
  sockValboolFlag(sk, SOCK_RCVTSTAMP, on);
  sockValboolFlag(sk, SOCK_RCVTSTAMPNS, on && ns);
}

/** Deviation: streams of TCP alone; UDP has it in Linux too. */
function setZerocopy(sk: Sock, val: number): number {
  if (sk.skProtocol !== so.IPPROTO_TCP) return -EOPNOTSUPP;
  if (val < 0 || val > 1) return -EINVAL;
  sockValboolFlag(sk, SOCK_ZEROCOPY, val !== 0);
  return 0;
}

/** SO_PEEK_OFF: where the next MSG_PEEK begins; negative: at what is read next. Deviation: streams of TCP alone; UDP has it in Linux too. */
function setPeekOff(sk: Sock, val: number): number {
  if (sk.skProtocol !== so.IPPROTO_TCP) return -EOPNOTSUPP;
  sk.skPeekOff = val;
  return 0;
}

function setRcvlowat(sk: Sock, val: number): number {
  const lowat = val < 0 ? 0x7fffffff : val;
  if (sk.skProt.setRcvlowat !== null) return sk.skProt.setRcvlowat(sk, lowat);
  sk.skRcvlowat = lowat === 0 ? 1 : lowat;
  return 0;
}

function setBindToDevice(sk: Sock, value: SockOptValue): number {
  if (typeof value !== 'string') return -EINVAL;
  if (value === '') return bindToIndex(sk, 0);
  const { ifnameToIndex } = sk.skNet.socket;
  const index = ifnameToIndex === null ? 0 : ifnameToIndex(sk.skNet, value);
  return index <= 0 ? -ENODEV : bindToIndex(sk, index);
}

function bindToIndex(sk: Sock, index: number): number {
  if (index < 0) return -EINVAL;
  sk.skBoundDevIf = index;
  if (sk.skProt.rehash !== null) sk.skProt.rehash(sk);
  skDstReset(sk);
  return 0;
}

/** getsockopt(2) at SOL_SOCKET: the value, or -errno. */
export function sockGetsockopt(sock: Socket, name: number): number | object {
  const sk = sock.sk;
  if (sk === null) return -EINVAL;
  const flag = flagOf(name);
  if (flag >= 0) return Number(sockFlag(sk, flag));
  switch (name) {
    case so.SO_TYPE:
      return sk.skType;
    case so.SO_ERROR:
      return sockErrorOrSoft(sk);
    case so.SO_PROTOCOL:
      return sk.skProtocol;
    case so.SO_DOMAIN:
      return sk.skFamily;
    case so.SO_ACCEPTCONN:
      return Number(sk.skState === TCP_LISTEN);
    case so.SO_LINGER:
      return new Linger(Number(sockFlag(sk, SOCK_LINGER)), Math.trunc(sk.skLingertime / HZ));
    case so.SO_RCVTIMEO:
      return timeval(sk.skRcvtimeo);
    case so.SO_SNDTIMEO:
      return timeval(sk.skSndtimeo);
    default:
      return getMore(sk, name);
  }
}

function getMore(sk: Sock, name: number): number | object {
  switch (name) {
    case so.SO_REUSEADDR:
      return sk.skReuse;
    case so.SO_REUSEPORT:
      return Number(sk.skReuseport);
    case so.SO_KEEPALIVE:
      return Number(sockFlag(sk, SOCK_KEEPOPEN));
    case so.SO_TIMESTAMP:
      return Number(sockFlag(sk, SOCK_RCVTSTAMP) && !sockFlag(sk, SOCK_RCVTSTAMPNS));
    case so.SO_TIMESTAMPNS:
      return Number(sockFlag(sk, SOCK_RCVTSTAMPNS));
    case so.SO_SNDBUF:
      return sk.skSndbuf;
    case so.SO_RCVBUF:
      return sk.skRcvbuf;
    case so.SO_RCVLOWAT:
      return sk.skRcvlowat;
    case so.SO_SNDLOWAT:
      return 1;
    case so.SO_TIMESTAMPING:
      return sk.skTsflags;
    case so.SO_ZEROCOPY:
      return Number(sockFlag(sk, SOCK_ZEROCOPY));
    case so.SO_NO_CHECK:
      return Number(sk.skNoCheckTx);
    case so.SO_PRIORITY:
      return signed(sk.skPriority);
    case so.SO_MARK:
      return signed(sk.skMark);
    case so.SO_BINDTOIFINDEX:
      return sk.skBoundDevIf;
    case so.SO_MAX_PACING_RATE:
      return signed(Math.min(sk.skMaxPacingRate, 0xffffffff) | 0);
    case so.SO_MEMINFO:
      return skMeminfo(sk);
    case so.SO_LOCK_FILTER:
      return Number(sockFlag(sk, SOCK_FILTER_LOCKED));
    case so.SO_PEEK_OFF:
      return sk.skProtocol === so.IPPROTO_TCP ? signed(sk.skPeekOff) : -EOPNOTSUPP;
    default:
      return -ENOPROTOOPT;
  }
}

function signed(value: number): number | object {
  return value < 0 ? new OptInt(value) : value;
}

/** SO_ERROR: the pending error, else the soft one, and takes it. An errno (positive) or 0. */
function sockErrorOrSoft(sk: Sock): number {
  const err = sockError(sk);
  if (err !== 0) return -err;
  const soft = sk.skErrSoft;
  sk.skErrSoft = 0;
  return soft;
}

function timeval(timeo: number): Timeval {
  if (timeo === MAX_SCHEDULE_TIMEOUT) return new Timeval(0, 0);
  return new Timeval(Math.trunc(timeo / HZ), (timeo % HZ) * 1000);
}

/** struct of SO_MEMINFO (SK_MEMINFO_…), bytes: what `ss -m` shows as skmem. */
export interface SkMeminfo {
  readonly rmemAlloc: number;
  readonly rcvbuf: number;
  readonly wmemAlloc: number;
  readonly sndbuf: number;
  readonly fwdAlloc: number;
  readonly wmemQueued: number;
  readonly backlog: number;
  readonly drops: number;
}

/** The memory accounts of a sock (sk_get_meminfo). */
export function skMeminfo(sk: Sock): SkMeminfo {
  return {
    rmemAlloc: sk.skRmemAlloc,
    rcvbuf: sk.skRcvbuf,
    wmemAlloc: sk.skWmemAlloc - 1,
    sndbuf: sk.skSndbuf,
    fwdAlloc: sk.skForwardAlloc,
    wmemQueued: sk.skWmemQueued,
    backlog: sk.skBacklogLen,
    drops: sk.skDrops,
  };
}
