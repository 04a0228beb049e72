/*
 * UDP over IPv4, sending (net/ipv4/udp.c): udpSendmsg finds destination and route (kept in skDstCache by a connected
 * sock) and makes one datagram of one call: ipMakeSkb copies the user's data, udpSendSkb fills in the header, ipSendSkb
 * sends. With MSG_MORE or UDP_CORK several calls are gathered by ipAppendData until udpPushPendingFrames.
 */
import { EACCES, EAFNOSUPPORT, EDESTADDRREQ, EINVAL, EMSGSIZE, ENETUNREACH, ENOBUFS, EOPNOTSUPP, snmpInc } from '@stack/kernel';
import { INET_FLAGS_RECVERR, inetTestBit, ipv4IsMulticast } from '@stack/inet-sock';
import type { SockAddrIn } from '@stack/inet-sock';
import {
  flowi4InitOutput, ipAppendData, ipCmsgSend, ipcmInitSk, IpcmCookie, ipFinishSkb, ipFlushPendingFrames, ipGenericGetfrag, ipMakeSkb,
  ipRouteOutputFlow, ipSendSkb, IPSTATS_MIB_OUTNOROUTES, IPTOS_RT_MASK, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE, RTCF_BROADCAST, skDstCheck,
  skDstSet,
} from '@stack/ip';
import type { Flowi4, Rtable } from '@stack/ip';
import {
  CHECKSUM_NONE, CHECKSUM_PARTIAL, csumAdd, CSUM_MANGLED_0, csumPartial, csumTcpudpMagic, csumTcpudpNofold, dstHold, dstRelease,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  AF_INET, IPPROTO_UDP, lockSock, MSG_CONFIRM, MSG_DONTROUTE, MSG_MORE, MSG_OOB, MSG_PROBE, releaseSock, SOCK_BROADCAST, SOCK_LOCALROUTE,
  sockFlag, TCP_ESTABLISHED,
} from '@stack/socket';
import type { MsgHdr, Sock } from '@stack/socket';
import { UDP_CHECK, UDP_DEST, UDP_HLEN, UDP_LEN, UDP_MAX_LEN, UDP_SOURCE } from './udp-hdr.ts';
import { UDP_MIB_OUTDATAGRAMS, UDP_MIB_SNDBUFERRORS } from './udp-mib.ts';
import { udpSk } from './udp-sock.ts';
import type { UdpSock } from './udp-sock.ts';

/** The cookie of the send that goes on: sends of a Net do not meet. */
function udpCookie(sk: UdpSock): IpcmCookie {
  const { udp } = sk.skNet;
  if (udp.cookie === null) udp.cookie = new IpcmCookie();
  return udp.cookie as IpcmCookie;
}

/** Proto.sendmsg: `len`, or -errno; -EAGAIN while the send buffer is full. */
export function udpSendmsg(sock: Sock, msg: MsgHdr, len: number): number {
  const { skNet: net } = sock;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'udp_sendmsg', null);
  if (len > UDP_MAX_LEN) return -EMSGSIZE;
  if ((msg.msgFlags & MSG_OOB) !== 0) return -EOPNOTSUPP;
  const sk = udpSk(sock);
  if (sk.pending !== 0) return udpAppend(sk, msg, len, udpCookie(sk), null);
  const fl = net.ipv4.flow;
  const err = udpDestination(sk, msg, fl);
  if (err < 0) return err;
  const ipc = udpCookie(sk);
  ipcmInitSk(ipc, sk);
  if (msg.msgControl !== null && msg.msgControl.length !== 0) {
    const bad = ipCmsgSend(sk, msg, ipc);
    if (bad < 0) return bad;
  }
  const rt = udpRoute(sk, msg, fl, ipc);
  if (typeof rt === 'number') return rt;
  if ((msg.msgFlags & MSG_CONFIRM) !== 0) sk.skDstPendingConfirm = true;
  if ((msg.msgFlags & MSG_PROBE) !== 0 && len === 0) {
    dstRelease(rt);
    return 0;
  }
  if (sk.corkflag || (msg.msgFlags & MSG_MORE) !== 0) return udpAppend(sk, msg, len, ipc, rt);
  const skb = ipMakeSkb(sk, fl, ipGenericGetfrag, msg, len + UDP_HLEN, UDP_HLEN, ipc, rt, msg.msgFlags);
  if (typeof skb === 'number') return udpSendFailed(sk, skb);
  if (skb === null) return len;
  const sent = udpSendSkb(sk, skb, fl);
  return sent < 0 ? sent : len;
}

/** Where to: msgName, or the peer that the sock is connected to. Into fl.daddr and fl.fl4Dport. 0 or -errno. */
function udpDestination(sk: UdpSock, msg: MsgHdr, fl: Flowi4): number {
  if (msg.msgName === null) {
    if (sk.skState !== TCP_ESTABLISHED) return -EDESTADDRREQ;
    fl.daddr = sk.inetDaddr;
    fl.fl4Dport = sk.inetDport;
    return 0;
  }
  const addr = msg.msgName as SockAddrIn;
  if (addr.saFamily !== AF_INET) return -EAFNOSUPPORT;
  if (!(addr.sinPort > 0 && addr.sinPort <= 0xffff)) return -EINVAL;
  fl.daddr = addr.sinAddr;
  fl.fl4Dport = addr.sinPort;
  return 0;
}

/**
 * The route to fl.daddr, with a reference for the caller, or -errno; completes fl. A connected sock that says nothing
 * special uses the one that it has.
 */
function udpRoute(sk: UdpSock, msg: MsgHdr, fl: Flowi4, ipc: IpcmCookie): Rtable | number {
  const { daddr, fl4Dport: dport } = fl;
  const local = sockFlag(sk, SOCK_LOCALROUTE) || (msg.msgFlags & MSG_DONTROUTE) !== 0;
  const group = ipv4IsMulticast(daddr);
  const connected = msg.msgName === null && msg.msgControl === null && !local && !group;
  let saddr = ipc.addr;
  let { oif } = ipc;
  if (group) {
    if (oif === 0) oif = sk.mcIndex;
    if (saddr === 0) saddr = sk.mcAddr;
  } else if (oif === 0) {
    oif = sk.ucIndex;
  }
  const tos = (ipc.tos >= 0 ? ipc.tos : sk.tos) & IPTOS_RT_MASK;
  const scope = local ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  flowi4InitOutput(fl, oif, ipc.sockc.mark, tos, scope, IPPROTO_UDP, 0, daddr, saddr, dport, sk.inetSport);
  if (connected) {
    const cached = skDstCheck(sk);
    if (cached !== null) {
      dstHold(cached);
      return cached as Rtable;
    }
  }
  return udpNewRoute(sk, fl, connected);
}

function udpNewRoute(sk: UdpSock, fl: Flowi4, connected: boolean): Rtable | number {
  const net = sk.skNet;
  const rt = ipRouteOutputFlow(net, fl, sk);
  if (typeof rt === 'number') {
    if (rt === -ENETUNREACH) snmpInc(net.ipv4.ipMib, IPSTATS_MIB_OUTNOROUTES);
    return rt;
  }
  if ((rt.rtFlags & RTCF_BROADCAST) !== 0 && !sockFlag(sk, SOCK_BROADCAST)) {
    dstRelease(rt);
    return -EACCES;
  }
  if (connected) {
    dstHold(rt);
    skDstSet(sk, rt);
  }
  return rt;
}

/** An error on the way to a datagram: want of room is counted. */
function udpSendFailed(sk: UdpSock, err: number): number {
  if (err === -ENOBUFS) snmpInc(sk.skNet.udp.mib, UDP_MIB_SNDBUFERRORS);
  return err;
}

/** Adds to the datagram that is being gathered (rt null), or begins one; sends it unless more is to come. */
function udpAppend(sk: UdpSock, msg: MsgHdr, len: number, ipc: IpcmCookie, rt: Rtable | null): number {
  const fl = sk.skNet.ipv4.flow;
  lockSock(sk);
  const first = rt !== null;
  if (first) udpCorkBegin(sk, fl);
  else udpCorkFlow(sk, fl);
  const transhdrlen = first ? UDP_HLEN : 0;
  let err = ipAppendData(sk, fl, ipGenericGetfrag, msg, len + transhdrlen, transhdrlen, ipc, rt, msg.msgFlags);
  if (err < 0) {
    udpFlushPendingFrames(sk);
  } else if (!sk.corkflag && (msg.msgFlags & MSG_MORE) === 0) {
    err = udpPushPendingFrames(sk);
  }
  releaseSock(sk);
  return err < 0 ? udpSendFailed(sk, err) : len;
}

function udpCorkBegin(sk: UdpSock, fl: Flowi4): void {
  sk.pending = AF_INET;
  sk.corkSaddr = fl.saddr;
  sk.corkDaddr = fl.daddr;
  sk.corkDport = fl.fl4Dport;
}

/** The flow of the datagram that is being gathered. */
function udpCorkFlow(sk: UdpSock, fl: Flowi4): void {
  fl.saddr = sk.corkSaddr;
  fl.daddr = sk.corkDaddr;
  fl.fl4Dport = sk.corkDport;
}

/** Sends what was gathered, if anything was. 0 or -errno. The caller owns the sock. */
export function udpPushPendingFrames(sk: UdpSock): number {
  if (sk.pending === 0) return 0;
  const fl = sk.skNet.ipv4.flow;
  udpCorkFlow(sk, fl);
  sk.pending = 0;
  const skb = ipFinishSkb(sk, fl);
  return skb === null ? 0 : udpSendSkb(sk, skb, fl);
}

/** Drops what was gathered. */
export function udpFlushPendingFrames(sk: UdpSock): void {
  if (sk.pending === 0) return;
  sk.pending = 0;
  ipFlushPendingFrames(sk);
}

/** Fills in the header of a datagram (consumed), data at its IP header, and sends it. 0 or -errno. */
function udpSendSkb(sk: UdpSock, skb: SkBuff, fl: Flowi4): number {
  const net = sk.skNet;
  const { view, transportHeader: at } = skb;
  const len = skb.len - (at - skb.data);
  view.setUint16(at + UDP_SOURCE, sk.inetSport);
  view.setUint16(at + UDP_DEST, fl.fl4Dport);
  view.setUint16(at + UDP_LEN, len);
  view.setUint16(at + UDP_CHECK, 0);
  udpSetCsum(sk, skb, fl, len);
  const err = ipSendSkb(net, skb);
  if (err === 0) {
    snmpInc(net.udp.mib, UDP_MIB_OUTDATAGRAMS);
    return 0;
  }
  if (err !== -ENOBUFS || inetTestBit(sk, INET_FLAGS_RECVERR)) return err;
  // A full queue below is not the user's error: the datagram is lost, as others are.
  snmpInc(net.udp.mib, UDP_MIB_SNDBUFERRORS);
  return 0;
}

/** The checksum: none if the user wants none, the device's task (CHECKSUM_PARTIAL), or from the sum taken while copying. */
function udpSetCsum(sk: UdpSock, skb: SkBuff, fl: Flowi4, len: number): void {
  const { view, transportHeader: at } = skb;
  if (sk.skNoCheckTx) {
    skb.ipSummed = CHECKSUM_NONE;
    return;
  }
  if (skb.ipSummed === CHECKSUM_PARTIAL) {
    skb.csumStart = at - skb.head;
    skb.csumOffset = UDP_CHECK;
    view.setUint16(at + UDP_CHECK, csumTcpudpNofold(fl.saddr, fl.daddr, len, IPPROTO_UDP, 0));
    return;
  }
  const csum = csumAdd(skb.csum, csumPartial(skb.buf, view, at, UDP_HLEN, 0));
  // RFC 768: 0 would say that there is no checksum.
  view.setUint16(at + UDP_CHECK, csumTcpudpMagic(fl.saddr, fl.daddr, len, IPPROTO_UDP, csum) || CSUM_MANGLED_0);
}
