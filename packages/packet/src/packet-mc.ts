/*
 * Memberships of packet sockets (net/packet/af_packet.c): while a sock has one, the device receives more than is its own:
 * every frame (PACKET_MR_PROMISC), every group's (PACKET_MR_ALLMULTI), or one group's (PACKET_MR_MULTICAST). packet(7).
 */
import { EADDRNOTAVAIL, EINVAL, ENODEV, EOPNOTSUPP } from '@stack/kernel';
import { devGetByIndex, devMcAdd, devMcDel, devSetAllmulti, devSetPromiscuity } from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import { PACKET_MR_ALLMULTI, PACKET_MR_MULTICAST, PACKET_MR_PROMISC, PACKET_MR_UNICAST, type PacketMreq } from './if-packet.ts';
import { PacketMclist } from './packet-sock.ts';
import type { PacketSock } from './packet-sock.ts';

/** Has the device do it (`what` 1), or no more (-1). 0 or -errno. */
function packetDevMc(dev: NetDevice, ml: PacketMclist, what: 1 | -1): number {
  switch (ml.type) {
    case PACKET_MR_MULTICAST:
      return what > 0 ? devMcAdd(dev, ml.addr) : devMcDel(dev, ml.addr);
    case PACKET_MR_PROMISC:
      return devSetPromiscuity(dev, what);
    case PACKET_MR_ALLMULTI:
      return devSetAllmulti(dev, what);
    case PACKET_MR_UNICAST:
      // Deviation: no device here has a list of further addresses of its own; PACKET_MR_PROMISC does as well.
      return -EOPNOTSUPP;
    default:
      return -EINVAL;
  }
}

function sameRequest(ml: PacketMclist, mreq: PacketMreq): boolean {
  if (ml.ifindex !== mreq.mrIfindex || ml.type !== mreq.mrType || ml.addr.length !== mreq.mrAlen) return false;
  return ml.addr.every((octet, i) => octet === mreq.mrAddress[i]);
}

/** PACKET_ADD_MEMBERSHIP; the same again is counted. 0, -ENODEV, -EINVAL (type, or the address' length), -EOPNOTSUPP. */
export function packetMcAdd(po: PacketSock, mreq: PacketMreq): number {
  const dev = devGetByIndex(po.skNet, mreq.mrIfindex);
  if (dev === null) return -ENODEV;
  if (mreq.mrAlen > dev.addrLen || mreq.mrAlen > mreq.mrAddress.length) return -EINVAL;
  for (let ml = po.mclist; ml !== null; ml = ml.next) {
    if (sameRequest(ml, mreq)) {
      ml.count++;
      return 0;
    }
  }
  const ml = new PacketMclist(mreq.mrIfindex, mreq.mrType, mreq.mrAddress.slice(0, mreq.mrAlen), po.mclist);
  const err = packetDevMc(dev, ml, 1);
  if (err === 0) po.mclist = ml;
  return err;
}

/** PACKET_DROP_MEMBERSHIP. 0, or -EADDRNOTAVAIL if there is no such membership. */
export function packetMcDrop(po: PacketSock, mreq: PacketMreq): number {
  let prev: PacketMclist | null = null;
  for (let ml = po.mclist; ml !== null; prev = ml, ml = ml.next) {
    if (!sameRequest(ml, mreq)) continue;
    if (--ml.count > 0) return 0;
    packetMclistUnlink(po, ml, prev);
    const dev = devGetByIndex(po.skNet, ml.ifindex);
    if (dev !== null) packetDevMc(dev, ml, -1);
    return 0;
  }
  return -EADDRNOTAVAIL;
}

function packetMclistUnlink(po: PacketSock, ml: PacketMclist, prev: PacketMclist | null): void {
  if (prev === null) po.mclist = ml.next;
  else prev.next = ml.next;
}

/** The device goes: so do the sock's memberships on it. */
export function packetDevMclistDelete(dev: NetDevice, po: PacketSock): void {
  let prev: PacketMclist | null = null;
  for (let ml = po.mclist; ml !== null; ml = ml.next) {
    if (ml.ifindex !== dev.ifindex) {
      prev = ml;
      continue;
    }
    packetMclistUnlink(po, ml, prev);
    packetDevMc(dev, ml, -1);
  }
}

/** The sock goes: what it asked of devices ends. */
export function packetFlushMclist(po: PacketSock): void {
  for (let ml = po.mclist; ml !== null; ml = ml.next) {
    const dev = devGetByIndex(po.skNet, ml.ifindex);
    if (dev !== null) packetDevMc(dev, ml, -1);
  }
  po.mclist = null;
}
