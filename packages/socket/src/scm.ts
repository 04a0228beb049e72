/*
 * Control messages (net/core/scm.c and parts of net/socket.c): giving them to the receiver of a message, and reading those
 * at SOL_SOCKET that come with one to be sent.
 */
import { EINVAL, ENOENT } from '@stack/kernel';
import { skbCopyBits } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { EXTERR_OPT_STATS } from './errqueue.ts';
import { Cmsg, ScmTimestamping, Timespec, Timeval } from './msghdr.ts';
import type { MsgHdr } from './msghdr.ts';
import { sockFlag, SOCK_RCVTSTAMP, SOCK_RCVTSTAMPNS, SOCK_RXQ_OVFL, sockSetFlag, SOCK_TIMESTAMP, SOCK_TIMESTAMPING_RX_SOFTWARE } from './sock-struct.ts';
import type { Sock, SockOptValue } from './sock-struct.ts';
import {
  SOF_TIMESTAMPING_OPT_RX_FILTER, SOF_TIMESTAMPING_RX_SOFTWARE, SOF_TIMESTAMPING_SOFTWARE, SOF_TIMESTAMPING_TX_RECORD_MASK,
} from './tx-timestamp.ts';
import {
  MSG_CTRUNC, SCM_TIMESTAMP, SCM_TIMESTAMPING, SCM_TIMESTAMPING_OPT_STATS, SCM_TIMESTAMPNS, SO_MARK, SO_PRIORITY, SO_RXQ_OVFL, SO_TIMESTAMPING, SOL_SOCKET,
} from './uapi-socket.ts';

/** Adds a control message to what recvmsg returns; with no room left sets MSG_CTRUNC. */
export function putCmsg(msg: MsgHdr, level: number, type: number, data: number | Uint8Array | object): void {
  if (msg.msgControl === null || msg.msgControl.length >= msg.msgControllen) {
    msg.msgFlags |= MSG_CTRUNC;
    return;
  }
  msg.msgControl.push(new Cmsg(level, type, data));
}

/** A sock with one of these wants receive times: by SO_TIMESTAMP, SIOCGSTAMP, or SO_TIMESTAMPING. */
const WANTS_STAMP = (1 << SOCK_RCVTSTAMP) | (1 << SOCK_TIMESTAMP) | (1 << SOCK_TIMESTAMPING_RX_SOFTWARE);

/** Stamps a packet that is being queued for a sock that wants receive times. */
export function sockStampSkb(sk: Sock, skb: SkBuff): void {
  if (skb.tstamp === 0 && (sk.skFlags & WANTS_STAMP) !== 0) skb.tstamp = sk.skNet.world.now;
}

/** How far the wall clock may be off the World's before receive times are counted from it anew (it was set), ms. */
const WALL_SLACK = 10;

/**
 * World time `tstamp` (ns) on the wall clock. The offset between the two is kept, so that the differences between receive
 * times are those of the World's clock, which is finer.
 */
function wallClock(sk: Sock, tstamp: number): Timespec {
  const { skNet: net } = sk;
  const { world, socket: ns } = net;
  const offset = Math.round(world.clock.wallTime() - world.now / 1e6);
  if (Math.abs(offset - ns.wallOffset) > WALL_SLACK) ns.wallOffset = offset;
  const whole = Math.floor(ns.wallOffset / 1000);
  const nsec = (ns.wallOffset - whole * 1000) * 1e6 + tstamp;
  const sec = Math.floor(nsec / 1e9);
  return new Timespec(whole + sec, nsec - sec * 1e9);
}

/** SCM_TIMESTAMP or SCM_TIMESTAMPNS, and SCM_TIMESTAMPING, if the sock asked for them, of what came at World time `tstamp` (ns). */
export function sockRecvTimestampOf(msg: MsgHdr, sk: Sock, tstamp: number): void {
  if (sockFlag(sk, SOCK_RCVTSTAMP)) {
    const time = wallClock(sk, tstamp);
    if (sockFlag(sk, SOCK_RCVTSTAMPNS)) putCmsg(msg, SOL_SOCKET, SCM_TIMESTAMPNS, time);
    else putCmsg(msg, SOL_SOCKET, SCM_TIMESTAMP, new Timeval(time.tvSec, Math.floor(time.tvNsec / 1e3)));
  }
  const { skTsflags: flags } = sk;
  if ((flags & SOF_TIMESTAMPING_SOFTWARE) === 0) return;
  if ((flags & SOF_TIMESTAMPING_OPT_RX_FILTER) !== 0 && (flags & SOF_TIMESTAMPING_RX_SOFTWARE) === 0) return;
  putCmsg(msg, SOL_SOCKET, SCM_TIMESTAMPING, new ScmTimestamping(wallClock(sk, tstamp)));
}

/** The same of skb (lent); a sock that wants SO_TIMESTAMP is told a time in any case. */
function sockRecvTimestamp(msg: MsgHdr, sk: Sock, skb: SkBuff): void {
  if (skb.tstamp !== 0) sockRecvTimestampOf(msg, sk, skb.tstamp);
  else if (sockFlag(sk, SOCK_RCVTSTAMP)) sockRecvTimestampOf(msg, sk, sk.skNet.world.now);
}

/** What of SO_TIMESTAMPING an entry of the error queue (lent) has: its time, and the statistics of OPT_STATS. */
export function sockRecvErrTimestamp(msg: MsgHdr, sk: Sock, skb: SkBuff): void {
  if ((sk.skTsflags & SOF_TIMESTAMPING_SOFTWARE) !== 0 && skb.tstamp !== 0) {
    putCmsg(msg, SOL_SOCKET, SCM_TIMESTAMPING, new ScmTimestamping(wallClock(sk, skb.tstamp)));
  }
  if (skb.cb7 !== EXTERR_OPT_STATS) return;
  const stats = new Uint8Array(skb.len);
  skbCopyBits(skb, 0, stats, 0, skb.len);
  putCmsg(msg, SOL_SOCKET, SCM_TIMESTAMPING_OPT_STATS, stats);
}

/**
 * SIOCGSTAMP: fills `value`, a Timeval, with the time at which the packet that was read last was received (sock_gettstamp). 0,
 * -EINVAL, or -ENOENT if none was; from the first call on the sock wants receive times.
 */
export function sockGettstamp(sk: Sock, value: SockOptValue): number {
  if (typeof value !== 'object' || !('tvSec' in value)) return -EINVAL;
  sockSetFlag(sk, SOCK_TIMESTAMP);
  if (sk.skStamp === 0) return -ENOENT;
  const time = wallClock(sk, sk.skStamp);
  const tv = value as Timeval;
  tv.tvSec = time.tvSec;
  tv.tvUsec = Math.floor(time.tvNsec / 1e3);
  return 0;
}

/** What a datagram protocol adds to every message it hands up: receive time, and the count of drops before it (SO_RXQ_OVFL). */
export function sockRecvCmsgs(msg: MsgHdr, sk: Sock, skb: SkBuff): void {
  if (skb.tstamp !== 0) sk.skStamp = skb.tstamp;
  if (msg.msgControllen === 0 && msg.msgControl === null) return;
  sockRecvTimestamp(msg, sk, skb);
  if (sockFlag(sk, SOCK_RXQ_OVFL) && skb.cb11 !== 0) putCmsg(msg, SOL_SOCKET, SO_RXQ_OVFL, skb.cb11);
}

/** What control messages may set for one message to be sent (struct sockcm_cookie). */
export class SockcmCookie {
  mark: number;
  priority: number;
  /** SO_TIMESTAMPING. */
  tsflags: number;

  constructor() {
    this.mark = 0;
    this.tsflags = 0;
    this.priority = 0;
  }
}

/** Starts a cookie with the sock's own values. */
export function sockcmInit(cookie: SockcmCookie, sk: Sock): void {
  cookie.mark = sk.skMark;
  cookie.priority = sk.skPriority;
  cookie.tsflags = sk.skTsflags;
}

/** Takes all control messages at SOL_SOCKET of a message to be sent. 0, or -EINVAL. */
export function sockCmsgSend(msg: MsgHdr, cookie: SockcmCookie): number {
  for (const cmsg of msg.msgControl ?? []) {
    const err = cmsg.cmsgLevel === SOL_SOCKET ? __sockCmsgSend(cmsg, cookie) : 0;
    if (err < 0) return err;
  }
  return 0;
}

/** Takes one control message, which is at SOL_SOCKET. 0, or -EINVAL for what cannot be sent. */
export function __sockCmsgSend(cmsg: Cmsg, cookie: SockcmCookie): number {
  if (typeof cmsg.cmsgData !== 'number') return -EINVAL;
  if (cmsg.cmsgType === SO_MARK) cookie.mark = cmsg.cmsgData;
  else if (cmsg.cmsgType === SO_PRIORITY) cookie.priority = cmsg.cmsgData;
  else if (cmsg.cmsgType === SO_TIMESTAMPING && (cmsg.cmsgData & ~SOF_TIMESTAMPING_TX_RECORD_MASK) === 0) {
    cookie.tsflags = (cookie.tsflags & ~SOF_TIMESTAMPING_TX_RECORD_MASK) | cmsg.cmsgData;
  } else return -EINVAL;
  return 0;
}
