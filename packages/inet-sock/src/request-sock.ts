/*
 * Request socks: connections of which only the SYN has come (the kernel's request_sock and
 * inet_request_sock in one), their ops, and a listener's queue.
 *
 * A request stands in ehash beside full socks, with skState TCP_NEW_SYN_RECV, until the ACK of the
 * handshake turns it into a child, which then waits on the accept queue with the request as its link.
 */
import type { Net, SiphashKey, TimerList } from '@stack/kernel';
import type { SkBuff } from '@stack/skbuff';
import type { Sock } from '@stack/socket';
import type { InetConnectionSock } from './inet-connection-sock.ts';
import { SK_UNHASHED } from './inet-sock.ts';
import type { SockCommon } from './inet-sock.ts';

/** What an engine's carrier does for a request (one constant table per engine and carrier). */
export interface RequestSockOps {
  readonly family: number;
  /** Sends the SYN-ACK again; 0 or -errno. */
  readonly rtxSynAck: (sk: InetConnectionSock, req: RequestSock) => number;
  /** Answers skb (not consumed) with an ACK from the request's state. */
  readonly sendAck: (sk: InetConnectionSock, skb: SkBuff, req: RequestSock) => void;
  /** Answers skb (not consumed) with a reset. */
  readonly sendReset: (sk: SockCommon | null, skb: SkBuff) => void;
  /** The last reference went. */
  readonly destructor: (req: RequestSock) => void;
  /** The request timed out once more (counting it). */
  readonly synAckTimeout: (req: RequestSock) => void;
  /** How often a listener sends a SYN-ACK again (TCP_SYNCNT, net.ipv4.tcp_synack_retries). */
  readonly synAckRetries: (sk: InetConnectionSock) => number;
}

/** A connection request on a listener. */
export class RequestSock implements SockCommon {
  skNet: Net;
  skFamily: number;
  skState: number;
  skHash: number;
  /** The interface the SYN came through when the listener is bound to one (ir_iif). */
  skBoundDevIf: number;
  skRefcnt: number;
  inetDaddr: number;
  inetRcvSaddr: number;
  inetDport: number;
  inetNum: number;
  nullsNext: SockCommon | null;
  nullsPrev: SockCommon | null;
  hashedIn: number;
  rskOps: RequestSockOps;
  rskListener: InetConnectionSock | null;
  /** The child, from its making until accept(). */
  sk: Sock | null;
  /** The next on the accept queue. */
  dlNext: RequestSock | null;
  /** Made when the request joins the SYN queue. */
  rskTimer: TimerList | null;
  /** Jiffies the timer was armed for last. */
  timeout: number;
  /** The MSS the peer announced. */
  mss: number;
  numRetrans: number;
  numTimeout: number;
  syncookie: boolean;
  /** Its child was made by the SYN (Fast Open), and its handshake is not complete: the child needs it. */
  tfoListener: boolean;
  rskRcvWnd: number;
  rskWindowClamp: number;
  tsRecent: number;
  /** The SYN as it came, when TCP_SAVE_SYN asked for it. */
  savedSyn: Uint8Array | null;
  sndWscale: number;
  rcvWscale: number;
  tstampOk: boolean;
  sackOk: boolean;
  wscaleOk: boolean;
  ecnOk: boolean;
  /** The handshake's ACK came, but TCP_DEFER_ACCEPT waits for data. */
  acked: boolean;
  noSrccheck: boolean;
  irIif: number;
  irMark: number;
  ireqOpt: Uint8Array | null;

  constructor(net: Net, ops: RequestSockOps) {
    this.skNet = net;
    this.skFamily = ops.family;
    this.skState = 0;
    this.skHash = 0;
    this.skBoundDevIf = 0;
    this.skRefcnt = 0;
    this.inetDaddr = 0;
    this.inetRcvSaddr = 0;
    this.inetDport = 0;
    this.inetNum = 0;
    this.nullsNext = null;
    this.nullsPrev = null;
    this.hashedIn = SK_UNHASHED;
    this.rskOps = ops;
    this.rskListener = null;
    this.sk = null;
    this.dlNext = null;
    this.rskTimer = null;
    this.timeout = 0;
    this.mss = 0;
    this.numRetrans = 0;
    this.numTimeout = 0;
    this.syncookie = false;
    this.tfoListener = false;
    this.rskRcvWnd = 0;
    this.rskWindowClamp = 0;
    this.tsRecent = 0;
    this.savedSyn = null;
    this.sndWscale = 0;
    this.rcvWscale = 0;
    this.tstampOk = false;
    this.sackOk = false;
    this.wscaleOk = false;
    this.ecnOk = false;
    this.acked = false;
    this.noSrccheck = false;
    this.irIif = 0;
    this.irMark = 0;
    this.ireqOpt = null;
  }
}

/** A listener's counters of young and old requests, and its accept queue (FIFO). */
export class RequestSockQueue {
  rskqDeferAccept: number;
  /** 0, or the year-old flag that a SYN flood was reported. */
  synfloodWarned: number;
  /** Requests in ehash, and those of them whose SYN-ACK was not yet sent again. */
  qlen: number;
  young: number;
  /** Children of Fast Open whose handshake is not complete. */
  fastopenQlen: number;
  /** TCP_FASTOPEN: how many there may be; -1: as the sysctl says. */
  fastopenMaxQlen: number;
  /** Until when (jiffies) children of Fast Open that were reset count for it still, oldest first. */
  fastopenRst: number[];
  /** The listener's own keys of Fast Open cookies (TCP_FASTOPEN_KEY); null: the host's. */
  fastopenKeys: readonly SiphashKey[] | null;
  rskqAcceptHead: RequestSock | null;
  rskqAcceptTail: RequestSock | null;

  constructor() {
    this.rskqDeferAccept = 0;
    this.synfloodWarned = 0;
    this.qlen = 0;
    this.young = 0;
    this.fastopenQlen = 0;
    this.fastopenMaxQlen = -1;
    this.fastopenRst = [];
    this.fastopenKeys = null;
    this.rskqAcceptHead = null;
    this.rskqAcceptTail = null;
  }
}

/** Whether no child waits for accept(). */
export function reqskQueueEmpty(queue: RequestSockQueue): boolean {
  return queue.rskqAcceptHead === null;
}

/** Requests in the SYN queue. */
export function reqskQueueLen(queue: RequestSockQueue): number {
  return queue.qlen;
}

/** Requests in the SYN queue that were never retransmitted. */
export function reqskQueueLenYoung(queue: RequestSockQueue): number {
  return queue.young;
}

/** Counts a request that joined the SYN queue. */
export function reqskQueueAdded(queue: RequestSockQueue): void {
  queue.young++;
  queue.qlen++;
}

/** Counts a request that left the SYN queue. */
export function reqskQueueRemoved(queue: RequestSockQueue, req: RequestSock): void {
  if (req.numTimeout === 0) queue.young--;
  queue.qlen--;
}
