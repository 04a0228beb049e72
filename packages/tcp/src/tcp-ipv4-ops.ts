/*
 * The tables of TCP over IPv4: ipv4Specific (what the engine asks of its carrier), tcpProt (what the socket layer calls),
 * tcpProtocol (what IP calls).
 *
 * Order of calls: the system calls → tcpProt; the engine → ipv4Specific; ip_local_deliver_finish → tcpProtocol. Read first: RFC 9293 §3.9.
 */
import {
  inetCopyKey, inetCskAccept, inetCskGetPort, inetEhashfn, inetHash, inetPutPort, inetRcvSaddrConflict, inetSkMatch, inetUnhash, inNtoa,
  ipv4IsLoopback,
} from '@stack/inet-sock';
import type { InetConnectionSock, InetConnectionSockAfOps, InetHashinfo, InetSock, SockCommon } from '@stack/inet-sock';
import { INET_PROTO_ICMP_STRICT, INET_PROTO_NO_POLICY, IP_HDR_LEN, ipGetsockopt, ipQueueXmit, ipRecvError, ipSetsockopt } from '@stack/ip';
import type { InetProtocol } from '@stack/ip';
import type { Net } from '@stack/kernel';
import { SOL_IP, SOL_TCP } from '@stack/socket';
import type { Proto, ProtoMem, Sock, SockAddr, SockOptValue } from '@stack/socket';
import { secureIpv4PortEphemeral, secureTcpSeq, secureTcpTsOff } from './secure-seq.ts';
import { tcpClose, tcpShutdown } from './tcp-close.ts';
import { tcpReleaseCb } from './tcp-output-tsq.ts';
import { cookieV4Check, tcpV4ConnRequest, tcpV4SynRecvSock } from './tcp-ipv4-conn.ts';
import { tcpV4Err, tcpV4MtuReduced } from './tcp-ipv4-err.ts';
import { tcpV4ParseMd5Keys } from './tcp-ipv4-md5.ts';
import { tcpV4SendCheck, tcpV4SendReset, tcpV4TimewaitAck } from './tcp-ipv4-reply.ts';
import { inetResetSaddr, inetSkRebuildHeader, tcpV4Connect } from './tcp-ipv4-route.ts';
import { tcpV4LookupListener, tcpV4Rcv } from './tcp-ipv4.ts';
import { tcpIoctl, tcpPoll, tcpSetRcvlowat } from './tcp-poll.ts';
import { tcpDoRcv } from './tcp-rcv.ts';
import { tcpRecvmsg } from './tcp-recvmsg.ts';
import { tcpSendmsg } from './tcp-sendmsg.ts';
import { tcpGetsockopt, tcpSetsockopt } from './tcp-sockopt.ts';
import { TcpSock, tcpSk } from './tcp-sock.ts';
import { TCP_MD5SIG, TCP_MD5SIG_EXT } from './tcp-uapi.ts';
import { tcpStreamMemoryFree } from './tcp-space.ts';
import { tcpSetKeepalive } from './tcp-keepalive.ts';
import { tcpDestroySock, tcpDisconnect, tcpEnterMemoryPressure, tcpInitSock, tcpLeaveMemoryPressure } from './tcp.ts';

function tcpHashinfo(net: Net): InetHashinfo {
  return net.tcp.hashinfo;
}

function tcpV4Ehashfn(sk: SockCommon): number {
  return inetEhashfn(sk.skNet.tcp.hashinfo, sk.inetRcvSaddr, sk.inetNum, sk.inetDaddr, sk.inetDport);
}

/** Both ends on 127.0.0.0/8. */
function tcpV4IsLoopback(sk: SockCommon): boolean {
  return ipv4IsLoopback(sk.inetDaddr) || ipv4IsLoopback(sk.inetRcvSaddr);
}

function tcpV4PortOffset(sk: InetSock): number {
  return secureIpv4PortEphemeral(sk.skNet, sk.inetSaddr, sk.inetDaddr, sk.inetDport);
}

function tcpV4InitSequence(sk: InetConnectionSock): number {
  return secureTcpSeq(sk.skNet, sk.inetSaddr, sk.inetDaddr, sk.inetSport, sk.inetDport);
}

function tcpV4InitTsOff(sk: InetConnectionSock): number {
  return secureTcpTsOff(sk.skNet, sk.inetSaddr, sk.inetDaddr);
}

function tcpV4MetricsKey(sk: SockCommon): number {
  return sk.inetDaddr;
}

function tcpV4AddrText(sk: SockCommon, peer: boolean): string {
  return inNtoa(peer ? sk.inetDaddr : sk.inetRcvSaddr);
}

/** What IPv4 gives to the engine (the kernel's ipv4_specific). */
export const ipv4Specific: InetConnectionSockAfOps = {
  netHeaderLen: IP_HDR_LEN,
  queueXmit: ipQueueXmit,
  sendCheck: tcpV4SendCheck,
  rebuildHeader: inetSkRebuildHeader,
  connect: tcpV4Connect,
  connRequest: tcpV4ConnRequest,
  synRecvSock: tcpV4SynRecvSock,
  mtuReduced: tcpV4MtuReduced,
  sendReset: tcpV4SendReset,
  sendTimewaitAck: tcpV4TimewaitAck,
  cookieCheck: cookieV4Check,
  lookupListener: tcpV4LookupListener,
  hashinfo: tcpHashinfo,
  ehashfn: tcpV4Ehashfn,
  match: inetSkMatch,
  copyKey: inetCopyKey,
  rcvSaddrConflict: inetRcvSaddrConflict,
  isLoopback: tcpV4IsLoopback,
  portOffset: tcpV4PortOffset,
  initSequence: tcpV4InitSequence,
  initTsOff: tcpV4InitTsOff,
  resetSaddr: inetResetSaddr,
  recvError: ipRecvError,
  metricsKey: tcpV4MetricsKey,
  addrText: tcpV4AddrText,
};

function tcpV4ObjCreate(net: Net, family: number, prot: Proto): Sock {
  return new TcpSock(net, family, prot, ipv4Specific);
}

/** The memory account that all TCP socks of a host share. */
export function tcpMem(sk: Sock): ProtoMem {
  return sk.skNet.tcp.mem;
}

function tcpV4ProtConnect(sock: Sock, addr: SockAddr): number {
  const sk = tcpSk(sock);
  return sk.afSpecific.connect(sk, addr);
}

function tcpV4Setsockopt(sk: Sock, level: number, name: number, value: SockOptValue): number {
  if (level === SOL_TCP && (name === TCP_MD5SIG || name === TCP_MD5SIG_EXT)) return tcpV4ParseMd5Keys(tcpSk(sk), name, value);
  return level === SOL_IP ? ipSetsockopt(sk as InetSock, level, name, value) : tcpSetsockopt(sk, level, name, value);
}

function tcpV4Getsockopt(sk: Sock, level: number, name: number): number | object {
  return level === SOL_IP ? ipGetsockopt(sk as InetSock, level, name) : tcpGetsockopt(sk, level, name);
}

/** TCP over IPv4, as sockets see it. */
export const tcpProt: Proto = {
  name: 'TCP',
  objCreate: tcpV4ObjCreate,
  mem: tcpMem,
  init: tcpInitSock,
  destroy: tcpDestroySock,
  close: tcpClose,
  connect: tcpV4ProtConnect,
  disconnect: tcpDisconnect,
  accept: inetCskAccept,
  ioctl: tcpIoctl,
  shutdown: tcpShutdown,
  setsockopt: tcpV4Setsockopt,
  getsockopt: tcpV4Getsockopt,
  sendmsg: tcpSendmsg,
  recvmsg: tcpRecvmsg,
  bind: null,
  backlogRcv: tcpDoRcv,
  releaseCb: tcpReleaseCb,
  hash: inetHash,
  unhash: inetUnhash,
  getPort: inetCskGetPort,
  putPort: inetPutPort,
  streamMemoryFree: tcpStreamMemoryFreeOf,
  enterMemoryPressure: tcpEnterMemoryPressure,
  leaveMemoryPressure: tcpLeaveMemoryPressure,
  poll: tcpPoll,
  setRcvlowat: tcpSetRcvlowat,
  keepalive: tcpKeepalive,
  rehash: null,
};

function tcpStreamMemoryFreeOf(sk: Sock, wake: number): boolean {
  return tcpStreamMemoryFree(tcpSk(sk), wake);
}

function tcpKeepalive(sk: Sock, on: boolean): void {
  tcpSetKeepalive(tcpSk(sk), on);
}

/** TCP, as IP sees it. */
export const tcpProtocol: InetProtocol = {
  handler: tcpV4Rcv,
  errHandler: tcpV4Err,
  flags: INET_PROTO_NO_POLICY | INET_PROTO_ICMP_STRICT,
};
