/*
 * What the sendmsg of raw and of ping sockets have in common (net/ipv4/raw.c, ping.c): where a message goes, what it says of
 * itself, and the route there.
 */
import { EACCES, EAFNOSUPPORT, EDESTADDRREQ, EMSGSIZE, ENETUNREACH, EOPNOTSUPP, snmpInc } from '@stack/kernel';
import { ipv4IsMulticast } from '@stack/inet-sock';
import type { InetSock, SockAddrIn } from '@stack/inet-sock';
import {
  flowi4InitOutput, ipCmsgSend, ipcmInitSk, ipRouteOutputFlow, IPSTATS_MIB_OUTNOROUTES, IPTOS_RT_MASK, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE,
  RTCF_BROADCAST,
} from '@stack/ip';
import type { Flowi4, IpcmCookie, Rtable } from '@stack/ip';
import { dstRelease } from '@stack/skbuff';
import {
  AF_INET, AF_UNSPEC, MSG_DONTROUTE, MSG_OOB, SOCK_BROADCAST, SOCK_LOCALROUTE, sockFlag, TCP_ESTABLISHED,
} from '@stack/socket';
import type { MsgHdr } from '@stack/socket';

/** Most octets of an IP datagram. */
const IP_MAX_LEN = 0xffff;

/**
 * Checks a message of `len` octets: fills fl.daddr (msgName, or the peer that the sock is connected to) and ipc (the sock's
 * options, the message's control messages). 0, -EMSGSIZE, -EOPNOTSUPP (MSG_OOB), -EAFNOSUPPORT, -EDESTADDRREQ, or what
 * a control message was refused with.
 */
export function inetDgramDestination(sk: InetSock, msg: MsgHdr, len: number, fl: Flowi4, ipc: IpcmCookie): number {
  if (len > IP_MAX_LEN) return -EMSGSIZE;
  if ((msg.msgFlags & MSG_OOB) !== 0) return -EOPNOTSUPP;
  if (msg.msgName !== null) {
    const addr = msg.msgName as SockAddrIn;
    if (addr.saFamily !== AF_INET && addr.saFamily !== AF_UNSPEC) return -EAFNOSUPPORT;
    fl.daddr = addr.sinAddr;
  } else if (sk.skState === TCP_ESTABLISHED) {
    fl.daddr = sk.inetDaddr;
  } else {
    return -EDESTADDRREQ;
  }
  ipcmInitSk(ipc, sk);
  return msg.msgControl !== null && msg.msgControl.length !== 0 ? ipCmsgSend(sk, msg, ipc) : 0;
}

/**
 * The route to fl.daddr for protocol `proto`, with a reference for the caller; completes fl. Or -errno: -EACCES for a broadcast
 * address without SO_BROADCAST.
 */
export function inetDgramRoute(sk: InetSock, msg: MsgHdr, fl: Flowi4, ipc: IpcmCookie, proto: number): Rtable | number {
  const { daddr } = fl;
  const local = sockFlag(sk, SOCK_LOCALROUTE) || (msg.msgFlags & MSG_DONTROUTE) !== 0;
  let saddr = ipc.addr;
  let { oif } = ipc;
  if (ipv4IsMulticast(daddr)) {
    if (oif === 0) oif = sk.mcIndex;
    if (saddr === 0) saddr = sk.mcAddr;
  } else if (oif === 0) {
    oif = sk.ucIndex;
  }
  const tos = (ipc.tos >= 0 ? ipc.tos : sk.tos) & IPTOS_RT_MASK;
  const scope = local ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  const net = sk.skNet;
  flowi4InitOutput(fl, oif, ipc.sockc.mark, tos, scope, proto, 0, daddr, saddr, 0, 0);
  const rt = ipRouteOutputFlow(net, fl, sk);
  if (typeof rt === 'number') {
    if (rt === -ENETUNREACH) snmpInc(net.ipv4.ipMib, IPSTATS_MIB_OUTNOROUTES);
    return rt;
  }
  if ((rt.rtFlags & RTCF_BROADCAST) !== 0 && !sockFlag(sk, SOCK_BROADCAST)) {
    dstRelease(rt);
    return -EACCES;
  }
  return rt;
}
