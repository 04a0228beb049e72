/*
 * Connected datagram sockets over IPv4 (net/ipv4/datagram.c and udp_disconnect): connect chooses route and own address
 * once, and from then on only the peer is heard.
 */
import { EACCES, EAFNOSUPPORT, EINVAL, ENETUNREACH, randomU32, snmpInc } from '@stack/kernel';
import { INADDR_ANY, ipv4IsMulticast } from '@stack/inet-sock';
import type { SockAddrIn } from '@stack/inet-sock';
import {
  flowi4InitOutput, ipRouteOutputFlow, IPSTATS_MIB_OUTNOROUTES, IPTOS_RT_MASK, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE, RTCF_BROADCAST, skDstSet,
} from '@stack/ip';
import { dstRelease } from '@stack/skbuff';
import {
  AF_INET, lockSock, releaseSock, skDstReset, SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK, SOCK_BROADCAST, SOCK_LOCALROUTE, sockFlag, TCP_CLOSE,
  TCP_ESTABLISHED,
} from '@stack/socket';
import type { Sock, SockAddr } from '@stack/socket';
import { udpSk } from './udp-sock.ts';
import type { UdpSock } from './udp-sock.ts';
import { udpLibRehash, udpLibUnhash } from './udp-table.ts';

/** Proto.connect. 0, or -errno: no route, or a broadcast address without SO_BROADCAST (-EACCES). */
export function ip4DatagramConnect(sock: Sock, uaddr: SockAddr): number {
  const sk = udpSk(sock);
  const addr = uaddr as SockAddrIn;
  if (addr.saFamily !== AF_INET) return -EAFNOSUPPORT;
  if (!(addr.sinPort >= 0 && addr.sinPort <= 0xffff)) return -EINVAL;
  lockSock(sk);
  const err = __ip4DatagramConnect(sk, addr);
  releaseSock(sk);
  return err;
}

function __ip4DatagramConnect(sk: UdpSock, addr: SockAddrIn): number {
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
  udpLibRehash(sk);
  return 0;
}

/** Proto.disconnect: hears and may send to all again; address and port stay if the user had bound them. 0. */
export function udpDisconnect(sock: Sock, _flags: number): number {
  const sk = udpSk(sock);
  lockSock(sk);
  sk.skState = TCP_CLOSE;
  sk.inetDaddr = 0;
  sk.inetDport = 0;
  sk.skBoundDevIf = 0;
  if ((sk.skUserlocks & SOCK_BINDADDR_LOCK) === 0) {
    sk.inetRcvSaddr = INADDR_ANY;
    sk.inetSaddr = INADDR_ANY;
  }
  if ((sk.skUserlocks & SOCK_BINDPORT_LOCK) === 0) {
    udpLibUnhash(sk);
    sk.inetSport = 0;
  } else {
    udpLibRehash(sk);
  }
  skDstReset(sk);
  releaseSock(sk);
  return 0;
}
