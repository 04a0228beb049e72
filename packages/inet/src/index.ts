/* The family */
export { installInet } from './install.ts';
export { inetFamilyOps } from './af-inet.ts';

/* Kinds of sockets */
export {
  inetRegisterProtosw, inetUnregisterProtosw, INET_PROTOSW_ICSK, INET_PROTOSW_PERMANENT, INET_PROTOSW_REUSE, NetnsInet,
} from './inetsw.ts';
export type { InetProtosw } from './inetsw.ts';
export { inetDgramOps, inetStreamOps } from './inet-ops.ts';

/* What tables for further kinds are made of */
export {
  inetAutobind, inetBind, inetDgramConnect, inetGetname, inetIoctl, inetRelease, inetSendmsg, inetShutdown,
} from './af-inet.ts';
export { inetAccept, inetListen, inetStreamConnect } from './inet-stream.ts';
