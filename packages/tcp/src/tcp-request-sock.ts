/*
 * The small socks of TCP: TcpRequestSock (a connection of which only the SYN has come), its carrier's table, and
 * TcpTimewaitSock (one at rest). Their behaviour is in tcp-minisocks.ts and tcp-input-conn.ts.
 *
 * Order of calls: tcpConnRequest makes a request, tcpTimeWait a time-wait sock. Read first: RFC 9293 §3.3.2; RFC 4987 §3.
 */
import { InetTimewaitSock, RequestSock } from '@stack/inet-sock';
import type { InetConnectionSockAfOps, RequestSockOps } from '@stack/inet-sock';
import type { Net, SiphashKey } from '@stack/kernel';
import type { DstEntry, SkBuff } from '@stack/skbuff';
import type { Proto } from '@stack/socket';
import type { TcpFastopenCookie } from './tcp-fastopen-cookie.ts';
import type { TcpMd5sigInfo } from './tcp-md5.ts';
import type { TcpSock } from './tcp-sock.ts';

/** sendSynack's type. */
export const TCP_SYNACK_NORMAL = 0;
export const TCP_SYNACK_FASTOPEN = 1;
export const TCP_SYNACK_COOKIE = 2;

/** What a carrier does for connection requests (the kernel's tcp_request_sock_ops). */
export interface TcpRequestSockOps {
  /** MSS taken for a peer that says nothing. */
  readonly mssClamp: number;
  /** Fills the addresses of req from skb, and finds the route back; its reference is the caller's. Null: none, drop. */
  readonly routeReq: (sk: TcpSock, skb: SkBuff, req: TcpRequestSock) => DstEntry | null;
  /** False for a carrier without routes: then routeReq's null is no failure. */
  readonly hasRoutes: boolean;
  /** Initial sequence number for the answer to skb (RFC 6528). */
  readonly initSeq: (skb: SkBuff) => number;
  /** Timestamp offset for the answer to skb. */
  readonly initTsOff: (net: Net, skb: SkBuff) => number;
  /** A SYN cookie for skb; rounds req.mss to what the cookie can say. */
  /** The Fast Open cookie of the sender of skb by `key`; null: the carrier has none. */
  readonly fastopenCookie: ((skb: SkBuff, key: SiphashKey) => Uint8Array) | null;
  readonly cookieInitSeq: (skb: SkBuff, req: TcpRequestSock) => number;
  /**
   * Sends the SYN-ACK of req by dst, TCP_SYNACK_*; synSkb is the SYN, or null on a retransmission. dst null: finds the
   * route itself. The references stay the caller's. 0 or -errno.
   */
  readonly sendSynack: (sk: TcpSock, dst: DstEntry | null, req: TcpRequestSock, type: number, synSkb: SkBuff | null) => number;
}

/** A connection request of TCP. */
export class TcpRequestSock extends RequestSock {
  afSpecific: TcpRequestSockOps;
  /** Initial sequence numbers: the peer's, and ours. */
  rcvIsn: number;
  sntIsn: number;
  rcvNxt: number;
  /** Offset of our timestamps, and the first and last of them that were sent. */
  tsOff: number;
  sntTsvalFirst: number;
  sntTsvalLast: number;
  /** When the SYN-ACK was first sent (µs), 0 when it was sent again. */
  sntSynack: number;
  lastOowAckTime: number;
  txhash: number;
  /** TOS of the SYN. */
  synTos: number;
  /** The Fast Open option of the first SYN-ACK; null: none. */
  fastopenCookie: TcpFastopenCookie | null;

  constructor(net: Net, ops: RequestSockOps, afSpecific: TcpRequestSockOps) {
    super(net, ops);
    this.afSpecific = afSpecific;
    this.rcvIsn = 0;
    this.sntIsn = 0;
    this.rcvNxt = 0;
    this.tsOff = 0;
    this.sntTsvalFirst = 0;
    this.sntTsvalLast = 0;
    this.sntSynack = 0;
    this.lastOowAckTime = 0;
    this.txhash = 0;
    this.synTos = 0;
    this.fastopenCookie = null;
  }
}

/** A connection in TIME_WAIT, or an orphan's in FIN_WAIT2. */
export class TcpTimewaitSock extends InetTimewaitSock {
  twRcvNxt: number;
  twSndNxt: number;
  twRcvWnd: number;
  twTsOffset: number;
  twTsRecent: number;
  /** When twTsRecent was taken (seconds), 0: timestamps are off. */
  twTsRecentStamp: number;
  twLastOowAckTime: number;
  /** The key that its ACKs are signed with. */
  twMd5: TcpMd5sigInfo | null;
  /** When it began (ms of the timestamp clock). */
  twEntryStamp: number;

  constructor(net: Net, prot: Proto, afSpecific: InetConnectionSockAfOps) {
    super(net, prot, afSpecific);
    this.twRcvNxt = 0;
    this.twSndNxt = 0;
    this.twRcvWnd = 0;
    this.twTsOffset = 0;
    this.twTsRecent = 0;
    this.twTsRecentStamp = 0;
    this.twLastOowAckTime = 0;
    this.twMd5 = null;
    this.twEntryStamp = 0;
  }
}

/** The TcpRequestSock that a member of ehash in TCP_NEW_SYN_RECV is. */
export function tcpRsk(req: RequestSock): TcpRequestSock {
  return req as TcpRequestSock;
}

/** The TcpTimewaitSock that a member of ehash in TCP_TIME_WAIT is. */
export function tcpTwsk(tw: InetTimewaitSock): TcpTimewaitSock {
  return tw as TcpTimewaitSock;
}
