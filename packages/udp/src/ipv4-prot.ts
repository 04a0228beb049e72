/*
 * UDP over IPv4 as the layers around it see it: udpProt for sockets, udpProtocol for inet_protos, and what installs them.
 */
import { ENOPROTOOPT, netAtExit, requireNet } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import {
  inetAddProtocol, inetDelProtocol, ip4DatagramConnect, ip4DatagramDisconnect, ipGetsockopt, ipSetsockopt,
} from '@stack/ip';
import type { InetProtocol } from '@stack/ip';
import { IPPROTO_UDP, lockSock, releaseSock, SOL_UDP } from '@stack/socket';
import type { Proto, Sock, SockOptValue } from '@stack/socket';
import { udpErr } from './udp-err.ts';
import { udpInitSock, udpIoctl, udpLibClose, udpMem, __udpQueueRcvSkb } from './udp-queue.ts';
import { udpRcv } from './udp-rcv.ts';
import { udpRecvmsg } from './udp-recv.ts';
import { udpFlushPendingFrames, udpPushPendingFrames, udpSendmsg } from './udp-send.ts';
import { udpSk, UdpSock } from './udp-sock.ts';
import { udpLibGetPort, udpLibRehash, udpLibUnhash } from './udp-table.ts';

/** Option at SOL_UDP: gather what is sent until it is switched off. udp(7). */
export const UDP_CORK = 1;

function udpSetsockopt(sock: Sock, level: number, name: number, value: SockOptValue): number {
  if (level !== SOL_UDP) return ipSetsockopt(udpSk(sock), level, name, value);
  if (name !== UDP_CORK || typeof value !== 'number') return -ENOPROTOOPT;
  const sk = udpSk(sock);
  sk.corkflag = value !== 0;
  if (sk.corkflag) return 0;
  lockSock(sk);
  udpPushPendingFrames(sk);
  releaseSock(sk);
  return 0;
}

function udpGetsockopt(sock: Sock, level: number, name: number): number | object {
  if (level !== SOL_UDP) return ipGetsockopt(udpSk(sock), level, name);
  return name === UDP_CORK ? Number(udpSk(sock).corkflag) : -ENOPROTOOPT;
}

/** Proto.destroy: what was gathered goes. */
function udpDestroySock(sk: Sock): void {
  lockSock(sk);
  udpFlushPendingFrames(udpSk(sk));
  releaseSock(sk);
}

/** struct proto of UDP over IPv4. */
export const udpProt: Proto = {
  name: 'UDP',
  objCreate: (net, family, prot) => new UdpSock(net, family, prot),
  mem: udpMem,
  init: udpInitSock,
  destroy: udpDestroySock,
  close: udpLibClose,
  connect: ip4DatagramConnect,
  disconnect: ip4DatagramDisconnect,
  accept: null,
  ioctl: udpIoctl,
  shutdown: null,
  setsockopt: udpSetsockopt,
  getsockopt: udpGetsockopt,
  sendmsg: udpSendmsg,
  recvmsg: udpRecvmsg,
  bind: null,
  backlogRcv: __udpQueueRcvSkb,
  releaseCb: null,
  hash: null,
  unhash: udpLibUnhash,
  getPort: udpLibGetPort,
  putPort: null,
  streamMemoryFree: null,
  enterMemoryPressure: null, leaveMemoryPressure: null,
  poll: null,
  setRcvlowat: null,
  keepalive: null,
  rehash: udpLibRehash,
};

/** UDP as IP sees it. */
export const udpProtocol: InetProtocol = { handler: udpRcv, errHandler: udpErr, flags: 0 };

/** Gives IPv4 of a Net, on which installUdp was called, its UDP. Sockets come with inetRegisterProtosw({ prot: udpProt, … }). */
export function installUdpv4(net: Net): void {
  requireNet(net, 'installUdpv4', 'ipv4', 'udp');
  inetAddProtocol(net, udpProtocol, IPPROTO_UDP);
  netAtExit(net, exitUdpv4);
}

function exitUdpv4(net: Net): void {
  inetDelProtocol(net, udpProtocol, IPPROTO_UDP);
}
