/*
 * The sock's place among the protocols (net/packet/af_packet.c): a PacketType of its own, in ptypeAll for ETH_P_ALL and in
 * ptypeBase for one protocol. registerProtHook and unregisterProtHook put it there and take it out; packetDoBind chooses
 * protocol and device; packetNotifier follows devices that go down, come back, and vanish.
 */
import { ENETDOWN, ENODEV } from '@stack/kernel';
import {
  devAddPack, devGetByIndex, devRemovePack, IFF_UP, NETDEV_DOWN, NETDEV_UNREGISTER, NETDEV_UP,
} from '@stack/netdev';
import type { NetDevice, NotifierBlock } from '@stack/netdev';
import { lockSock, releaseSock } from '@stack/socket';
import { packetDevMclistDelete } from './packet-mc.ts';
import { packetRcv } from './packet-rcv.ts';
import type { PacketSock } from './packet-sock.ts';

/** Begins to receive, unless the sock does already. */
export function registerProtHook(po: PacketSock): void {
  if (po.running || po.protHook === null) return;
  devAddPack(po.skNet, po.protHook);
  po.running = true;
}

/** Receives no more. */
export function unregisterProtHook(po: PacketSock): void {
  if (!po.running || po.protHook === null) return;
  devRemovePack(po.skNet, po.protHook);
  po.running = false;
}

/**
 * Binds to protocol `proto` (0: what it was; if that is 0, nothing is received) and to the device numbered `ifindex` (0: all).
 * 0, or -ENODEV. A device that is down is no error here: the sock has one pending (ENETDOWN), and receives once it is up.
 */
export function packetDoBind(po: PacketSock, ifindex: number, proto: number): number {
  let dev: NetDevice | null = null;
  if (ifindex !== 0) {
    dev = devGetByIndex(po.skNet, ifindex);
    if (dev === null) return -ENODEV;
  }
  lockSock(po);
  const num = proto === 0 ? po.num : proto;
  if (po.protHook === null || num !== po.num || po.protHook.dev !== dev) {
    unregisterProtHook(po);
    po.num = num;
    po.ifindex = dev === null ? 0 : dev.ifindex;
    po.protHook = num === 0 ? null : { type: num, dev, func: packetRcv, afPacketPriv: po };
  }
  if (dev !== null && (dev.flags & IFF_UP) === 0) packetDown(po);
  else registerProtHook(po);
  releaseSock(po);
  return 0;
}

/** Says that the device is not up. */
function packetDown(po: PacketSock): void {
  po.skErr = ENETDOWN;
  po.skErrorReport(po);
}

/** A device that socks may be bound to has come or gone. */
function packetNotify(event: number, dev: NetDevice): number {
  for (let po = dev.net.packet.sklist; po !== null; po = po.skNext as PacketSock | null) {
    if (event === NETDEV_UNREGISTER) packetDevMclistDelete(dev, po);
    if (po.ifindex !== dev.ifindex) continue;
    if (event === NETDEV_UP) {
      registerProtHook(po);
    } else if (event === NETDEV_DOWN || event === NETDEV_UNREGISTER) {
      if (po.running) {
        unregisterProtHook(po);
        packetDown(po);
      }
      if (event === NETDEV_UNREGISTER) {
        po.ifindex = -1;
        po.protHook = null;
      }
    }
  }
  return 0;
}

/** packet_netdev_notifier. */
export const packetNetdevNotifier: NotifierBlock = { notifierCall: packetNotify };
