/*
 * What few connections have, in structs that are made on use: of Fast Open, of timeouts, and TcpSockRare, which holds them.
 *
 * Order of calls: none, data alone; tcpRare, tcpTfo and tcpRtoStats (tcp-sock.ts) make them.
 * Read first: RFC 7413 §4 (Fast Open); RFC 6298 §5 (timeouts).
 */
import type { MsgHdr } from '@stack/socket';
import type { TcpFastopenCookie } from './tcp-fastopen-cookie.ts';
import type { TcpSackCompression } from './tcp-input-sackcomp.ts';
import type { TcpMd5sigInfo } from './tcp-md5.ts';
import type { TcpPacing } from './tcp-output-pacing.ts';
import type { TcpRequestSock } from './tcp-request-sock.ts';

/** TcpTfo.fastopenClientFail: what the client did not get out of Fast Open. */
const TFO_STATUS_UNSPEC = 0;
export const TFO_COOKIE_UNAVAILABLE = 1;
export const TFO_DATA_NOT_ACKED = 2;
export const TFO_SYN_RETRANSMITTED = 3;

/** What a Fast Open SYN is made of (struct tcp_fastopen_request). */
export interface TcpFastopenReq {
  cookie: TcpFastopenCookie;
  /** The message whose first octets it may take. */
  msg: MsgHdr | null;
  size: number;
  /** Octets that it took. */
  copied: number;
}

/** A connection of Fast Open (RFC 7413). */
export class TcpTfo {
  /** A server's child: its request until the handshake is complete. */
  fastopenRsk: TcpRequestSock | null;
  /** While the SYN is being made. */
  fastopenReq: TcpFastopenReq | null;
  /** The SYN had the option; the experimental one; had data; and the data was acknowledged (on a server: taken). */
  synFastopen: boolean;
  synFastopenExp: boolean;
  synData: boolean;
  synDataAcked: boolean;
  /** The first SYN with the option after a pause (tcp-fastopen-blackhole.ts): if data comes, there was no firewall. */
  synFastopenCh: boolean;
  /** A server's child that a Fast Open SYN has made. */
  synFastopenChild: boolean;
  /** TFO_*: what became of the client's Fast Open. */
  fastopenClientFail: number;
  /** A sendmsg with MSG_FASTOPEN waits for the handshake. */
  fastopenWait: boolean;

  constructor() {
    this.fastopenRsk = null;
    this.fastopenReq = null;
    this.synFastopen = false;
    this.synFastopenExp = false;
    this.synData = false;
    this.synDataAcked = false;
    this.synFastopenCh = false;
    this.synFastopenChild = false;
    this.fastopenClientFail = TFO_STATUS_UNSPEC;
    this.fastopenWait = false;
  }
}

/** Retransmission timeouts, for TCP_INFO. */
export class TcpRtoStats {
  /** All; times that the connection began to have some; ms until it had recovered; when the last began (0: over). */
  totalRto: number;
  totalRtoRecoveries: number;
  totalRtoTime: number;
  rtoStamp: number;
  /** Timeouts that thought of another skTxhash. */
  timeoutRehash: number;

  constructor() {
    this.totalRto = 0;
    this.totalRtoRecoveries = 0;
    this.totalRtoTime = 0;
    this.rtoStamp = 0;
    this.timeoutRehash = 0;
  }
}

/** What few connections use. */
export class TcpSockRare {
  /** The SYN, kept by TCP_SAVE_SYN until TCP_SAVED_SYN asks for it. */
  savedSyn: Uint8Array | null;
  tfo: TcpTfo | null;
  rtoStats: TcpRtoStats | null;
  /** A sendmsg that waits for the handshake has data for the segment that ends it. */
  writePending: boolean;
  /** The sock is paced, by its engine or by an fq. */
  pacing: TcpPacing | null;
  /** TCP_MD5SIG: the keys. */
  md5sigInfo: TcpMd5sigInfo | null;
  /** ACKs of what is out of order that are saved. */
  sackCompression: TcpSackCompression | null;

  constructor() {
    this.savedSyn = null;
    this.tfo = null;
    this.rtoStats = null;
    this.writePending = false;
    this.pacing = null;
    this.md5sigInfo = null;
    this.sackCompression = null;
  }
}
