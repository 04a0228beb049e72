/*
 * The address family PF_INET (net/ipv4/af_inet.c): making a socket, and the operations that all its types share. The
 * tables that are made of them are in inet-ops.ts; connections are in inet-stream.ts.
 */
import {
  EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EINVAL, ENOTCONN, EPROTONOSUPPORT, ESOCKTNOSUPPORT,
} from '@stack/kernel';
import type { Net } from '@stack/kernel';
import {
  INADDR_ANY, inetAssignBit, inetTestBit, INET_FLAGS_BIND_ADDRESS_NO_PORT, INET_FLAGS_FREEBIND, INET_FLAGS_HDRINCL,
  INET_FLAGS_TRANSPARENT, IP_PMTUDISC_DONT, IP_PMTUDISC_WANT, TCPF_CLOSE, TCPF_SYN_RECV, TCPF_SYN_SENT,
} from '@stack/inet-sock';
import type { InetSock, SockAddrIn } from '@stack/inet-sock';
import { inetAddrType, ipMcDropSocket, RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST } from '@stack/ip';
import {
  AF_INET, AF_UNSPEC, IPPROTO_RAW, lockSock, MSG_DONTWAIT, O_NONBLOCK, PF_INET, RCV_SHUTDOWN, releaseSock, SK_CAN_REUSE,
  skAlloc, skCommonRelease, skDstReset, skIoctl, SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK, SOCK_LINGER, SOCK_RAW, sockFlag, sockInitData,
  SS_CONNECTED, SS_CONNECTING, SS_DISCONNECTING, SS_UNCONNECTED, TCP_CLOSE, TCP_LISTEN, TCP_SYN_SENT,
} from '@stack/socket';
import type { MsgHdr, NetProtoFamily, Sock, SockAddr, Socket, SockOptValue } from '@stack/socket';
import { inetswFind, INET_PROTOSW_REUSE } from './inetsw.ts';

/** The sock of a socket of this family; every operation is called on a live one. */
export function inetSk(sock: Socket): InetSock {
  return sock.sk as InetSock;
}

/** NetProtoFamily.create: finds the protocol in inetsw and makes its Sock. 0 or -errno. */
function inetCreate(net: Net, sock: Socket, protocol: number): number {
  if (protocol < 0 || protocol > 255) return -EINVAL;
  const answer = inetswFind(net, sock.type, protocol);
  if (answer === null) return inetswEmpty(net, sock.type) ? -ESOCKTNOSUPPORT : -EPROTONOSUPPORT;
  sock.state = SS_UNCONNECTED;
  sock.ops = answer.ops;
  const sk = skAlloc(net, PF_INET, answer.prot) as InetSock;
  sockInitData(sock, sk);
  if ((answer.flags & INET_PROTOSW_REUSE) !== 0) sk.skReuse = SK_CAN_REUSE;
  sk.skProtocol = protocol === 0 ? answer.protocol : protocol;
  sk.pmtudisc = net.ipv4.sysctlIpNoPmtuDisc !== 0 ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT;
  if (sock.type === SOCK_RAW) {
    sk.inetNum = sk.skProtocol;
    if (sk.skProtocol === IPPROTO_RAW) inetAssignBit(sk, INET_FLAGS_HDRINCL, true);
  }
  const err = inetCreateFinish(sk);
  if (err < 0) {
    sock.sk = null;
    skCommonRelease(sk);
  }
  return err;
}

/** The protocol's part: raw socks are in their table from the start, then Proto.init. */
function inetCreateFinish(sk: InetSock): number {
  if (sk.inetNum !== 0) {
    sk.inetSport = sk.inetNum;
    const err = sk.skProt.hash === null ? 0 : sk.skProt.hash(sk);
    if (err < 0) return err;
  }
  return sk.skProt.init === null ? 0 : sk.skProt.init(sk);
}

function inetswEmpty(net: Net, type: number): boolean {
  return (net.inet.inetsw[type] ?? []).length === 0;
}

/** inet_family_ops. */
export const inetFamilyOps: NetProtoFamily = {
  family: PF_INET,
  create: inetCreate,
};

/** release: the last descriptor is gone. 0, or -EAGAIN while the protocol lingers (SO_LINGER). */
export function inetRelease(sock: Socket): number {
  const { sk } = sock;
  if (sk === null) return 0;
  ipMcDropSocket(sk as InetSock);
  // The time itself is measured by whoever sleeps.
  const timeout = sockFlag(sk, SOCK_LINGER) ? sk.skLingertime : 0;
  if (sk.skProt.close(sk, timeout) === -EAGAIN) return -EAGAIN;
  sock.sk = null;
  return 0;
}

/** May a socket be bound to `addr`? */
export function inetBindAllowed(sk: InetSock, addr: number): boolean {
  if (addr === INADDR_ANY || inetTestBit(sk, INET_FLAGS_FREEBIND) || inetTestBit(sk, INET_FLAGS_TRANSPARENT)) return true;
  if (sk.skNet.ipv4.sysctlIpNonlocalBind !== 0) return true;
  const type = inetAddrType(sk.skNet, addr);
  return type === RTN_LOCAL || type === RTN_MULTICAST || type === RTN_BROADCAST;
}

/** bind: -EADDRNOTAVAIL for an address that is not ours, -EADDRINUSE, -EINVAL if it is bound already. */
export function inetBind(sock: Socket, uaddr: SockAddr): number {
  const sk = inetSk(sock);
  if (sk.skProt.bind !== null) return sk.skProt.bind(sk, uaddr);
  const addr = uaddr as SockAddrIn;
  if (addr.saFamily !== AF_INET && (addr.saFamily !== AF_UNSPEC || addr.sinAddr !== INADDR_ANY)) return -EAFNOSUPPORT;
  if (!(addr.sinPort >= 0 && addr.sinPort <= 0xffff)) return -EINVAL;
  if (!inetBindAllowed(sk, addr.sinAddr)) return -EADDRNOTAVAIL;
  lockSock(sk);
  const err = inetBindLocked(sk, addr);
  releaseSock(sk);
  return err;
}

function inetBindLocked(sk: InetSock, addr: SockAddrIn): number {
  if (sk.skState !== TCP_CLOSE || sk.inetNum !== 0) return -EINVAL;
  const type = addr.sinAddr === INADDR_ANY ? RTN_LOCAL : inetAddrType(sk.skNet, addr.sinAddr);
  sk.inetRcvSaddr = addr.sinAddr;
  // Packets are received by a group's or a broadcast address, but not sent from it.
  sk.inetSaddr = type === RTN_MULTICAST || type === RTN_BROADCAST ? INADDR_ANY : addr.sinAddr;
  const { getPort } = sk.skProt;
  if ((addr.sinPort !== 0 || !inetTestBit(sk, INET_FLAGS_BIND_ADDRESS_NO_PORT)) && getPort !== null) {
    if (getPort(sk, addr.sinPort) !== 0) {
      sk.inetRcvSaddr = INADDR_ANY;
      sk.inetSaddr = INADDR_ANY;
      return -EADDRINUSE;
    }
  }
  if (sk.inetRcvSaddr !== INADDR_ANY) sk.skUserlocks |= SOCK_BINDADDR_LOCK;
  if (addr.sinPort !== 0) sk.skUserlocks |= SOCK_BINDPORT_LOCK;
  sk.inetSport = sk.inetNum;
  sk.inetDaddr = 0;
  sk.inetDport = 0;
  skDstReset(sk);
  return 0;
}

/** Gives a sock that has no port one. 0, or -EAGAIN if there is none. */
export function inetAutobind(sk: InetSock): number {
  if (sk.inetNum !== 0 || sk.skProt.getPort === null) return 0;
  lockSock(sk);
  const err = sk.skProt.getPort(sk, 0);
  if (err === 0) sk.inetSport = sk.inetNum;
  releaseSock(sk);
  return err === 0 ? 0 : -EAGAIN;
}

/** connect of datagram sockets: AF_UNSPEC dissolves the association. */
export function inetDgramConnect(sock: Socket, addr: SockAddr, flags: number): number {
  const sk = inetSk(sock);
  const { connect, disconnect } = sk.skProt;
  if (addr.saFamily === AF_UNSPEC) return disconnect === null ? -EINVAL : disconnect(sk, flags);
  const err = inetAutobind(sk);
  if (err < 0) return err;
  return connect === null ? -EINVAL : connect(sk, addr);
}

/** getname: fills `addr`. */
export function inetGetname(sock: Socket, uaddr: SockAddr, peer: boolean): number {
  const sk = inetSk(sock);
  const addr = uaddr as SockAddrIn;
  if (peer) {
    if (sk.inetDport === 0 || sk.skState === TCP_CLOSE || sk.skState === TCP_SYN_SENT) return -ENOTCONN;
    addr.sinPort = sk.inetDport;
    addr.sinAddr = sk.inetDaddr;
  } else {
    addr.sinPort = sk.inetSport;
    addr.sinAddr = sk.inetRcvSaddr !== INADDR_ANY ? sk.inetRcvSaddr : sk.inetSaddr;
  }
  addr.saFamily = AF_INET;
  return 0;
}

/** sendmsg: hands on to the protocol; a socket without a port gets one. */
export function inetSendmsg(sock: Socket, msg: MsgHdr, size: number): number {
  const { net } = sock;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'inet_sendmsg', null);
  const sk = inetSk(sock);
  if (sk.inetNum === 0) {
    const err = inetAutobind(sk);
    if (err < 0) {
      // Nothing will wake this call when a port becomes free: it must not sleep.
      msg.msgFlags |= MSG_DONTWAIT;
      return err;
    }
  }
  return sk.skProt.sendmsg(sk, msg, size);
}

/** shutdown: SHUT_RD, SHUT_WR or SHUT_RDWR. -ENOTCONN if there is no connection (the shutdown still happens). */
export function inetShutdown(sock: Socket, how: number): number {
  const sk = inetSk(sock);
  // As bits: RCV_SHUTDOWN, SEND_SHUTDOWN.
  const bits = how + 1;
  lockSock(sk);
  if (sock.state === SS_CONNECTING) {
    const unfinished = ((1 << sk.skState) & (TCPF_SYN_SENT | TCPF_SYN_RECV | TCPF_CLOSE)) !== 0;
    sock.state = unfinished ? SS_DISCONNECTING : SS_CONNECTED;
  }
  const err = inetShutdownState(sock, sk, bits);
  sk.skStateChange(sk);
  releaseSock(sk);
  return err;
}

function inetShutdownState(sock: Socket, sk: Sock, bits: number): number {
  const { disconnect, shutdown } = sk.skProt;
  if (sk.skState === TCP_SYN_SENT || sk.skState === TCP_LISTEN) {
    if (sk.skState === TCP_LISTEN && (bits & RCV_SHUTDOWN) === 0) return 0;
    const err = disconnect === null ? 0 : disconnect(sk, O_NONBLOCK);
    sock.state = err !== 0 ? SS_DISCONNECTING : SS_UNCONNECTED;
    return err;
  }
  const err = sk.skState === TCP_CLOSE ? -ENOTCONN : 0;
  sk.skShutdown |= bits;
  if (shutdown !== null) shutdown(sk, bits);
  return err;
}

/** ioctl: all is the protocol's. */
export function inetIoctl(sock: Socket, cmd: number, _arg: SockOptValue): number {
  return skIoctl(sock, cmd);
}
