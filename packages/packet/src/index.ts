/* The family */
export { installPacket, packetFamilyOps, packetOps, packetProto } from './af-packet.ts';
export { NetnsPacket, PacketMclist, PacketSock } from './packet-sock.ts';

/* Addresses, options and what they take */
export {
  PACKET_ADD_MEMBERSHIP, PACKET_AUXDATA, PACKET_DROP_MEMBERSHIP, PACKET_IGNORE_OUTGOING, PACKET_MR_ALLMULTI, PACKET_MR_MULTICAST,
  PACKET_MR_PROMISC, PACKET_MR_UNICAST, PACKET_ORIGDEV, PACKET_STATISTICS, PacketMreq, SockAddrLl, TP_STATUS_COPY, TP_STATUS_CSUM_VALID,
  TP_STATUS_CSUMNOTREADY, TP_STATUS_GSO_TCP, TP_STATUS_LOSING, TP_STATUS_USER, TP_STATUS_VLAN_TPID_VALID, TP_STATUS_VLAN_VALID,
  TpacketAuxdata, TpacketStats,
} from './if-packet.ts';

/* The packet path */
export { packetRcv } from './packet-rcv.ts';
export { packetSendmsg } from './packet-snd.ts';
export { packetRecvmsg } from './packet-recvmsg.ts';
