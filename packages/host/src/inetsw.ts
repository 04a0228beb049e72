/*
 * The kinds of sockets that a whole host has: what socket(PF_INET, type, protocol) finds.
 */
import { netAtExit, type Net } from '@stack/kernel';
import {
  INET_PROTOSW_ICSK, INET_PROTOSW_PERMANENT, INET_PROTOSW_REUSE, inetDgramOps, inetRegisterProtosw, inetSockrawOps, inetStreamOps,
  inetUnregisterProtosw, pingProt, rawProt, type InetProtosw,
} from '@stack/inet';
import { IPPROTO_ICMP, IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM } from '@stack/socket';
import { tcpProt } from '@stack/tcp/ipv4';
import { udpProt } from '@stack/udp/ipv4';

const inetswArray: readonly InetProtosw[] = [
  { type: SOCK_STREAM, protocol: IPPROTO_TCP, prot: tcpProt, ops: inetStreamOps, flags: INET_PROTOSW_PERMANENT | INET_PROTOSW_ICSK },
  { type: SOCK_DGRAM, protocol: IPPROTO_UDP, prot: udpProt, ops: inetDgramOps, flags: INET_PROTOSW_PERMANENT },
  { type: SOCK_DGRAM, protocol: IPPROTO_ICMP, prot: pingProt, ops: inetSockrawOps, flags: INET_PROTOSW_REUSE },
  // IPPROTO_IP is the wildcard: every protocol.
  { type: SOCK_RAW, protocol: IPPROTO_IP, prot: rawProt, ops: inetSockrawOps, flags: INET_PROTOSW_REUSE },
];

/** Registers SOCK_STREAM with TCP, SOCK_DGRAM with UDP and ICMP (ping), SOCK_RAW with all protocols. */
export function registerSocketKinds(net: Net): void {
  for (const kind of inetswArray) inetRegisterProtosw(net, kind);
  netAtExit(net, () => {
    for (const kind of inetswArray) inetUnregisterProtosw(net, kind);
  });
}
