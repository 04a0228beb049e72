// TCP over IPv4
export { installTcpv4 } from './install-ipv4.ts';
export { ipv4Specific, tcpProt, tcpProtocol } from './tcp-ipv4-ops.ts';
export { tcpV4Rcv } from './tcp-ipv4.ts';
export { tcpv4Offload } from './tcp-offload.ts';
