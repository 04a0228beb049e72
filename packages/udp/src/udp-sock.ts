/*
 * UdpSock and what UDP keeps per Net (struct udp_sock, udp_table; net.udp). Socks are in two tables: by local port, for
 * all, and by four-tuple, for connected ones, so that a server with many connected socks on one port finds each at once.
 */
import { SnmpMib } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { InetSock } from '@stack/inet-sock';
import { ProtoMem } from '@stack/socket';
import type { Proto, Sock } from '@stack/socket';
import { udpMibNames } from './udp-mib.ts';

/** A UDP socket. In the port table it is linked by skNext and skPrev. */
export class UdpSock extends InetSock {
  /** AF_INET while a corked datagram is being gathered, else 0. */
  pending: number;
  /** UDP_CORK. */
  corkflag: boolean;
  /** Where it is hashed: chain of the port table, -1 when in none. */
  udpPortSlot: number;
  /** Chain of the four-tuple table, -1 when in none (not connected). */
  udpHash4Slot: number;
  udpHash4Next: UdpSock | null;
  udpHash4Prev: UdpSock | null;
  /** The flow of the corked datagram. */
  corkSaddr: number;
  corkDaddr: number;
  corkDport: number;

  constructor(net: Net, family: number, prot: Proto) {
    super(net, family, prot);
    this.pending = 0;
    this.corkflag = false;
    this.udpPortSlot = -1;
    this.udpHash4Slot = -1;
    this.udpHash4Next = null;
    this.udpHash4Prev = null;
    this.corkSaddr = 0;
    this.corkDaddr = 0;
    this.corkDport = 0;
  }
}

/** A Sock whose protocol is UDP, as what it is. */
export function udpSk(sk: Sock): UdpSock {
  return sk as UdpSock;
}

/** Chains that a table begins with; it doubles as it fills. */
const UDP_HTABLE_SIZE_MIN = 256;

/** struct udp_table. */
export class UdpTable {
  /** By local port. */
  hash: (UdpSock | null)[];
  count: number;
  /** By four-tuple, connected socks only. */
  hash4: (UdpSock | null)[];
  count4: number;
  /** Keys the four-tuple hash, so that nobody outside can make chains long. */
  secret: number;

  constructor(secret: number) {
    this.hash = new Array<UdpSock | null>(UDP_HTABLE_SIZE_MIN).fill(null);
    this.count = 0;
    this.hash4 = new Array<UdpSock | null>(UDP_HTABLE_SIZE_MIN).fill(null);
    this.count4 = 0;
    this.secret = secret;
  }
}

/** UDP in one Net (`net.udp`). */
export class NetnsUdp {
  table: UdpTable;
  mib: SnmpMib;
  mem: ProtoMem;
  /** What the carrier's sendmsg knows of the send that goes on; one is enough, for sends do not meet. */
  cookie: object | null;

  constructor(secret: number) {
    this.table = new UdpTable(secret);
    this.mib = new SnmpMib('Udp', udpMibNames);
    this.mem = new ProtoMem(Int32Array.of(94848, 126464, 189696), Int32Array.of(4096, 0, 0), Int32Array.of(4096, 0, 0));
    this.cookie = null;
  }
}

declare module '@stack/kernel' {
  interface NetLinks {
    udp: NetnsUdp;
  }
}
