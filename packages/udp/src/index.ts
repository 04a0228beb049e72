/* UDP in a Net */
export { installUdp } from './install.ts';
export { NetnsUdp, udpSk, UdpSock, UdpTable } from './udp-sock.ts';
export {
  UDP_MIB_CSUMERRORS, UDP_MIB_IGNOREDMULTI, UDP_MIB_INDATAGRAMS, UDP_MIB_INERRORS, UDP_MIB_MEMERRORS, UDP_MIB_NOPORTS, UDP_MIB_OUTDATAGRAMS,
  UDP_MIB_RCVBUFERRORS, UDP_MIB_SNDBUFERRORS, udpMibNames,
} from './udp-mib.ts';

/* The header */
export {
  UDP_CHECK, UDP_DEST, UDP_HLEN, UDP_LEN, UDP_MAX_LEN, UDP_SOURCE, udpCheck, udpDest, udpLen, udpSource,
} from './udp-hdr.ts';

/* What an instance for a carrier is made of */
export { inetRcvSaddrEqual, udpEhashfn, udpLibGetPort, udpLibRehash, udpLibUnhash, udpPortChain } from './udp-table.ts';
export { udp4LibLookup, udpIsMcastSock } from './udp-lookup.ts';
export {
  __udpQueueRcvSkb, udpDestructSock, udpInitSock, udpIoctl, udpLibClose, udpMem, udpPending,
} from './udp-queue.ts';
