/*
 * The numbers and structs of ip(7): options at level SOL_IP, and what they take and give.
 */

export const IP_TOS = 1;
export const IP_TTL = 2;
export const IP_HDRINCL = 3;
export const IP_OPTIONS = 4;
export const IP_ROUTER_ALERT = 5;
export const IP_RECVOPTS = 6;
export const IP_RETOPTS = 7;
export const IP_PKTINFO = 8;
export const IP_MTU_DISCOVER = 10;
export const IP_RECVERR = 11;
export const IP_RECVTTL = 12;
export const IP_RECVTOS = 13;
export const IP_MTU = 14;
export const IP_FREEBIND = 15;
export const IP_TRANSPARENT = 19;
export const IP_RECVORIGDSTADDR = 20;
export const IP_MINTTL = 21;
export const IP_NODEFRAG = 22;
export const IP_BIND_ADDRESS_NO_PORT = 24;
export const IP_RECVFRAGSIZE = 25;
export const IP_MULTICAST_IF = 32;
export const IP_MULTICAST_TTL = 33;
export const IP_MULTICAST_LOOP = 34;
export const IP_ADD_MEMBERSHIP = 35;
export const IP_DROP_MEMBERSHIP = 36;
export const IP_UNBLOCK_SOURCE = 37;
export const IP_BLOCK_SOURCE = 38;
export const IP_ADD_SOURCE_MEMBERSHIP = 39;
export const IP_DROP_SOURCE_MEMBERSHIP = 40;
export const IP_MSFILTER = 41;
export const IP_MULTICAST_ALL = 49;
export const IP_UNICAST_IF = 50;
export const IP_LOCAL_PORT_RANGE = 51;
export const IP_PROTOCOL = 52;

/** Bits of InetSock.cmsgFlags. */
export const IP_CMSG_PKTINFO = 1 << 0;
export const IP_CMSG_TTL = 1 << 1;
export const IP_CMSG_TOS = 1 << 2;
export const IP_CMSG_RECVOPTS = 1 << 3;
export const IP_CMSG_RETOPTS = 1 << 4;
export const IP_CMSG_ORIGDSTADDR = 1 << 6;
export const IP_CMSG_RECVFRAGSIZE = 1 << 8;

/** struct in_pktinfo: the data of an IP_PKTINFO control message. */
export class InPktinfo {
  /** Where the packet came in, or is to leave. */
  ipiIfindex: number;
  /** The local address it was for, in the sense of the routing table; on sending, the source. */
  ipiSpecDst: number;
  /** The destination in the packet's header. */
  ipiAddr: number;

  constructor(ipiIfindex: number, ipiSpecDst: number, ipiAddr: number) {
    this.ipiIfindex = ipiIfindex;
    this.ipiSpecDst = ipiSpecDst;
    this.ipiAddr = ipiAddr;
  }
}

/** struct ip_mreqn: a group, and the interface by index or, with index 0, by address. */
export class IpMreqn {
  imrMultiaddr: number;
  imrAddress: number;
  imrIfindex: number;

  constructor(imrMultiaddr: number, imrAddress = 0, imrIfindex = 0) {
    this.imrMultiaddr = imrMultiaddr;
    this.imrAddress = imrAddress;
    this.imrIfindex = imrIfindex;
  }
}

/** struct ip_mreq_source: a group, the interface by address (0: the one of the route), and a source. */
export class IpMreqSource {
  imrMultiaddr: number;
  imrInterface: number;
  imrSourceaddr: number;

  constructor(imrMultiaddr: number, imrInterface: number, imrSourceaddr: number) {
    this.imrMultiaddr = imrMultiaddr;
    this.imrInterface = imrInterface;
    this.imrSourceaddr = imrSourceaddr;
  }
}

/** struct ip_msfilter: a group, the interface by address, and the sources that are heard (MCAST_INCLUDE) or not (MCAST_EXCLUDE). */
export class IpMsfilter {
  imsfMultiaddr: number;
  imsfInterface: number;
  imsfFmode: number;
  imsfSlist: readonly number[];

  constructor(imsfMultiaddr: number, imsfInterface: number, imsfFmode: number, imsfSlist: readonly number[]) {
    this.imsfMultiaddr = imsfMultiaddr;
    this.imsfInterface = imsfInterface;
    this.imsfFmode = imsfFmode;
    this.imsfSlist = imsfSlist;
  }
}
