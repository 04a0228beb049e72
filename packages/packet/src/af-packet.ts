/*
 * The address family PF_PACKET (net/packet/af_packet.c): sockets that see and send whole frames. It comes from outside:
 * installPacket registers it with the socket layer (sock_register) and its socks with the devices (dev_add_pack), and nothing
 * below knows of it. socket -> packetCreate; bind -> packetDoBind; then packetRcv and packetSendmsg. Read first: packet(7).
 */
import { EINVAL, ENOIOCTLCMD, EOPNOTSUPP, ESOCKTNOSUPPORT, netAtExit, requireNet, requireNoNet } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { devGetByIndex, registerNetdeviceNotifier, unregisterNetdeviceNotifier } from '@stack/netdev';
import { skbPeek, skbQueuePurge } from '@stack/skbuff';
import {
  AF_PACKET, datagramPoll, FIONREAD, PF_PACKET, SIOCOUTQ, skAlloc, SOCK_DGRAM, SOCK_RAW, sockInitData, sockNoAccept, sockNoConnect,
  sockNoListen, sockNoShutdown, sockNoSocketpair, sockOrphan, sockPut, sockRegister, sockUnregister, SS_UNCONNECTED,
} from '@stack/socket';
import type { NetProtoFamily, Proto, ProtoOps, Sock, SockAddr, Socket, SockOptValue } from '@stack/socket';
import { isSockAddrLl, SLL_ADDRLEN } from './if-packet.ts';
import { packetDoBind, packetNetdevNotifier, registerProtHook, unregisterProtHook } from './packet-hook.ts';
import { packetFlushMclist } from './packet-mc.ts';
import { packetGetsockopt, packetSetsockopt } from './packet-opt.ts';
import { packetRcv } from './packet-rcv.ts';
import { packetRecvmsg } from './packet-recvmsg.ts';
import { packetSendmsg } from './packet-snd.ts';
import { NetnsPacket, packetSk, packetSklistAdd, packetSklistDel, PacketSock } from './packet-sock.ts';

/** bind: protocol and device. 0, -EINVAL for another family's address, -ENODEV. */
function packetBind(sock: Socket, uaddr: SockAddr): number {
  if (uaddr.saFamily !== AF_PACKET || !isSockAddrLl(uaddr)) return -EINVAL;
  return packetDoBind(packetSk(sock.sk as Sock), uaddr.sllIfindex, uaddr.sllProtocol);
}

/** getname: what the sock is bound to, and the address of that device. There is no peer: -EOPNOTSUPP; -EINVAL for another family's struct. */
function packetGetname(sock: Socket, uaddr: SockAddr, peer: boolean): number {
  if (peer) return -EOPNOTSUPP;
  if (!isSockAddrLl(uaddr)) return -EINVAL;
  const po = packetSk(sock.sk as Sock);
  const dev = devGetByIndex(sock.net, po.ifindex);
  uaddr.saFamily = AF_PACKET;
  uaddr.sllIfindex = po.ifindex;
  uaddr.sllProtocol = po.num;
  uaddr.sllPkttype = 0;
  uaddr.sllHatype = dev === null ? 0 : dev.type;
  uaddr.sllHalen = dev === null ? 0 : dev.addrLen;
  uaddr.sllAddr.fill(0);
  if (dev !== null) uaddr.sllAddr.set(dev.devAddr.subarray(0, SLL_ADDRLEN));
  return 0;
}

/** ioctl: FIONREAD is the length of the next packet, SIOCOUTQ what is under way. */
function packetIoctl(sock: Socket, cmd: number, _arg: SockOptValue): number {
  const sk = sock.sk as Sock;
  if (cmd === SIOCOUTQ) return sk.skWmemAlloc - 1;
  if (cmd === FIONREAD) return skbPeek(sk.skReceiveQueue)?.len ?? 0;
  return -ENOIOCTLCMD;
}

/** release: out of the Net's list and the protocols, what it asked of devices undone. 0. */
function packetRelease(sock: Socket): number {
  const po = packetSk(sock.sk as Sock);
  packetSklistDel(po);
  unregisterProtHook(po);
  packetFlushMclist(po);
  sockOrphan(po);
  sock.sk = null;
  skbQueuePurge(po.skReceiveQueue);
  sockPut(po);
  return 0;
}

/** sock.ops of SOCK_RAW and SOCK_DGRAM. */
export const packetOps: ProtoOps = {
  family: PF_PACKET,
  release: packetRelease,
  bind: packetBind,
  connect: sockNoConnect,
  socketpair: sockNoSocketpair,
  accept: sockNoAccept,
  getname: packetGetname,
  poll: datagramPoll,
  ioctl: packetIoctl,
  listen: sockNoListen,
  shutdown: sockNoShutdown,
  setsockopt: packetSetsockopt,
  getsockopt: packetGetsockopt,
  sendmsg: packetSendmsg,
  recvmsg: packetRecvmsg,
};

function packetNone(): number {
  return -EOPNOTSUPP;
}

/** sk.skProt: a name and a struct. No protocol stands behind a packet socket, packetOps do everything. */
export const packetProto: Proto = {
  name: 'PACKET',
  objCreate: (net, family, prot) => new PacketSock(net, family, prot),
  mem: null,
  init: null,
  destroy: null,
  close: packetNone,
  connect: null,
  disconnect: null,
  accept: null,
  ioctl: null,
  shutdown: null,
  setsockopt: null,
  getsockopt: null,
  sendmsg: packetNone,
  recvmsg: packetNone,
  bind: null,
  backlogRcv: null,
  releaseCb: null,
  hash: null,
  unhash: null,
  getPort: null,
  putPort: null,
  streamMemoryFree: null,
  enterMemoryPressure: null, leaveMemoryPressure: null,
  poll: null,
  setRcvlowat: null,
  keepalive: null,
  rehash: null,
};

/** NetProtoFamily.create: `protocol` is an ETH_P_, 0 to receive nothing before bind. 0, -ESOCKTNOSUPPORT, -EINVAL. */
function packetCreate(net: Net, sock: Socket, protocol: number): number {
  if (sock.type !== SOCK_RAW && sock.type !== SOCK_DGRAM) return -ESOCKTNOSUPPORT;
  if (protocol < 0 || protocol > 0xffff) return -EINVAL;
  sock.state = SS_UNCONNECTED;
  sock.ops = packetOps;
  const po = packetSk(skAlloc(net, PF_PACKET, packetProto));
  sockInitData(sock, po);
  po.skProtocol = protocol;
  po.num = protocol;
  packetSklistAdd(po);
  if (protocol !== 0) {
    po.protHook = { type: protocol, dev: null, func: packetRcv, afPacketPriv: po };
    registerProtHook(po);
  }
  return 0;
}

/** packet_family_ops. */
export const packetFamilyOps: NetProtoFamily = {
  family: PF_PACKET,
  create: packetCreate,
};

/** Gives a Net that has devices and sockets the family: socket(PF_PACKET, SOCK_RAW or SOCK_DGRAM, ETH_P_…) then works. */
export function installPacket(net: Net): void {
  requireNet(net, 'installPacket', 'netdev', 'socket');
  requireNoNet(net, 'installPacket', 'packet');
  net.packet = new NetnsPacket();
  sockRegister(net, packetFamilyOps);
  registerNetdeviceNotifier(net, packetNetdevNotifier);
  netAtExit(net, exitPacket);
}

function exitPacket(net: Net): void {
  unregisterNetdeviceNotifier(net, packetNetdevNotifier);
  sockUnregister(net, PF_PACKET);
}
