/*
 * Options at SOL_PACKET (net/packet/af_packet.c, packet(7)): memberships, statistics, and what recvmsg adds.
 */
import { EINVAL, ENOPROTOOPT } from '@stack/kernel';
import { SOL_PACKET } from '@stack/socket';
import type { Sock, Socket, SockOptValue } from '@stack/socket';
import {
  PACKET_ADD_MEMBERSHIP, PACKET_AUXDATA, PACKET_DROP_MEMBERSHIP, PACKET_IGNORE_OUTGOING, PACKET_ORIGDEV, PACKET_STATISTICS, TpacketStats,
} from './if-packet.ts';
import type { PacketMreq } from './if-packet.ts';
import { packetMcAdd, packetMcDrop } from './packet-mc.ts';
import { packetSk } from './packet-sock.ts';
import type { PacketSock } from './packet-sock.ts';

/** ProtoOps.setsockopt: 0, -ENOPROTOOPT, -EINVAL, or what the membership said. */
export function packetSetsockopt(sock: Socket, level: number, name: number, value: SockOptValue): number {
  if (level !== SOL_PACKET) return -ENOPROTOOPT;
  const po = packetSk(sock.sk as Sock);
  if (name === PACKET_ADD_MEMBERSHIP || name === PACKET_DROP_MEMBERSHIP) {
    if (typeof value !== 'object' || !('mrIfindex' in value) || !('mrAddress' in value)) return -EINVAL;
    const mreq = value as PacketMreq;
    return name === PACKET_ADD_MEMBERSHIP ? packetMcAdd(po, mreq) : packetMcDrop(po, mreq);
  }
  return typeof value === 'number' ? setFlag(po, name, value !== 0) : -EINVAL;
}

function setFlag(po: PacketSock, name: number, on: boolean): number {
  switch (name) {
    case PACKET_AUXDATA:
      po.auxdata = on;
      return 0;
    case PACKET_ORIGDEV:
      po.origdev = on;
      return 0;
    case PACKET_IGNORE_OUTGOING:
      po.ignoreOutgoing = on;
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

/** ProtoOps.getsockopt: the value, or -ENOPROTOOPT. Reading PACKET_STATISTICS begins to count anew. */
export function packetGetsockopt(sock: Socket, level: number, name: number): number | object {
  if (level !== SOL_PACKET) return -ENOPROTOOPT;
  const po = packetSk(sock.sk as Sock);
  switch (name) {
    case PACKET_STATISTICS: {
      const stats = new TpacketStats(po.tpPackets + po.tpDrops, po.tpDrops);
      po.tpPackets = 0;
      po.tpDrops = 0;
      return stats;
    }
    case PACKET_AUXDATA:
      return Number(po.auxdata);
    case PACKET_ORIGDEV:
      return Number(po.origdev);
    case PACKET_IGNORE_OUTGOING:
      return Number(po.ignoreOutgoing);
    default:
      return -ENOPROTOOPT;
  }
}
