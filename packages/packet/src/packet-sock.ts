/*
 * PacketSock (struct packet_sock, net/packet/internal.h) and what the family owns per Net (net.packet). The socks of a Net
 * are linked by skNext and skPrev: the notifier walks them when a device goes.
 */
import type { Net } from '@stack/kernel';
import type { PacketType } from '@stack/netdev';
import { Sock, SockcmCookie } from '@stack/socket';
import type { Proto } from '@stack/socket';
import { SLL_ADDRLEN } from './if-packet.ts';

/** One membership of a sock (struct packet_mclist). */
export class PacketMclist {
  next: PacketMclist | null;
  ifindex: number;
  /** PACKET_MR_*. */
  type: number;
  count: number;
  addr: Uint8Array;

  constructor(ifindex: number, type: number, addr: Uint8Array, next: PacketMclist | null) {
    this.next = next;
    this.ifindex = ifindex;
    this.type = type;
    this.count = 1;
    this.addr = addr;
  }
}

/** A packet socket. */
export class PacketSock extends Sock {
  /** ETH_P_* that it receives; 0: nothing. */
  num: number;
  /** Of the device that it is bound to; 0: all of them; -1: that device is gone. */
  ifindex: number;
  /** What netdev calls it by; made anew when protocol or device change. */
  protHook: PacketType | null;
  /** The hook is registered. */
  running: boolean;
  auxdata: boolean;
  origdev: boolean;
  ignoreOutgoing: boolean;
  /** PACKET_STATISTICS, since it was last read; tpPackets without the dropped ones. */
  tpPackets: number;
  tpDrops: number;
  mclist: PacketMclist | null;

  constructor(net: Net, family: number, prot: Proto) {
    super(net, family, prot);
    this.num = 0;
    this.ifindex = 0;
    this.protHook = null;
    this.running = false;
    this.auxdata = false;
    this.origdev = false;
    this.ignoreOutgoing = false;
    this.tpPackets = 0;
    this.tpDrops = 0;
    this.mclist = null;
  }
}

/** A Sock whose family is PF_PACKET, as what it is. */
export function packetSk(sk: Sock): PacketSock {
  return sk as PacketSock;
}

/** The family in one Net (`net.packet`). */
export class NetnsPacket {
  sklist: PacketSock | null;
  /** The address of the packet that is being received, for a moment. */
  haddr: Uint8Array;
  haddrView: DataView;
  /** What the sendmsg that goes on says of its packet: sends of a Net do not meet. */
  sockc: SockcmCookie;

  constructor() {
    this.sklist = null;
    // Longer than any address of a link (MAX_ADDR_LEN).
    this.haddr = new Uint8Array(SLL_ADDRLEN * 4);
    this.haddrView = new DataView(this.haddr.buffer);
    this.sockc = new SockcmCookie();
  }
}

declare module '@stack/kernel' {
  interface NetLinks {
    packet: NetnsPacket;
  }
}

/** Adds a sock to the Net's list. */
export function packetSklistAdd(po: PacketSock): void {
  const { packet } = po.skNet;
  po.skPrev = null;
  po.skNext = packet.sklist;
  if (packet.sklist !== null) packet.sklist.skPrev = po;
  packet.sklist = po;
}

/** Takes it out again. */
export function packetSklistDel(po: PacketSock): void {
  const { skNext: next, skPrev: prev } = po;
  if (prev === null) po.skNet.packet.sklist = next as PacketSock | null;
  else prev.skNext = next;
  if (next !== null) next.skPrev = prev;
  po.skNext = null;
  po.skPrev = null;
}
