/*
 * InetConnectionSock: what a connection-oriented socket has above InetSock, and
 * InetConnectionSockAfOps, the table through which an engine reaches its carrier.
 *
 * The engine (tcp) never looks at an address: whatever a carrier must give stands in
 * af_specific, one constant object per carrier. IPv4's is ipv4Specific in @stack/tcp/ipv4.
 */
import type { Net, TimerList } from '@stack/kernel';
import type { DstEntry, SkBuff } from '@stack/skbuff';
import type { MsgHdr, Proto, Sock, SockAddr } from '@stack/socket';
import { INET_FLAGS_IS_ICSK, InetSock } from './inet-sock.ts';
import type { InetBindBucket } from './inet-bind-bucket.ts';
import type { InetHashinfo } from './inet-hashinfo.ts';
import type { SockCommon } from './inet-sock.ts';
import type { InetTimewaitSock } from './inet-timewait-sock.ts';
import type { RequestSock, RequestSockQueue } from './request-sock.ts';

/** icskPending: what the retransmit timer is armed for. */
export const ICSK_TIME_RETRANS = 1;
export const ICSK_TIME_DACK = 2;
export const ICSK_TIME_PROBE0 = 3;
export const ICSK_TIME_LOSS_PROBE = 5;
export const ICSK_TIME_REO_TIMEOUT = 6;

/** icskAckPending: why, and how urgently, an ACK is owed. */
export const ICSK_ACK_SCHED = 1;
export const ICSK_ACK_TIMER = 2;
export const ICSK_ACK_PUSHED = 4;
export const ICSK_ACK_PUSHED2 = 8;
export const ICSK_ACK_NOW = 16;
export const ICSK_ACK_NOMEM = 32;

/** What a carrier gives to a connection-oriented engine (the kernel's inet_connection_sock_af_ops). */
export interface InetConnectionSockAfOps {
  /** Bytes of the carrier's header, without options. */
  readonly netHeaderLen: number;
  /** Sends skb (consumed) to sk's peer; 0, NET_XMIT_CN, or -errno when it was not sent. */
  readonly queueXmit: (sk: InetConnectionSock, skb: SkBuff) => number;
  /** Fills in the transport checksum of an outgoing skb, or leaves it to the device (CHECKSUM_PARTIAL). */
  readonly sendCheck: (sk: InetConnectionSock, skb: SkBuff) => void;
  /** Makes sure that sk has a route; 0 or -errno. */
  readonly rebuildHeader: (sk: InetConnectionSock) => number;
  /** Connects sk to addr: route, port, initial sequence, then the engine's SYN; 0 or -errno. */
  readonly connect: (sk: InetConnectionSock, addr: SockAddr) => number;
  /** A SYN for a listener (skb not consumed); 0, or 1 when a reset is due. */
  readonly connRequest: (sk: InetConnectionSock, skb: SkBuff) => number;
  /**
   * Makes the child of a listener once the handshake is complete. dst is the route found with a
   * SYN cookie (its reference is taken) or null. reqUnhash is the request to take out of the
   * table (req itself, or null for a cookie). Returns the child, in the table, or null.
   */
  readonly synRecvSock: (
    sk: InetConnectionSock, skb: SkBuff, req: RequestSock, dst: DstEntry | null, reqUnhash: RequestSock | null,
  ) => InetConnectionSock | null;
  /** The path MTU shrank (sk.mtuInfo): take it over and retransmit. */
  readonly mtuReduced: (sk: InetConnectionSock) => void;
  /** Answers skb (not consumed) with a reset; sk may be null. */
  readonly sendReset: (sk: SockCommon | null, skb: SkBuff) => void;
  /** Answers skb (not consumed) with the ACK of a connection at rest. */
  readonly sendTimewaitAck: (tw: InetTimewaitSock, skb: SkBuff) => void;
  /** An ACK for a listener (skb not consumed): the child when it answers a SYN cookie, sk when it does not, null when nothing came of it. */
  readonly cookieCheck: (sk: InetConnectionSock, skb: SkBuff) => InetConnectionSock | null;
  /** The listener that skb's addresses name, or null. */
  readonly lookupListener: (skb: SkBuff) => InetConnectionSock | null;
  /** The tables of the engine in a Net. */
  readonly hashinfo: (net: Net) => InetHashinfo;
  /** The four-tuple's hash for ehash: a hash of all the rest, plus the local port. */
  readonly ehashfn: (sk: SockCommon) => number;
  /** Whether two members of ehash are the same four-tuple. */
  readonly match: (a: SockCommon, b: SockCommon) => boolean;
  /** Copies the four-tuple of one member to another (child of a request, time-wait of a sock). */
  readonly copyKey: (from: SockCommon, to: SockCommon) => void;
  /** Whether two local addresses are in each other's way on one port: equal, or one of them the wildcard. */
  readonly rcvSaddrConflict: (a: SockCommon, b: SockCommon) => boolean;
  /** Whether both ends are this host, by addresses that never leave it. */
  readonly isLoopback: (sk: SockCommon) => boolean;
  /** RFC 6056 §3.3.4: a keyed hash of sk's addresses and remote port. */
  readonly portOffset: (sk: InetSock) => number;
  /** Initial sequence number of an active open (RFC 6528). */
  readonly initSequence: (sk: InetConnectionSock) => number;
  /** Timestamp offset of an active open (RFC 7323 §5.4). */
  readonly initTsOff: (sk: InetConnectionSock) => number;
  /** Forgets sk's local address on disconnect, unless bind() chose it. */
  readonly resetSaddr: (sk: InetSock) => void;
  /** recvmsg with MSG_ERRQUEUE: the oldest error queued for sk into msg; its bytes, or -EAGAIN. */
  readonly recvError: (sk: InetSock, msg: MsgHdr, len: number) => number;
  /** A number that names sk's peer in the metrics cache. */
  readonly metricsKey: (sk: SockCommon) => number;
  /** The local or remote address as text, for diagnostics. */
  readonly addrText: (sk: SockCommon, peer: boolean) => string;
}

/** A connection-oriented socket. */
export class InetConnectionSock extends InetSock {
  afSpecific: InetConnectionSockAfOps;
  /** SYN queue counters and accept queue; null until listen() or TCP_DEFER_ACCEPT needs them. */
  icskAcceptQueue: RequestSockQueue | null;
  icskBindHash: InetBindBucket | null;
  /** The other owners of the same bind bucket. */
  bindNext: InetConnectionSock | null;
  bindPrev: InetConnectionSock | null;
  /** Retransmission, zero-window probe, loss probe: one timer, icskPending says which. Timers are made when they are first armed. */
  icskRetransmitTimer: TimerList | null;
  icskDelackTimer: TimerList | null;
  /** Keepalive, and FIN_WAIT2 of orphans. */
  skTimer: TimerList | null;
  /** When the pending event of icskRetransmitTimer is due (jiffies). */
  icskTimeout: number;
  /** Jiffies. */
  icskRto: number;
  icskPmtuCookie: number;
  /** TcpCongestionOps of the engine, which narrows the type, and what the algorithm keeps. */
  icskCaOps: unknown;
  icskCaPriv: unknown;
  icskCaState: number;
  icskCaInitialized: number;
  icskRetransmits: number;
  icskPending: number;
  icskBackoff: number;
  icskProbesOut: number;
  /** When the current series of zero-window probes began (jiffies), 0 for none. */
  icskProbesTstamp: number;
  icskExtHdrLen: number;
  /** ICSK_ACK_* */
  icskAckPending: number;
  icskAckQuick: number;
  icskAckPingpong: number;
  icskAckRetry: number;
  /** Delayed-ACK estimate (jiffies). */
  icskAckAto: number;
  icskAckTimeout: number;
  icskAckLrcvtime: number;
  icskAckLastSegSize: number;
  icskAckRcvMss: number;
  /** Path MTU discovery by probes (RFC 4821); null while net.ipv4.tcp_mtu_probing is 0. */
  icskMtup: IcskMtup | null;

  constructor(net: Net, family: number, prot: Proto, afSpecific: InetConnectionSockAfOps) {
    super(net, family, prot);
    this.inetFlags |= INET_FLAGS_IS_ICSK;
    this.afSpecific = afSpecific;
    this.icskAcceptQueue = null;
    this.icskBindHash = null;
    this.bindNext = null;
    this.bindPrev = null;
    this.icskRetransmitTimer = null;
    this.icskDelackTimer = null;
    this.skTimer = null;
    this.icskTimeout = 0;
    this.icskRto = 0;
    this.icskPmtuCookie = 0;
    this.icskCaOps = null;
    this.icskCaPriv = null;
    this.icskCaState = 0;
    this.icskCaInitialized = 0;
    this.icskRetransmits = 0;
    this.icskPending = 0;
    this.icskBackoff = 0;
    this.icskProbesOut = 0;
    this.icskProbesTstamp = 0;
    this.icskExtHdrLen = 0;
    this.icskAckPending = 0;
    this.icskAckQuick = 0;
    this.icskAckPingpong = 0;
    this.icskAckRetry = 0;
    this.icskAckAto = 0;
    this.icskAckTimeout = 0;
    this.icskAckLrcvtime = 0;
    this.icskAckLastSegSize = 0;
    this.icskAckRcvMss = 0;
    this.icskMtup = null;
  }
}

/** Packetization-layer path MTU discovery (the kernel's icsk_mtup). */
export class IcskMtup {
  enabled: boolean;
  searchHigh: number;
  searchLow: number;
  probeSize: number;
  /** Sequence numbers of the probe. */
  probeSeqStart: number;
  probeSeqEnd: number;
  probeTimestamp: number;

  constructor() {
    this.enabled = false;
    this.searchHigh = 0;
    this.searchLow = 0;
    this.probeSize = 0;
    this.probeSeqStart = 0;
    this.probeSeqEnd = 0;
    this.probeTimestamp = 0;
  }
}

/** The InetConnectionSock that sk is; every Sock of a connection-oriented Proto is one. */
export function inetCsk(sk: Sock): InetConnectionSock {
  return sk as InetConnectionSock;
}
