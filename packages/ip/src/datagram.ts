/*
 * Connected datagram sockets over IPv4 (net/ipv4/datagram.c): connect chooses route and own address once, and from then on only
 * the peer is heard. The connect and disconnect of UDP, ping and raw sockets; their own tables follow by Proto.rehash.
 */
import { EACCES, EAFNOSUPPORT, EINVAL, ENETUNREACH, randomU32, snmpInc } from '@stack/kernel';
import { INADDR_ANY, ipv4IsMulticast } from '@stack/inet-sock';
import type { InetSock, SockAddrIn } from '@stack/inet-sock';
import { dstRelease } from '@stack/skbuff';
import {
  AF_INET, SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK, SOCK_BROADCAST, SOCK_LOCALROUTE, SOCK_RAW, TCP_CLOSE, TCP_ESTABLISHED, lockSock,
  releaseSock, skDstReset, sockFlag,
} from '@stack/socket';
import type { Sock, SockAddr } from '@stack/socket';
import { RT_SCOPE_LINK, RT_SCOPE_UNIVERSE, flowi4InitOutput } from './flow.ts';
import { IPTOS_RT_MASK } from './ip-header.ts';
import { ipRouteOutputFlow } from './route-output.ts';
import { RTCF_BROADCAST } from './rtable.ts';
import { skDstSet } from './sk-route.ts';
import { IPSTATS_MIB_OUTNOROUTES } from './snmp-names.ts';

/** Proto.connect. 0, or -errno: no route, or a broadcast address without SO_BROADCAST (-EACCES). */
export function ip4DatagramConnect(sock: Sock, uaddr: SockAddr): number {
  const sk = sock as InetSock;
  const addr = uaddr as SockAddrIn;
  if (addr.saFamily !== AF_INET) return -EAFNOSUPPORT;
  if (!(addr.sinPort >= 0 && addr.sinPort <= 0xffff)) return -EINVAL;
  lockSock(sk);
  const err = __ip4DatagramConnect(sk, addr);
  releaseSock(sk);
  return err;
}

/** ip4DatagramConnect() of a sock that the caller owns, to an address that is one. */
export function __ip4DatagramConnect(sk: InetSock, addr: SockAddrIn): number {
  const net = sk.skNet;
  skDstReset(sk);
  const group = ipv4IsMulticast(addr.sinAddr);
  const oif = sk.skBoundDevIf === 0 && group ? sk.mcIndex : sk.skBoundDevIf;
  const saddr = sk.inetSaddr === 0 && group ? sk.mcAddr : sk.inetSaddr;
  const scope = sockFlag(sk, SOCK_LOCALROUTE) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  const fl = net.ipv4.flow;
  flowi4InitOutput(
    fl, oif, sk.skMark, sk.tos & IPTOS_RT_MASK, scope, sk.skProtocol, 0, addr.sinAddr, saddr, addr.sinPort, sk.inetSport,
  );
  const rt = ipRouteOutputFlow(net, fl, sk);
  if (typeof rt === 'number') {
    if (rt === -ENETUNREACH) snmpInc(net.ipv4.ipMib, IPSTATS_MIB_OUTNOROUTES);
    return rt;
  }
  if ((rt.rtFlags & RTCF_BROADCAST) !== 0 && !sockFlag(sk, SOCK_BROADCAST)) {
    dstRelease(rt);
    return -EACCES;
  }
  if (sk.inetSaddr === INADDR_ANY) sk.inetSaddr = fl.saddr;
  if (sk.inetRcvSaddr === INADDR_ANY) sk.inetRcvSaddr = fl.saddr;
  sk.inetDaddr = fl.daddr;
  sk.inetDport = addr.sinPort;
  sk.skState = TCP_ESTABLISHED;
  sk.inetId = randomU32(net.world.random) & 0xffff;
  skDstSet(sk, rt);
  if (sk.skProt.rehash !== null) sk.skProt.rehash(sk);
  return 0;
}

/**
 * Proto.disconnect (udp_disconnect): hears and may send to all again; address and port stay if the user had bound them. 0.
 * Deviation: a raw sock stays in its table, whose key is its protocol and not a port; Linux has it hear nothing any more.
 */
export function ip4DatagramDisconnect(sock: Sock, _flags: number): number {
  const sk = sock as InetSock;
  const { rehash, unhash } = sk.skProt;
  lockSock(sk);
  sk.skState = TCP_CLOSE;
  sk.inetDaddr = 0;
  sk.inetDport = 0;
  sk.skBoundDevIf = 0;
  if ((sk.skUserlocks & SOCK_BINDADDR_LOCK) === 0) {
    sk.inetRcvSaddr = INADDR_ANY;
    sk.inetSaddr = INADDR_ANY;
  }
  if ((sk.skUserlocks & SOCK_BINDPORT_LOCK) === 0 && sk.skType !== SOCK_RAW) {
    if (unhash !== null) unhash(sk);
    sk.inetSport = 0;
  } else if (rehash !== null) {
    rehash(sk);
  }
  skDstReset(sk);
  releaseSock(sk);
  return 0;
}
