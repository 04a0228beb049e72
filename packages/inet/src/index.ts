/* The family */
export { installInet } from './install.ts';
export { inetFamilyOps } from './af-inet.ts';

/* Kinds of sockets */
export {
  inetRegisterProtosw, inetUnregisterProtosw, INET_PROTOSW_ICSK, INET_PROTOSW_PERMANENT, INET_PROTOSW_REUSE, NetnsInet,
} from './inetsw.ts';
export type { InetProtosw } from './inetsw.ts';
export { inetDgramOps, inetSockrawOps, inetStreamOps } from './inet-ops.ts';

/* Raw and ping sockets */
export { installRaw, rawProt } from './raw-prot.ts';
export { ICMP_FILTER, IcmpFilter, RawHashinfo, RawSock } from './raw-sock.ts';
export { rawOps } from './raw-rcv.ts';
export { rawSendmsg } from './raw-send.ts';
export { installPing, pingProt } from './ping-prot.ts';
export { pingOps, pingV4Sendmsg } from './ping.ts';
export { PingTable } from './ping-table.ts';

/* What tables for further kinds are made of */
export {
  inetAutobind, inetBind, inetDgramConnect, inetGetname, inetIoctl, inetRelease, inetSendmsg, inetShutdown,
} from './af-inet.ts';
export { inetAccept, inetListen, inetStreamConnect } from './inet-stream.ts';
