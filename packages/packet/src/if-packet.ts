/*
 * The numbers and structs of packet sockets (include/linux/if_packet.h, packet(7)), Linux's own values. PACKET_HOST,
 * PACKET_OUTGOING and the other values of sllPkttype are in @stack/netdev.
 */
import { AF_PACKET, SockAddr } from '@stack/socket';

/* Options at SOL_PACKET. */
export const PACKET_ADD_MEMBERSHIP = 1;
export const PACKET_DROP_MEMBERSHIP = 2;
export const PACKET_STATISTICS = 6;
export const PACKET_AUXDATA = 8;
export const PACKET_ORIGDEV = 9;
export const PACKET_IGNORE_OUTGOING = 23;

/* PacketMreq.mrType. */
export const PACKET_MR_MULTICAST = 0;
export const PACKET_MR_PROMISC = 1;
export const PACKET_MR_ALLMULTI = 2;
export const PACKET_MR_UNICAST = 3;

/* Bits of TpacketAuxdata.tpStatus. */
export const TP_STATUS_USER = 1 << 0;
export const TP_STATUS_COPY = 1 << 1;
export const TP_STATUS_LOSING = 1 << 2;
/** The transport's checksum is not computed yet: the device was to do it. */
export const TP_STATUS_CSUMNOTREADY = 1 << 3;
/** The frame had a VLAN tag, which the device took out: tpVlanTci is its. */
export const TP_STATUS_VLAN_VALID = 1 << 4;
export const TP_STATUS_VLAN_TPID_VALID = 1 << 6;
/** The transport's checksum was verified. */
export const TP_STATUS_CSUM_VALID = 1 << 7;
/** A packet of many segments, not cut yet (or merged). */
export const TP_STATUS_GSO_TCP = 1 << 8;

/** Octets of an address that SockAddrLl and PacketMreq have room for. */
export const SLL_ADDRLEN = 8;

/** struct sockaddr_ll: an address of the link layer. For bind: protocol and interface; for sending: protocol, interface, address. */
export class SockAddrLl extends SockAddr {
  /** ETH_P_*. */
  sllProtocol: number;
  sllIfindex: number;
  /** ARPHRD_*; set on receiving only. */
  sllHatype: number;
  /** PACKET_HOST, PACKET_OUTGOING …; set on receiving only. */
  sllPkttype: number;
  /** Octets of sllAddr in use. */
  sllHalen: number;
  sllAddr: Uint8Array;

  constructor(sllProtocol = 0, sllIfindex = 0, sllAddr: Uint8Array | null = null) {
    super(AF_PACKET);
    this.sllProtocol = sllProtocol;
    this.sllIfindex = sllIfindex;
    this.sllHatype = 0;
    this.sllPkttype = 0;
    this.sllHalen = sllAddr === null ? 0 : sllAddr.length;
    this.sllAddr = new Uint8Array(SLL_ADDRLEN);
    if (sllAddr !== null) this.sllAddr.set(sllAddr.subarray(0, SLL_ADDRLEN));
  }
}

/** Can `addr` hold an address of the link layer? By its fields, so that a struct from another copy of this package will do. */
export function isSockAddrLl(addr: SockAddr): addr is SockAddrLl {
  return 'sllAddr' in addr;
}

/** struct packet_mreq: what PACKET_ADD_MEMBERSHIP and PACKET_DROP_MEMBERSHIP take. */
export class PacketMreq {
  mrIfindex: number;
  /** PACKET_MR_*. */
  mrType: number;
  mrAlen: number;
  mrAddress: Uint8Array;

  constructor(mrIfindex: number, mrType: number, mrAddress: Uint8Array | null = null) {
    this.mrIfindex = mrIfindex;
    this.mrType = mrType;
    this.mrAlen = mrAddress === null ? 0 : mrAddress.length;
    this.mrAddress = mrAddress ?? new Uint8Array(SLL_ADDRLEN);
  }
}

/** struct tpacket_stats: what PACKET_STATISTICS gives. */
export class TpacketStats {
  /** Packets that the filter let pass, the dropped ones among them. */
  tpPackets: number;
  /** Those of them that found no room in the receive buffer. */
  tpDrops: number;

  constructor(tpPackets: number, tpDrops: number) {
    this.tpPackets = tpPackets;
    this.tpDrops = tpDrops;
  }
}

/** struct tpacket_auxdata: the data of a PACKET_AUXDATA control message. */
export class TpacketAuxdata {
  /** TP_STATUS_*. */
  tpStatus: number;
  /** Octets of the packet, before the filter cut it. */
  tpLen: number;
  /** Octets of it that are here. */
  tpSnaplen: number;
  /** Where the link-layer header begins, and the network header, in what recvmsg gives. */
  tpMac: number;
  tpNet: number;
  tpVlanTci: number;
  tpVlanTpid: number;

  constructor(tpStatus: number, tpLen: number, tpSnaplen: number, tpNet: number) {
    this.tpStatus = tpStatus;
    this.tpLen = tpLen;
    this.tpSnaplen = tpSnaplen;
    this.tpMac = 0;
    this.tpNet = tpNet;
    this.tpVlanTci = 0;
    this.tpVlanTpid = 0;
  }
}
