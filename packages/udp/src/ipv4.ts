/* UDP over IPv4 */
export { installUdpv4, UDP_CORK, udpProt, udpProtocol } from './ipv4-prot.ts';
export { udpErr } from './udp-err.ts';
export { udpQueueRcvSkb, udpRcv } from './udp-rcv.ts';
export { udpRecvmsg } from './udp-recv.ts';
export { udpFlushPendingFrames, udpPushPendingFrames, udpSendmsg } from './udp-send.ts';
