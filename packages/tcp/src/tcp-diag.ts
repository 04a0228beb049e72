/*
 * What `ss -tan` shows, as plain data: every listener, connection, request and time-wait sock of a host.
 *
 * Order of calls: host.show.sockets → tcpDiag. Read first: RFC 9293 §3.3.2 (the states); ss(8).
 */
import { tcpStateNames } from '@stack/inet-sock';
import type { InetConnectionSockAfOps, InetTimewaitSock, RequestSock, SockCommon } from '@stack/inet-sock';
import { timerPending } from '@stack/kernel';
import type { Net, TimerList } from '@stack/kernel';
import { TCP_CLOSE, TCP_LISTEN, TCP_NEW_SYN_RECV, TCP_TIME_WAIT } from '@stack/socket';
import { tcpGetInfo } from './tcp-info.ts';
import type { TcpInfo } from './tcp-info.ts';
import type { TcpSock } from './tcp-sock.ts';

/** A row of `ss`. */
export interface TcpDiagRow {
  netid: 'tcp';
  /** As `ss` writes it: ESTAB, LISTEN, TIME-WAIT … */
  state: string;
  /** Bytes not yet read; for a listener, connections not yet accepted. */
  recvQ: number;
  /** Bytes not yet acknowledged; for a listener, its backlog. */
  sendQ: number;
  localAddress: string;
  localPort: number;
  peerAddress: string;
  peerPort: number;
  /** The timer that runs, as `ss -o`: on, keepalive, timewait, persist; null for none. */
  timer: TcpDiagTimer | null;
  /** TCP_INFO of a connection; null for requests and time-wait. */
  info: TcpInfo | null;
  /** Name of its congestion control; null where there is none. */
  congestion: string | null;
}

/** A timer of a row. */
export interface TcpDiagTimer {
  name: 'on' | 'keepalive' | 'timewait' | 'persist';
  /** Milliseconds until it fires. */
  expires: number;
  retrans: number;
}

function timerLeft(net: Net, timer: TimerList): number {
  return Math.max((timer.expires - net.world.jiffies) | 0, 0);
}

function sockTimer(sk: TcpSock): TcpDiagTimer | null {
  const net = sk.skNet;
  const write = sk.icskRetransmitTimer;
  if (write !== null && timerPending(write)) {
    const persist = sk.packetsOut === 0;
    return {
      name: persist ? 'persist' : 'on',
      expires: timerLeft(net, write),
      retrans: persist ? sk.icskProbesOut : sk.icskRetransmits,
    };
  }
  const keepalive = sk.skTimer;
  if (sk.skState !== TCP_LISTEN && keepalive !== null && timerPending(keepalive)) {
    return { name: 'keepalive', expires: timerLeft(net, keepalive), retrans: sk.icskProbesOut };
  }
  return null;
}

function row(sk: SockCommon, af: InetConnectionSockAfOps, state: number): TcpDiagRow {
  return {
    netid: 'tcp',
    state: tcpStateNames[state] ?? 'UNKNOWN',
    recvQ: 0,
    sendQ: 0,
    localAddress: af.addrText(sk, false),
    localPort: sk.inetNum,
    peerAddress: af.addrText(sk, true),
    peerPort: sk.inetDport,
    timer: null,
    info: null,
    congestion: null,
  };
}

function sockRow(sk: TcpSock): TcpDiagRow {
  const out = row(sk, sk.afSpecific, sk.skState);
  const listens = sk.skState === TCP_LISTEN;
  out.recvQ = listens ? sk.skAckBacklog : Math.max((sk.rcvNxt - sk.copiedSeq) | 0, 0);
  out.sendQ = listens ? sk.skMaxAckBacklog : (sk.writeSeq - sk.sndUna) | 0;
  out.timer = sockTimer(sk);
  out.info = tcpGetInfo(sk);
  out.congestion = sk.icskCaOps.name;
  return out;
}

function timewaitRow(tw: InetTimewaitSock): TcpDiagRow {
  const out = row(tw, tw.twAfSpecific, tw.twSubstate);
  if (tw.twTimer !== null) out.timer = { name: 'timewait', expires: timerLeft(tw.skNet, tw.twTimer), retrans: 0 };
  return out;
}

function requestRow(req: RequestSock): TcpDiagRow | null {
  if (req.rskListener === null) return null;
  const out = row(req, req.rskListener.afSpecific, TCP_NEW_SYN_RECV);
  if (req.rskTimer !== null) out.timer = { name: 'on', expires: timerLeft(req.skNet, req.rskTimer), retrans: req.numRetrans };
  return out;
}

function anyRow(sk: SockCommon): TcpDiagRow | null {
  if (sk.skState === TCP_TIME_WAIT) return timewaitRow(sk as InetTimewaitSock);
  if (sk.skState === TCP_NEW_SYN_RECV) return requestRow(sk as unknown as RequestSock);
  return sk.skState === TCP_CLOSE ? null : sockRow(sk as TcpSock);
}

function chainRows(chains: readonly (SockCommon | null)[], rows: TcpDiagRow[]): void {
  for (const first of chains) {
    for (let sk = first; sk !== null; sk = sk.nullsNext) {
      const out = anyRow(sk);
      if (out !== null) rows.push(out);
    }
  }
}

/** Every TCP sock of a host that is in a table: listeners first, the rest by local and remote port. */
export function tcpDiag(net: Net): TcpDiagRow[] {
  const listeners: TcpDiagRow[] = [];
  const others: TcpDiagRow[] = [];
  chainRows(net.tcp.hashinfo.lhash, listeners);
  chainRows(net.tcp.hashinfo.ehash, others);
  listeners.sort((a, b) => a.localPort - b.localPort);
  others.sort((a, b) => a.localPort - b.localPort || a.peerPort - b.peerPort);
  return [...listeners, ...others];
}
