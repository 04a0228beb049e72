/*
 * Is an address in use on the link (RFC 5227 §2.1.1, RFC 2131 §3.1 and §4.4.1)? An ARP request for it goes out over a packet socket,
 * from an address of 0.0.0.0 so that nobody's table changes; whoever answers, or probes for it too, has it.
 */
import { EAGAIN, NSEC_PER_MSEC, worldNow } from '@stack/kernel';
import { ETH_P_ARP, ETH_P_IP, type NetDevice } from '@stack/netdev';
import { ARPH_HLN, ARPH_HRD, ARPH_OP, ARPH_PLN, ARPH_PRO, ARPH_SHA, arpHdrLen, ARPOP_REQUEST, arphSip, arphTip } from '@stack/ip';
import { SockAddrLl } from '@stack/packet';
import {
  PF_PACKET, SO_RCVTIMEO, SOCK_CLOEXEC, SOCK_DGRAM, SOL_SOCKET, sysBind, sysClose, sysRecv, sysSendto, sysSetsockopt, sysSocket, Timeval,
  type Task,
} from '@stack/socket';

/** An ARP packet that asks who has `addr`, and does not say who wants to know. */
function probePacket(dev: NetDevice, addr: number): Uint8Array {
  const hln = dev.addrLen;
  const packet = new Uint8Array(arpHdrLen(hln));
  const view = new DataView(packet.buffer);
  view.setUint16(ARPH_HRD, dev.type);
  view.setUint16(ARPH_PRO, ETH_P_IP);
  view.setUint8(ARPH_HLN, hln);
  view.setUint8(ARPH_PLN, 4);
  view.setUint16(ARPH_OP, ARPOP_REQUEST);
  packet.set(dev.devAddr.subarray(0, hln), ARPH_SHA);
  view.setInt32(arphTip(hln), addr);
  return packet;
}

/** Does this ARP packet, of another sender than dev, say that somebody has `addr` or is about to take it? */
function isConflict(dev: NetDevice, packet: Uint8Array, addr: number): boolean {
  const hln = dev.addrLen;
  if (packet.length < arpHdrLen(hln)) return false;
  const view = new DataView(packet.buffer, packet.byteOffset);
  if (dev.devAddr.subarray(0, hln).every((octet, i) => octet === packet[ARPH_SHA + i])) return false;
  const sender = view.getInt32(arphSip(hln));
  return sender === addr || (sender === 0 && view.getInt32(arphTip(hln)) === addr && view.getUint16(ARPH_OP) === ARPOP_REQUEST);
}

/** Listens for `ms` whether somebody has the address. */
async function listen(task: Task, fd: number, dev: NetDevice, addr: number, ms: number): Promise<boolean> {
  const { world } = task.net;
  const buf = new Uint8Array(256);
  const deadline = worldNow(world) + ms * NSEC_PER_MSEC;
  for (;;) {
    const left = Math.ceil((deadline - worldNow(world)) / NSEC_PER_MSEC);
    if (left <= 0) return false;
    sysSetsockopt(task, fd, SOL_SOCKET, SO_RCVTIMEO, new Timeval(Math.floor(left / 1000), (left % 1000) * 1000));
    const n = await sysRecv(task, fd, buf, 0);
    if (n < 0) return false;
    if (isConflict(dev, buf.subarray(0, n), addr)) return true;
  }
}

/**
 * Asks twice within `ms` who has `addr`. True if somebody does. A device without ARP, and a host without packet sockets, cannot
 * ask: false.
 */
export async function arpProbe(task: Task, dev: NetDevice, addr: number, ms: number): Promise<boolean> {
  if (ms <= 0 || dev.addrLen === 0) return false;
  const fd = sysSocket(task, PF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, ETH_P_ARP);
  if (fd < 0) return false;
  try {
    if (sysBind(task, fd, new SockAddrLl(ETH_P_ARP, dev.ifindex)) < 0) return false;
    const everybody = new SockAddrLl(ETH_P_ARP, dev.ifindex, dev.broadcast.subarray(0, dev.addrLen));
    for (let asked = 0; asked < 2; asked++) {
      const sent = await sysSendto(task, fd, probePacket(dev, addr), 0, everybody);
      if (sent < 0 && sent !== -EAGAIN) return false;
      if (await listen(task, fd, dev, addr, ms / 2)) return true;
    }
    return false;
  } finally {
    await sysClose(task, fd);
  }
}
