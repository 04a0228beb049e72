/*
 * InetSock: what every socket of an internet family has, and SockCommon, the head that full
 * socks, request socks and time-wait socks share, so that one hash chain can hold all three.
 *
 * Ports are host-order numbers, addresses int32. A family with other addresses keeps them in
 * fields of its own; only the implementers of the tables (af_specific, the lookup of a family)
 * read the address fields, engines never do.
 */
import type { Net } from '@stack/kernel';
import type { DstEntry } from '@stack/skbuff';
import { Sock } from '@stack/socket';
import type { Proto } from '@stack/socket';

/** What the chains of the four-tuple table see of their members (the kernel's sock_common). */
export interface SockCommon {
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
  /** Which table this is in: SK_UNHASHED, SK_IN_EHASH, SK_IN_LHASH. */
  hashedIn: number;
}

/** SockCommon.hashedIn */
export const SK_UNHASHED = 0;
export const SK_IN_EHASH = 1;
export const SK_IN_LHASH = 2;

/** InetSock.inetFlags */
export const INET_FLAGS_RECVERR = 1 << 0;
export const INET_FLAGS_FREEBIND = 1 << 1;
export const INET_FLAGS_HDRINCL = 1 << 2;
export const INET_FLAGS_MC_LOOP = 1 << 3;
export const INET_FLAGS_MC_ALL = 1 << 4;
export const INET_FLAGS_TRANSPARENT = 1 << 5;
export const INET_FLAGS_IS_ICSK = 1 << 6;
export const INET_FLAGS_NODEFRAG = 1 << 7;
export const INET_FLAGS_BIND_ADDRESS_NO_PORT = 1 << 8;
export const INET_FLAGS_DEFER_CONNECT = 1 << 9;
export const INET_FLAGS_RECVERR_RFC4884 = 1 << 10;

/** InetSock.pmtudisc: what IP_MTU_DISCOVER takes. */
export const IP_PMTUDISC_DONT = 0;
export const IP_PMTUDISC_WANT = 1;
export const IP_PMTUDISC_DO = 2;
export const IP_PMTUDISC_PROBE = 3;
export const IP_PMTUDISC_INTERFACE = 4;
export const IP_PMTUDISC_OMIT = 5;

/** What a datagram socket gathers over several sends before it pushes one datagram (the kernel's inet_cork). */
export class InetCork {
  flags: number;
  addr: number;
  opt: Uint8Array | null;
  fragsize: number;
  /** Bytes gathered so far. */
  length: number;
  dst: DstEntry | null;
  ttl: number;
  tos: number;
  priority: number;
  gsoSize: number;
  txFlags: number;
  mark: number;

  constructor() {
    this.flags = 0;
    this.addr = 0;
    this.opt = null;
    this.fragsize = 0;
    this.length = 0;
    this.dst = null;
    this.ttl = 0;
    this.tos = 0;
    this.priority = 0;
    this.gsoSize = 0;
    this.txFlags = 0;
    this.mark = 0;
  }
}

/** A socket of an internet family. */
export class InetSock extends Sock implements SockCommon {
  /** Remote address and port; 0 while not connected. */
  inetDaddr: number;
  inetDport: number;
  /** The local address packets must have been sent to; 0 is any. */
  inetRcvSaddr: number;
  /** The local address put into packets sent. */
  inetSaddr: number;
  /** The local port, as bound (inetNum) and as put into packets sent (inetSport). */
  inetNum: number;
  inetSport: number;
  nullsNext: SockCommon | null;
  nullsPrev: SockCommon | null;
  hashedIn: number;
  /** The next IP identification of a connected socket. */
  inetId: number;
  tos: number;
  minTtl: number;
  /** Unicast TTL; -1 takes the route's or the host's. */
  ucTtl: number;
  pmtudisc: number;
  /** INET_FLAGS_* */
  inetFlags: number;
  /** IP_CMSG_* wanted by recvmsg. */
  cmsgFlags: number;
  /** IP options for every packet sent, as they stand in the header; null for none. */
  inetOpt: Uint8Array | null;
  ucIndex: number;
  mcTtl: number;
  mcIndex: number;
  mcAddr: number;
  /** Memberships of multicast groups; the list's type belongs to IGMP. */
  mcList: unknown;
  /** The range IP_LOCAL_PORT_RANGE gives (low | high << 16); 0 takes the host's. */
  localPortRange: number;
  cork: InetCork | null;

  constructor(net: Net, family: number, prot: Proto) {
    super(net, family, prot);
    this.inetDaddr = 0;
    this.inetDport = 0;
    this.inetRcvSaddr = 0;
    this.inetSaddr = 0;
    this.inetNum = 0;
    this.inetSport = 0;
    this.nullsNext = null;
    this.nullsPrev = null;
    this.hashedIn = SK_UNHASHED;
    this.inetId = 0;
    this.tos = 0;
    this.minTtl = 0;
    this.ucTtl = -1;
    this.pmtudisc = IP_PMTUDISC_WANT;
    this.inetFlags = INET_FLAGS_MC_LOOP | INET_FLAGS_MC_ALL;
    this.cmsgFlags = 0;
    this.inetOpt = null;
    this.ucIndex = 0;
    this.mcTtl = 1;
    this.mcIndex = 0;
    this.mcAddr = 0;
    this.mcList = null;
    this.localPortRange = 0;
    this.cork = null;
  }
}

/** Tests one of INET_FLAGS_*. */
export function inetTestBit(inet: InetSock, flag: number): boolean {
  return (inet.inetFlags & flag) !== 0;
}

/** Sets or clears one of INET_FLAGS_*. */
export function inetAssignBit(inet: InetSock, flag: number, on: boolean): void {
  inet.inetFlags = on ? inet.inetFlags | flag : inet.inetFlags & ~flag;
}
