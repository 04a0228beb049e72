// The engine of a Net
export { installTcp } from './install.ts';
export { NetnsTcp } from './netns-tcp.ts';

// Structs
export { TcpOptionsReceived, TcpSock, tcpSk } from './tcp-sock.ts';
export { TcpRequestSock, TcpTimewaitSock, tcpRsk, tcpTwsk } from './tcp-request-sock.ts';
export type { TcpRequestSockOps } from './tcp-request-sock.ts';
