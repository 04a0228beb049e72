// TCP over IPv4
export { installTcpv4 } from './install-ipv4.ts';
export { ipv4Specific, tcpProt, tcpProtocol } from './tcp-ipv4-ops.ts';
