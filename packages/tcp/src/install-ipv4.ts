/*
 * Gives a Net that has IP and the TCP engine TCP over IPv4: inet_protos[IPPROTO_TCP], and its part in segmentation.
 *
 * Order of calls: installTcp → installTcpv4, when a host is put together. Read first: docs/architecture.md (interfaces).
 */
import { inetAddOffload, inetAddProtocol, inetDelOffload, inetDelProtocol } from '@stack/ip';
import { netAtExit, requireNet } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { IPPROTO_TCP } from '@stack/socket';
import { tcpProtocol } from './tcp-ipv4-ops.ts';
import { tcpv4Offload } from './tcp-offload.ts';

/** Installs TCP over IPv4. Sockets come with inetRegisterProtosw(net, {… prot: tcpProt …}). */
export function installTcpv4(net: Net): void {
  requireNet(net, 'installTcpv4', 'ipv4', 'tcp');
  inetAddProtocol(net, tcpProtocol, IPPROTO_TCP);
  inetAddOffload(net, tcpv4Offload, IPPROTO_TCP);
  netAtExit(net, exitTcpv4);
}

function exitTcpv4(net: Net): void {
  inetDelProtocol(net, tcpProtocol, IPPROTO_TCP);
  inetDelOffload(net, tcpv4Offload, IPPROTO_TCP);
}
