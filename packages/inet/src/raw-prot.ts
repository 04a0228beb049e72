/*
 * Raw sockets as the layers around them see them (net/ipv4/raw.c): rawProt for the socket layer, and installRaw, which gives a
 * Net their table and makes them known to IP. Registered for IPPROTO_IP, the wildcard, they serve every protocol.
 */
import { EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL, ENOIOCTLCMD, ENOPROTOOPT, EOPNOTSUPP, netAtExit, requireNet } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { INADDR_ANY } from '@stack/inet-sock';
import type { SockAddrIn } from '@stack/inet-sock';
import {
  inetAddRawOps, inetAddrType, inetDelRawOps, ip4DatagramConnect, ip4DatagramDisconnect, ipFlushPendingFrames, ipGetsockopt, IPPROTO_ICMP,
  ipRaControl, ipSetsockopt, RTN_BROADCAST, RTN_MULTICAST,
} from '@stack/ip';
import { skbPeek } from '@stack/skbuff';
import {
  AF_INET, FIONREAD, lockSock, releaseSock, SIOCOUTQ, skCommonRelease, skDstReset, SOL_RAW, TCP_CLOSE,
} from '@stack/socket';
import type { MsgHdr, Proto, Sock, SockAddr, SockOptValue } from '@stack/socket';
import { inetBindAllowed } from './af-inet.ts';
import { inetDgramRecvmsg } from './dgram-recv.ts';
import { rawOps } from './raw-rcv.ts';
import { rawSendmsg } from './raw-send.ts';
import { ICMP_FILTER, IcmpFilter, rawHashSk, rawSk, RawSock, rawUnhashSk } from './raw-sock.ts';

/** Proto.bind: only what was sent to this address is received, and sent from it. 0, -EAFNOSUPPORT, -EADDRNOTAVAIL, -EINVAL. */
function rawBind(sock: Sock, uaddr: SockAddr): number {
  const sk = rawSk(sock);
  const addr = uaddr as SockAddrIn;
  if (addr.saFamily !== AF_INET) return -EAFNOSUPPORT;
  if (!inetBindAllowed(sk, addr.sinAddr)) return -EADDRNOTAVAIL;
  if (sk.skState !== TCP_CLOSE) return -EINVAL;
  const type = addr.sinAddr === INADDR_ANY ? 0 : inetAddrType(sk.skNet, addr.sinAddr);
  sk.inetRcvSaddr = addr.sinAddr;
  // Packets are received by a group's or a broadcast address, but not sent from it.
  sk.inetSaddr = type === RTN_MULTICAST || type === RTN_BROADCAST ? INADDR_ANY : addr.sinAddr;
  skDstReset(sk);
  return 0;
}

function rawRecvmsg(sock: Sock, msg: MsgHdr, len: number, flags: number): number {
  return inetDgramRecvmsg(rawSk(sock), msg, len, flags, 'raw_recvmsg');
}

function rawSetsockopt(sock: Sock, level: number, name: number, value: SockOptValue): number {
  const sk = rawSk(sock);
  if (level !== SOL_RAW) return ipSetsockopt(sk, level, name, value);
  if (name !== ICMP_FILTER) return -ENOPROTOOPT;
  if (sk.inetNum !== IPPROTO_ICMP) return -EOPNOTSUPP;
  if (typeof value === 'number') sk.icmpFilter = value | 0;
  else if (typeof value === 'object' && 'data' in value) sk.icmpFilter = (value as IcmpFilter).data | 0;
  else return -EINVAL;
  return 0;
}

function rawGetsockopt(sock: Sock, level: number, name: number): number | object {
  const sk = rawSk(sock);
  if (level !== SOL_RAW) return ipGetsockopt(sk, level, name);
  if (name !== ICMP_FILTER) return -ENOPROTOOPT;
  return sk.inetNum === IPPROTO_ICMP ? new IcmpFilter(sk.icmpFilter) : -EOPNOTSUPP;
}

/** Proto.ioctl: SIOCOUTQ is what is under way, FIONREAD the length of the next packet. */
function rawIoctl(sk: Sock, cmd: number): number {
  if (cmd === SIOCOUTQ) return sk.skWmemAlloc - 1;
  if (cmd === FIONREAD) return skbPeek(sk.skReceiveQueue)?.len ?? 0;
  return -ENOIOCTLCMD;
}

/** Proto.destroy: what was gathered goes. */
function rawDestroy(sock: Sock): void {
  const sk = rawSk(sock);
  lockSock(sk);
  ipFlushPendingFrames(sk);
  releaseSock(sk);
}

/** Proto.close: gone at once, from the chain of router alert too. */
function rawClose(sock: Sock, _timeout: number): number {
  ipRaControl(rawSk(sock), false);
  skCommonRelease(sock);
  return 0;
}

/** struct proto of raw sockets. */
export const rawProt: Proto = {
  name: 'RAW',
  objCreate: (net, family, prot) => new RawSock(net, family, prot),
  mem: null,
  init: null,
  destroy: rawDestroy,
  close: rawClose,
  connect: ip4DatagramConnect,
  disconnect: ip4DatagramDisconnect,
  accept: null,
  ioctl: rawIoctl,
  shutdown: null,
  setsockopt: rawSetsockopt,
  getsockopt: rawGetsockopt,
  sendmsg: rawSendmsg,
  recvmsg: rawRecvmsg,
  bind: rawBind,
  backlogRcv: null,
  releaseCb: null,
  hash: rawHashSk,
  unhash: rawUnhashSk,
  getPort: null,
  putPort: null,
  streamMemoryFree: null,
  enterMemoryPressure: null, leaveMemoryPressure: null,
  poll: null,
  setRcvlowat: null,
  keepalive: null,
  rehash: null,
};

/** Makes raw sockets known to the IP of a Net that has the family. Sockets come with inetRegisterProtosw({ prot: rawProt, … }). */
export function installRaw(net: Net): void {
  requireNet(net, 'installRaw', 'ipv4', 'inet');
  inetAddRawOps(net, rawOps);
  netAtExit(net, exitRaw);
}

function exitRaw(net: Net): void {
  inetDelRawOps(net, rawOps);
}
