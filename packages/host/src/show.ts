/*
 * What `ip addr`, `ip route`, `ip rule`, `ip neigh` and `ss` say of a host, as plain data. The rows of addr, route, rule and neigh have the fields
 * and the values of `ip -j`.
 */
import type { Net } from '@stack/kernel';
import { brFdbShow, netdevPriv, netifIsBridgeMaster, type FdbRow } from '@stack/devices';
import type { InetSock } from '@stack/inet-sock';
import { inNtoa } from '@stack/inet-sock';
import { IPPROTO_UDP, SOCK_DGRAM, TCP_ESTABLISHED, type Sock } from '@stack/socket';
import { tcpDiag, type TcpDiagRow } from '@stack/tcp';

export { ipAddrShow as showAddr, ipRouteShow as showRoute, ipRuleShow as showRule, neighShow as showNeigh } from '@stack/ip';
export type { AddrRow, RouteRow, RuleRow } from '@stack/ip';
export type { NeighRow } from '@stack/neigh';

/** A row of `ss -uan`: UNCONN, or ESTAB for a connected one; queues in octets, as `ss` counts them. */
export interface UdpDiagRow {
  netid: 'udp';
  state: 'UNCONN' | 'ESTAB';
  recvQ: number;
  sendQ: number;
  localAddress: string;
  localPort: number;
  peerAddress: string;
  peerPort: number;
}

/** A row of `ss -a`; `netid` tells which kind it is. */
export type SocketRow = TcpDiagRow | UdpDiagRow;

function isUdp(sk: Sock): sk is InetSock {
  return sk.skType === SOCK_DGRAM && sk.skProtocol === IPPROTO_UDP && 'inetNum' in sk;
}

function udpRow(sk: InetSock): UdpDiagRow {
  return {
    netid: 'udp',
    state: sk.skState === TCP_ESTABLISHED ? 'ESTAB' : 'UNCONN',
    recvQ: sk.skRmemAlloc,
    sendQ: sk.skWmemAlloc - 1,
    localAddress: inNtoa(sk.inetRcvSaddr),
    localPort: sk.inetNum,
    peerAddress: inNtoa(sk.inetDaddr),
    peerPort: sk.inetDport,
  };
}

/** What the host's bridges know of where stations are, as `bridge -j fdb show` has it. */
export function showFdb(net: Net): FdbRow[] {
  return net.netdev.devList.filter(netifIsBridgeMaster).flatMap((dev) => brFdbShow(netdevPriv(dev)));
}

/** Every bound UDP socket, by local port, and every TCP socket, as `ss -a` orders them: udp first. */
export function showSockets(net: Net): SocketRow[] {
  const udp: UdpDiagRow[] = [];
  for (let sk = net.socket.sockFirst; sk !== null; sk = sk.skAllNext) {
    if (isUdp(sk) && sk.inetNum !== 0) udp.push(udpRow(sk));
  }
  udp.sort((a, b) => a.localPort - b.localPort);
  return [...udp, ...tcpDiag(net)];
}
