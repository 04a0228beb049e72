// The engine of a Net
export { installTcp } from './install.ts';
export { NetnsTcp } from './netns-tcp.ts';

// Structs
export { TcpOptionsReceived, TcpSock, tcpSk } from './tcp-sock.ts';
export { TcpRequestSock, TcpTimewaitSock, tcpRsk, tcpTwsk } from './tcp-request-sock.ts';
export type { TcpRequestSockOps } from './tcp-request-sock.ts';

// What `ss` shows
export { tcpDiag } from './tcp-diag.ts';
export type { TcpDiagRow, TcpDiagTimer } from './tcp-diag.ts';
export type { TcpInfo } from './tcp-info.ts';
