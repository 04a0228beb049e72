/*
 * InetTimewaitSock: what is kept of a connection that rests in TIME_WAIT (or in an orphaned
 * FIN_WAIT2): a small object that takes the full sock's place in ehash, with a timer of its own.
 */
import type { Net, TimerList } from '@stack/kernel';
import type { Proto } from '@stack/socket';
import type { InetBindBucket } from './inet-bind-bucket.ts';
import type { InetConnectionSockAfOps } from './inet-connection-sock.ts';
import { SK_UNHASHED } from './inet-sock.ts';
import type { SockCommon } from './inet-sock.ts';

/** A connection at rest. An engine extends it with what it must answer stragglers with. */
export class InetTimewaitSock implements SockCommon {
  skNet: Net;
  skFamily: number;
  skState: number;
  skHash: number;
  skBoundDevIf: number;
  skRefcnt: number;
  inetDaddr: number;
  inetRcvSaddr: number;
  inetDport: number;
  inetNum: number;
  nullsNext: SockCommon | null;
  nullsPrev: SockCommon | null;
  hashedIn: number;
  twProt: Proto;
  twAfSpecific: InetConnectionSockAfOps;
  /** TCP_TIME_WAIT, or TCP_FIN_WAIT2 while the peer's FIN is out. */
  twSubstate: number;
  twReuse: number;
  twReuseport: boolean;
  /** The rest was scheduled short: its end counts as killed. */
  twKill: boolean;
  twTos: number;
  twMark: number;
  twPriority: number;
  twRcvWscale: number;
  /** Made by inetTwskInit. */
  twTimer: TimerList | null;
  twTb: InetBindBucket | null;
  twBindNext: InetTimewaitSock | null;
  twBindPrev: InetTimewaitSock | null;

  constructor(net: Net, prot: Proto, afSpecific: InetConnectionSockAfOps) {
    this.skNet = net;
    this.skFamily = 0;
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
    this.twProt = prot;
    this.twAfSpecific = afSpecific;
    this.twSubstate = 0;
    this.twReuse = 0;
    this.twReuseport = false;
    this.twKill = false;
    this.twTos = 0;
    this.twMark = 0;
    this.twPriority = 0;
    this.twRcvWscale = 0;
    this.twTimer = null;
    this.twTb = null;
    this.twBindNext = null;
    this.twBindPrev = null;
  }
}
