/*
 * The message of sendmsg(2) and recvmsg(2): struct msghdr, iovec, sockaddr, cmsg, and the iterator that Linux keeps in
 * msg_iter. A MsgHdr points at the user's buffers; nothing is copied before the protocol does it, once.
 * The iterator lives in the MsgHdr itself, so that an operation that could not be finished goes on, when it is
 * restarted, where it stopped (see sleep.ts).
 */
import { EFAULT, EINVAL } from '@stack/kernel';
import type { UbufInfo } from '@stack/skbuff';

/** An address of any family; each family's own class extends it (`SockAddrIn`). `AF_UNSPEC` alone dissolves a connection. */
export class SockAddr {
  saFamily: number;

  constructor(saFamily: number) {
    this.saFamily = saFamily;
  }
}

/** One buffer of a message: the first `iovLen` bytes of `iovBase`. */
export class Iovec {
  iovBase: Uint8Array;
  iovLen: number;

  constructor(iovBase: Uint8Array, iovLen: number = iovBase.length) {
    this.iovBase = iovBase;
    this.iovLen = iovLen;
  }
}

/**
 * One control message, cmsg(3). The data is a number (IP_TTL, IP_TOS), bytes, or the struct that the type names
 * (InPktinfo, Timeval …).
 * Deviation: control messages are a list of objects, not packed bytes; `msgControllen` counts objects.
 */
export class Cmsg {
  cmsgLevel: number;
  cmsgType: number;
  cmsgData: number | Uint8Array | object;

  constructor(cmsgLevel: number, cmsgType: number, cmsgData: number | Uint8Array | object) {
    this.cmsgLevel = cmsgLevel;
    this.cmsgType = cmsgType;
    this.cmsgData = cmsgData;
  }
}

/** struct timeval: what SO_RCVTIMEO takes, and SCM_TIMESTAMP gives. */
export class Timeval {
  tvSec: number;
  tvUsec: number;

  constructor(tvSec: number, tvUsec: number) {
    this.tvSec = tvSec;
    this.tvUsec = tvUsec;
  }
}

/** struct timespec: what SCM_TIMESTAMPNS gives. */
export class Timespec {
  tvSec: number;
  tvNsec: number;

  constructor(tvSec: number, tvNsec: number) {
    this.tvSec = tvSec;
    this.tvNsec = tvNsec;
  }
}

/** struct scm_timestamping: what SCM_TIMESTAMPING gives; ts[0] is the software's time, ts[2] would be the hardware's. */
export class ScmTimestamping {
  ts: [Timespec, Timespec, Timespec];

  constructor(software: Timespec) {
    this.ts = [software, new Timespec(0, 0), new Timespec(0, 0)];
  }
}

/** struct linger: what SO_LINGER takes and gives; `lLinger` in seconds. */
export class Linger {
  lOnoff: number;
  lLinger: number;

  constructor(lOnoff: number, lLinger: number) {
    this.lOnoff = lOnoff;
    this.lLinger = lLinger;
  }
}

/** Most iovecs of one message. */
export const UIO_MAXIOV = 1024;

const NO_IOV: Iovec[] = [];

/**
 * struct msghdr. A user sets msgName, msgIov and msgControl; on receiving, msgName is an address to fill (or null), and
 * `msgControllen` says how many control messages are wanted; those that came are in msgControl, MSG_CTRUNC if more were there.
 * The `msgIter…` fields, `msgCopied`, `msgRestarted` and `msgUbuf` belong to the kernel side and are set by `msgInit`.
 */
export class MsgHdr {
  msgName: SockAddr | null;
  msgNamelen: number;
  msgIov: Iovec[];
  msgIovlen: number;
  msgControl: Cmsg[] | null;
  msgControllen: number;
  msgFlags: number;
  /** Index of the iovec that the next byte goes to or comes from. */
  msgIterSeg: number;
  /** Offset of that byte in it. */
  msgIterOffset: number;
  /** Bytes between there and the end of the message. */
  msgIterCount: number;
  /** What the protocol has moved in this operation, over all its restarts. */
  msgCopied: number;
  /** The operation slept and is being done again: what happens once only (trace, checks of arguments) already has. */
  msgRestarted: boolean;
  /** The notification of this send (MSG_ZEROCOPY); the call holds one reference until it ends. */
  msgUbuf: UbufInfo | null;

  constructor() {
    this.msgName = null;
    this.msgNamelen = 0;
    this.msgIov = NO_IOV;
    this.msgIovlen = 0;
    this.msgControl = null;
    this.msgControllen = 0;
    this.msgFlags = 0;
    this.msgIterSeg = 0;
    this.msgIterOffset = 0;
    this.msgIterCount = 0;
    this.msgCopied = 0;
    this.msgRestarted = false;
    this.msgUbuf = null;
  }
}

/** A MsgHdr of these buffers, as a user builds one. */
export function makeMsgHdr(buffers: readonly Uint8Array[], name: SockAddr | null = null): MsgHdr {
  const msg = new MsgHdr();
  msg.msgName = name;
  msg.msgIov = buffers.map((buffer) => new Iovec(buffer));
  msg.msgIovlen = msg.msgIov.length;
  return msg;
}

/** The octets of a buffer; of what is none, as many as it says. */
export function msgRoom(buf: { readonly length: number } | null): number {
  return buf?.length ?? 1;
}

/** Whether what is next in the message is no memory: -EFAULT to whoever wants to copy it. */
export function msgFaults(msg: MsgHdr): boolean {
  return msg.msgIterCount > 0 && !ArrayBuffer.isView(msg.msgIov[msg.msgIterSeg]?.iovBase);
}

/** Puts the iterator at the start. Returns the bytes that the message has room for; -EINVAL if a length is not one, -EFAULT if a buffer is none. */
export function msgInit(msg: MsgHdr): number {
  let count = 0;
  for (let i = 0; i < msg.msgIovlen; i++) {
    const iov = msg.msgIov[i];
    if (iov === undefined) return -EINVAL;
    if (!ArrayBuffer.isView(iov.iovBase)) return -EFAULT;
    if (iov.iovLen < 0 || iov.iovLen > iov.iovBase.length) return -EINVAL;
    count += iov.iovLen;
  }
  msg.msgIterSeg = 0;
  msg.msgIterOffset = 0;
  msg.msgIterCount = count;
  msg.msgCopied = 0;
  msg.msgRestarted = false;
  msg.msgUbuf = null;
  return count;
}
