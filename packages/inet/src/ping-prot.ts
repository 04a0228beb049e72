/*
 * Ping sockets as the layers around them see them (net/ipv4/ping.c): pingProt for the socket layer, and installPing, which makes
 * them known to ICMP.
 */
import { ctlRow, EACCES, ENOIOCTLCMD, netAtExit, registerSysctlTable, requireNet } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { InetSock } from '@stack/inet-sock';
import { inetAddPingOps, inetDelPingOps, ip4DatagramConnect, ip4DatagramDisconnect, ipGetsockopt, ipSetsockopt } from '@stack/ip';
import { skbPeek } from '@stack/skbuff';
import { FIONREAD, SIOCOUTQ, skCommonRelease } from '@stack/socket';
import type { MsgHdr, Proto, Sock, SockOptValue } from '@stack/socket';
import { inetDgramRecvmsg } from './dgram-recv.ts';
import { pingGetPort, pingUnhash } from './ping-table.ts';
import { pingOps, pingV4Sendmsg } from './ping.ts';

/** The group of every task: a host here has one user, root. */
const ROOT_GID = 0;

/** Greatest group (GID_T_MAX). */
const GID_MAX = 0x7fffffff;

/** Proto.init: 0, or -EACCES if net.ipv4.ping_group_range does not have the task's group. */
function pingInitSock(sk: Sock): number {
  const range = sk.skNet.inet.sysctlPingGroupRange;
  return (range[0] as number) <= ROOT_GID && ROOT_GID <= (range[1] as number) ? 0 : -EACCES;
}

function pingRecvmsg(sock: Sock, msg: MsgHdr, len: number, flags: number): number {
  return inetDgramRecvmsg(sock as InetSock, msg, len, flags, 'ping_recvmsg');
}

/** Proto.close: gone at once. */
function pingClose(sk: Sock, _timeout: number): number {
  skCommonRelease(sk);
  return 0;
}

function pingSetsockopt(sk: Sock, level: number, name: number, value: SockOptValue): number {
  return ipSetsockopt(sk as InetSock, level, name, value);
}

function pingGetsockopt(sk: Sock, level: number, name: number): number | object {
  return ipGetsockopt(sk as InetSock, level, name);
}

function pingIoctl(sk: Sock, cmd: number): number {
  if (cmd === SIOCOUTQ) return sk.skWmemAlloc - 1;
  if (cmd === FIONREAD) return skbPeek(sk.skReceiveQueue)?.len ?? 0;
  return -ENOIOCTLCMD;
}

/** struct proto of ping sockets. */
export const pingProt: Proto = {
  name: 'PING',
  objCreate: (net, family, prot) => new InetSock(net, family, prot),
  mem: null,
  init: pingInitSock,
  destroy: null,
  close: pingClose,
  connect: ip4DatagramConnect,
  disconnect: ip4DatagramDisconnect,
  accept: null,
  ioctl: pingIoctl,
  shutdown: null,
  setsockopt: pingSetsockopt,
  getsockopt: pingGetsockopt,
  sendmsg: pingV4Sendmsg,
  recvmsg: pingRecvmsg,
  bind: null,
  backlogRcv: null,
  releaseCb: null,
  hash: null,
  unhash: pingUnhash,
  getPort: pingGetPort,
  putPort: null,
  streamMemoryFree: null,
  enterMemoryPressure: null, leaveMemoryPressure: null,
  poll: null,
  setRcvlowat: null,
  keepalive: null,
  rehash: null,
};

/** Makes ping sockets known to the ICMP of a Net that has the family. Sockets come with inetRegisterProtosw({ prot: pingProt, … }). */
export function installPing(net: Net): void {
  requireNet(net, 'installPing', 'ipv4', 'inet');
  registerSysctlTable(net, [ctlRow('net.ipv4.ping_group_range', net.inet, 'sysctlPingGroupRange', 'intvec', { min: 0, max: GID_MAX })]);
  inetAddPingOps(net, pingOps);
  netAtExit(net, exitPing);
}

function exitPing(net: Net): void {
  inetDelPingOps(net, pingOps);
}
