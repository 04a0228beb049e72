/*
 * TcpSock: the state of one connection (RFC 9293 §3.3.1, with what the extensions add), and
 * TcpOptionsReceived, what the peer's options said.
 *
 * Sequence numbers are int32 and wrap; windows and counts are in bytes or segments as said; times
 * are jiffies unless they end in Us or Mstamp (microseconds, int32, wrapping). Counters of bytes
 * start at -0, so that the engine keeps them as doubles from the first store.
 * Order of calls: none, data alone; tcpInitSock gives the first values.
 */
import { InetConnectionSock } from '@stack/inet-sock';
import type { InetConnectionSockAfOps } from '@stack/inet-sock';
import type { Net } from '@stack/kernel';
import { RbRoot, SkBuffHead } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import type { Proto, Sock } from '@stack/socket';
import type { TcpChrono } from './tcp-chrono.ts';
import type { TcpCongestionOps } from './tcp-cong.ts';
import type { TcpRack } from './tcp-recovery.ts';
import { TcpSockOpts } from './tcp-sock-opts.ts';
import { TcpRtoStats, TcpSockRare, TcpTfo } from './tcp-sock-rare.ts';
import { Minmax } from './win-minmax.ts';

/** What the options of the segment at hand (saw…, rcv…) and of the handshake said (the kernel's tcp_options_received). */
export class TcpOptionsReceived {
  /** When tsRecent was taken (seconds of the TCP clock), and the peer's timestamp that is echoed. */
  tsRecentStamp: number;
  tsRecent: number;
  rcvTsval: number;
  rcvTsecr: number;
  sawTstamp: boolean;
  tstampOk: boolean;
  /** A DSACK is to be sent. */
  dsack: boolean;
  wscaleOk: boolean;
  /** 0, or TCP_SACK_SEEN and TCP_DSACK_SEEN. */
  sackOk: number;
  sndWscale: number;
  rcvWscale: number;
  /** Number of SACK blocks to send. */
  numSacks: number;
  /** MSS asked for by TCP_MAXSEG, 0 for none. */
  userMss: number;
  /** The largest MSS the peer takes. */
  mssClamp: number;

  constructor() {
    this.tsRecentStamp = 0;
    this.tsRecent = 0;
    this.rcvTsval = 0;
    this.rcvTsecr = 0;
    this.sawTstamp = false;
    this.tstampOk = false;
    this.dsack = false;
    this.wscaleOk = false;
    this.sackOk = 0;
    this.sndWscale = 0;
    this.rcvWscale = 0;
    this.numSacks = 0;
    this.userMss = 0;
    this.mssClamp = 0;
  }
}

/** TcpOptionsReceived.sackOk */
export const TCP_SACK_SEEN = 1 << 0;
export const TCP_DSACK_SEEN = 1 << 2;

/** TcpSock.nonagle */
export const TCP_NAGLE_OFF = 1;
export const TCP_NAGLE_CORK = 2;
export const TCP_NAGLE_PUSH = 4;

/** TcpSock.ecnFlags */
export const TCP_ECN_OK = 1;
export const TCP_ECN_QUEUE_CWR = 2;
export const TCP_ECN_DEMAND_CWR = 4;
export const TCP_ECN_SEEN = 8;

/** TcpSock.urgData: the urgent byte is to come, is valid (low 8 bits), was read. */
export const TCP_URG_VALID = 0x0100;
export const TCP_URG_NOTYET = 0x0200;
export const TCP_URG_READ = 0x0400;

/** TcpSock.tsqFlags: work put off while a system call owned the sock; tcpReleaseCb does it. */
export const TCPF_TSQ_DEFERRED = 1 << 2;
export const TCPF_WRITE_TIMER_DEFERRED = 1 << 3;
export const TCPF_DELACK_TIMER_DEFERRED = 1 << 4;
export const TCPF_MTU_REDUCED_DEFERRED = 1 << 5;
export const TCPF_ACK_DEFERRED = 1 << 7;

/** icskCaState */
export const TCP_CA_Open = 0;
export const TCP_CA_Disorder = 1;
export const TCP_CA_CWR = 2;
export const TCP_CA_Recovery = 3;
export const TCP_CA_Loss = 4;

/** A TCP connection, or listener. */
export class TcpSock extends InetConnectionSock {
  declare icskCaOps: TcpCongestionOps;
  declare icskCaPriv: object | null;

  /** Bytes of the TCP header with the options every segment carries. */
  tcpHeaderLen: number;
  rxOpt: TcpOptionsReceived;
  /** TCPF_*_DEFERRED */
  tsqFlags: number;
  /** The engine's clock: µs when this entry began, refreshed by tcpMstampRefresh. */
  tcpMstamp: number;
  /** Word 3 of the header that the fast path expects: length, ACK, window; 0 = no fast path. */
  predFlags: number;
  /** Added to the ms clock in the timestamp option. */
  tsoffset: number;

  // Receive sequence space and window (RFC 9293 §3.3.1).
  rcvNxt: number;
  /** The next byte that recvmsg reads. */
  copiedSeq: number;
  /** rcvNxt when the last window update went out. */
  rcvWup: number;
  rcvWnd: number;
  rcvSsthresh: number;
  windowClamp: number;
  /** 2⁻⁸ths of a receive buffer's memory that are payload; for tcpWinFromSpace. */
  scalingRatio: number;
  rcvTstamp: number;
  lastOowAckTime: number;
  /** Segments beyond a hole (tcp-input-ofo.ts), and the last of them. */
  outOfOrderQueue: RbRoot;
  oooLastSkb: SkBuff | null;
  duplicateSackStart: number;
  duplicateSackEnd: number;
  /** SACK blocks to send, as start/end pairs; made with the first hole. */
  selectiveAcks: Int32Array | null;
  urgData: number;
  urgSeq: number;
  rcvRttEstUs: number;
  rcvRttEstSeq: number;
  rcvRttEstTime: number;
  /** The echo that the last sample of rcvRttEstUs came from. */
  rcvRttLastTsecr: number;
  rcvqSpaceSpace: number;
  rcvqSpaceSeq: number;
  rcvqSpaceTime: number;

  // Send sequence space and window.
  sndUna: number;
  sndNxt: number;
  /** Last byte of the last small segment sent (Minshall's Nagle). */
  sndSml: number;
  sndWl1: number;
  sndWnd: number;
  maxWindow: number;
  /** Tail of the data written, and of the data that must be pushed. */
  writeSeq: number;
  pushedSeq: number;
  sndUp: number;
  mssCache: number;
  advmss: number;
  /** Segments of the largest sk_buff that is built now. */
  gsoSegs: number;
  nonagle: number;
  /** Sent and not yet acknowledged, by sequence; what is not yet sent waits in skWriteQueue. */
  tcpRtxQueue: SkBuffHead;
  lsndtime: number;
  /** Hash of the flow (tcp-txhash.ts), 0 = none. */
  skTxhash: number;
  ecnFlags: number;

  // Round-trip time (RFC 6298), all µs; srttUs is 8 times, mdevUs 4 times the value.
  srttUs: number;
  mdevUs: number;
  mdevMaxUs: number;
  rttvarUs: number;
  rttSeq: number;
  /** Windowed minimum of the RTT, by jiffies. */
  rttMin: Minmax;

  // Congestion control and loss recovery, in segments.
  packetsOut: number;
  retransOut: number;
  lostOut: number;
  sackedOut: number;
  maxPacketsOut: number;
  cwndUsageSeq: number;
  isCwndLimited: number;
  sndCwnd: number;
  sndSsthresh: number;
  sndCwndCnt: number;
  sndCwndClamp: number;
  sndCwndUsed: number;
  sndCwndStamp: number;
  priorCwnd: number;
  priorSsthresh: number;
  prrDelivered: number;
  prrOut: number;
  delivered: number;
  deliveredCe: number;
  lost: number;
  appLimited: number;
  firstTxMstamp: number;
  deliveredMstamp: number;
  rateDelivered: number;
  rateIntervalUs: number;
  rateAppLimited: number;
  highSeq: number;
  tlpHighSeq: number;
  /** The loss probe was a retransmission. */
  tlpRetrans: boolean;
  /** The peer dropped what it had SACKed; until this recovery ends. */
  isSackReneg: boolean;
  retransStamp: number;
  undoMarker: number;
  undoRetrans: number;
  totalRetrans: number;
  reordering: number;
  reordSeen: number;
  frto: number;
  retransmitSkbHint: SkBuff | null;
  highestSack: SkBuff | null;
  /** What is in flight in the order of its last sending, oldest first; linked by left (older) and right (RFC 8985). */
  tsortedFirst: SkBuff | null;
  tsortedLast: SkBuff | null;
  /** Number of the last transmission: which of two was later, where the clock's tick does not tell. */
  xmitSerial: number;
  /** RACK's state; made with the first delivery. */
  rack: TcpRack | null;
  /** The SACK blocks of the last ACK, as start/end pairs; made with the first. */
  recvSackCache: Int32Array | null;
  /** The MTU an ICMP error reported while a system call owned the sock. */
  mtuInfo: number;

  /** What the sender waits for; made with the first data. */
  chrono: TcpChrono | null;
  /** A writer found no room, and none was there since (SOCK_NOSPACE). */
  noSpace: boolean;

  // Counters for TCP_INFO.
  bytesSent: number;
  bytesAcked: number;
  bytesReceived: number;
  bytesRetrans: number;
  segsIn: number;
  segsOut: number;
  dataSegsIn: number;
  dataSegsOut: number;
  dsackDups: number;
  rcvOoopack: number;

  /** What setsockopt has changed; shared while nothing is (tcpOwnOpts). */
  opts: TcpSockOpts;
  /** What few connections have: made on use. */
  rare: TcpSockRare | null;

  constructor(net: Net, family: number, prot: Proto, afSpecific: InetConnectionSockAfOps) {
    super(net, family, prot, afSpecific);
    this.tcpHeaderLen = 0;
    this.rxOpt = new TcpOptionsReceived();
    this.tsqFlags = 0;
    this.tcpMstamp = 0;
    this.predFlags = 0;
    this.tsoffset = 0;
    this.rcvNxt = 0;
    this.copiedSeq = 0;
    this.rcvWup = 0;
    this.rcvWnd = 0;
    this.rcvSsthresh = 0;
    this.windowClamp = 0;
    this.scalingRatio = 0;
    this.rcvTstamp = 0;
    this.lastOowAckTime = 0;
    this.outOfOrderQueue = new RbRoot();
    this.oooLastSkb = null;
    this.duplicateSackStart = 0;
    this.duplicateSackEnd = 0;
    this.selectiveAcks = null;
    this.urgData = 0;
    this.urgSeq = 0;
    this.rcvRttEstUs = 0;
    this.rcvRttEstSeq = 0;
    this.rcvRttEstTime = 0;
    this.rcvRttLastTsecr = 0;
    this.rcvqSpaceSpace = 0;
    this.rcvqSpaceSeq = 0;
    this.rcvqSpaceTime = 0;
    this.sndUna = 0;
    this.sndNxt = 0;
    this.sndSml = 0;
    this.sndWl1 = 0;
    this.sndWnd = 0;
    this.maxWindow = 0;
    this.writeSeq = 0;
    this.pushedSeq = 0;
    this.sndUp = 0;
    this.mssCache = 0;
    this.advmss = 0;
    this.gsoSegs = 0;
    this.nonagle = 0;
    this.tcpRtxQueue = new SkBuffHead();
    this.lsndtime = 0;
    this.skTxhash = 0;
    this.ecnFlags = 0;
    this.srttUs = 0;
    this.mdevUs = 0;
    this.mdevMaxUs = 0;
    this.rttvarUs = 0;
    this.rttSeq = 0;
    this.rttMin = new Minmax();
    this.packetsOut = 0;
    this.retransOut = 0;
    this.lostOut = 0;
    this.sackedOut = 0;
    this.maxPacketsOut = 0;
    this.cwndUsageSeq = 0;
    this.isCwndLimited = 0;
    this.sndCwnd = 0;
    this.sndSsthresh = 0;
    this.sndCwndCnt = 0;
    this.sndCwndClamp = 0;
    this.sndCwndUsed = 0;
    this.sndCwndStamp = 0;
    this.priorCwnd = 0;
    this.priorSsthresh = 0;
    this.prrDelivered = 0;
    this.prrOut = 0;
    this.delivered = 0;
    this.deliveredCe = 0;
    this.lost = 0;
    this.appLimited = 0;
    this.firstTxMstamp = 0;
    this.deliveredMstamp = 0;
    this.rateDelivered = 0;
    this.rateIntervalUs = 0;
    this.rateAppLimited = 0;
    this.highSeq = 0;
    this.tlpHighSeq = 0;
    this.tlpRetrans = false;
    this.isSackReneg = false;
    this.retransStamp = 0;
    this.undoMarker = 0;
    this.undoRetrans = 0;
    this.totalRetrans = 0;
    this.reordering = 0;
    this.reordSeen = 0;
    this.frto = 0;
    this.retransmitSkbHint = null;
    this.highestSack = null;
    this.tsortedFirst = null;
    this.tsortedLast = null;
    this.xmitSerial = 0;
    this.rack = null;
    this.recvSackCache = null;
    this.mtuInfo = 0;
    this.chrono = null;
    this.noSpace = false;
    this.bytesSent = -0;
    this.bytesAcked = -0;
    this.bytesReceived = -0;
    this.bytesRetrans = -0;
    this.segsIn = 0;
    this.segsOut = 0;
    this.dataSegsIn = 0;
    this.dataSegsOut = 0;
    this.dsackDups = 0;
    this.rcvOoopack = 0;
    this.opts = net.tcp.defaultOpts;
    this.rare = null;
  }
}

/** The TcpSock that sk is; every Sock of a TCP Proto is one. */
export function tcpSk(sk: Sock): TcpSock {
  return sk as TcpSock;
}

/** The struct for what few connections use; made on first use. */
export function tcpRare(sk: TcpSock): TcpSockRare {
  if (sk.rare === null) sk.rare = new TcpSockRare();
  return sk.rare;
}

/** Fast Open's state of sk, made on first use. */
export function tcpTfo(sk: TcpSock): TcpTfo {
  return (tcpRare(sk).tfo ??= new TcpTfo());
}

/** Fast Open's state of sk; null if it has never had to do with it. */
export function tcpTfoOf(sk: TcpSock): TcpTfo | null {
  return sk.rare === null ? null : sk.rare.tfo;
}

/** The counts of sk's timeouts, made on first use. */
export function tcpRtoStats(sk: TcpSock): TcpRtoStats {
  return (tcpRare(sk).rtoStats ??= new TcpRtoStats());
}

/** sk's options for writing: its own, copied when it shared them. */
export function tcpOwnOpts(sk: TcpSock): TcpSockOpts {
  if (sk.opts.shared) {
    const own = new TcpSockOpts();
    Object.assign(own, sk.opts);
    own.shared = false;
    sk.opts = own;
  }
  return sk.opts;
}

/** child has the options of sk from here on, until one of them changes its own. */
export function tcpShareOpts(sk: TcpSock, child: TcpSock): void {
  sk.opts.shared = true;
  child.opts = sk.opts;
}
