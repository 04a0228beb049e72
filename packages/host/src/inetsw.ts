/*
 * The kinds of sockets that a whole host has: what socket(PF_INET, type, protocol) finds.
 */
import { netAtExit, type Net } from '@stack/kernel';
import {
  INET_PROTOSW_ICSK, INET_PROTOSW_PERMANENT, inetDgramOps, inetRegisterProtosw, inetStreamOps, inetUnregisterProtosw, type InetProtosw,
} from '@stack/inet';
import { IPPROTO_TCP, IPPROTO_UDP, SOCK_DGRAM, SOCK_STREAM } from '@stack/socket';
import { tcpProt } from '@stack/tcp/ipv4';
import { udpProt } from '@stack/udp/ipv4';

const inetswArray: readonly InetProtosw[] = [
  { type: SOCK_STREAM, protocol: IPPROTO_TCP, prot: tcpProt, ops: inetStreamOps, flags: INET_PROTOSW_PERMANENT | INET_PROTOSW_ICSK },
  { type: SOCK_DGRAM, protocol: IPPROTO_UDP, prot: udpProt, ops: inetDgramOps, flags: INET_PROTOSW_PERMANENT },
];

/** Registers SOCK_STREAM with TCP and SOCK_DGRAM with UDP. */
export function registerSocketKinds(net: Net): void {
  for (const kind of inetswArray) inetRegisterProtosw(net, kind);
  netAtExit(net, () => {
    for (const kind of inetswArray) inetUnregisterProtosw(net, kind);
  });
}
