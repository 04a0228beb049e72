// The device half at work: frames between the two queues and the port.
//
// Sending: a kick of the transmit queue -> deviceTransmit() -> portTransmit(). Receiving: deviceReceive(), called by the
// other end -> the driver's buffers -> interrupt. A frame that the other end has no room for stays in its descriptor; a
// frame that the driver has no buffers for stays with its sender, until a kick of the receive queue.
// Read first: VIRTIO 1.2 §5.1.6.1 to §5.1.6.4.

import { NET_UP, type Net } from '@stack/kernel';
import type { Page } from '@stack/skbuff';
import { frameCopy, type Frame } from './frame.ts';
import { PORT_BUSY, PORT_TAKEN, type Port, type PortOps } from './port.ts';
import { portRoom, portTransmit } from './transmit.ts';
import {
  VHOST_BAD, vhostAddUsed, vhostDisableNotify, vhostDiscardVqDesc, vhostEnableNotify, vhostGetVqDesc, vhostPublishUsed,
  type VhostVirtqueue,
} from './vhost-vring.ts';
import type { VirtioBus, VirtioBusOps } from './virtio-bus.ts';
import {
  VIRTIO_MMIO_INT_VRING, VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_MRG_RXBUF,
  VIRTIO_NET_RXQ, VIRTIO_NET_TXQ,
} from './virtio-config.ts';
import {
  VirtioNetDevice, deviceBroken, deviceInterrupt, deviceLinkChange, deviceRead32, deviceReadConfig8, deviceWriteSetup,
} from './virtio-device.ts';
import {
  VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_ECN, VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_LEN,
  VNET_CSUM_OFFSET, VNET_CSUM_START, VNET_FLAGS, VNET_GSO_SIZE, VNET_GSO_TYPE, VNET_HDR_LEN, VNET_NUM_BUFFERS,
} from './virtio-net-hdr.ts';

const ETH_HLEN = 14;
/** Longest frame: an IPv4 packet of greatest length behind an Ethernet header with a VLAN tag. */
const FRAME_MAX = 65535 + ETH_HLEN + 4;
/** Most buffers that one received frame may take. */
const RX_MERGE_MAX = 64;

function deviceOf(port: Port): VirtioNetDevice {
  return port.owner as VirtioNetDevice;
}

/** VirtioBusOps.write32: QueueNotify, or a register of the set-up. */
function deviceWrite32(bus: VirtioBus, offset: number, value: number): void {
  const vdev = bus.device as VirtioNetDevice;
  if (offset !== VIRTIO_MMIO_QUEUE_NOTIFY) {
    const ran = vdev.running;
    deviceWriteSetup(vdev, offset, value);
    // Who waits for buffers waits in vain now: its frames are to be lost.
    if (ran && !vdev.running) portRoom(vdev.port);
    return;
  }
  vdev.kicks++;
  if (!vdev.running) return;
  if (value === VIRTIO_NET_TXQ) deviceTransmit(vdev);
  else if (value === VIRTIO_NET_RXQ) deviceRxKick(vdev);
}

/** Sends what is in the transmit queue, until it is empty or the other end is full. */
function deviceTransmit(vdev: VirtioNetDevice): void {
  if (vdev.transmitting) return;
  vdev.transmitting = true;
  const vq = vdev.txq;
  const before = vq.lastUsedIdx;
  vhostDisableNotify(vq);
  for (;;) {
    const head = vhostGetVqDesc(vq);
    if (head >= 0) {
      if (!deviceReadFrame(vdev, vq)) vdev.txMalformed++;
      else if (portTransmit(vdev.port, vdev.frame) === PORT_BUSY) {
        vhostDiscardVqDesc(vq, 1);
        break;
      }
      vhostAddUsed(vq, head, 0);
      continue;
    }
    if (head === VHOST_BAD) {
      vdev.transmitting = false;
      deviceBroken(vdev);
      return;
    }
    if (!vhostEnableNotify(vq)) break;
    vhostDisableNotify(vq);
  }
  vdev.transmitting = false;
  if (vq.lastUsedIdx !== before && vhostPublishUsed(vq)) deviceInterrupt(vdev, VIRTIO_MMIO_INT_VRING);
}

/** PortOps.resume: the other end has room again. */
function deviceResume(port: Port): void {
  const vdev = deviceOf(port);
  if (vdev.running) deviceTransmit(vdev);
}

/** Makes vdev.frame the chain got last: takes the header off its front. False if there is no frame, or it is not as negotiated. */
function deviceReadFrame(vdev: VirtioNetDevice, vq: VhostVirtqueue): boolean {
  const iov = vq.iov;
  const frame = vdev.frame;
  if (vq.nrOut !== iov.nr || iov.len[0]! < VIRTIO_NET_HDR_LEN) return false;
  let len = -VIRTIO_NET_HDR_LEN;
  for (let i = 0; i < iov.nr; i++) len += iov.len[i]!;
  if (len < ETH_HLEN || len > FRAME_MAX) return false;
  frame.len = len;
  const view = iov.page[0]!.view;
  const hdr = iov.off[0]!;
  if (iov.len[0] === VIRTIO_NET_HDR_LEN) iov.first = 1;
  else {
    iov.off[0]! += VIRTIO_NET_HDR_LEN;
    iov.len[0]! -= VIRTIO_NET_HDR_LEN;
  }
  frame.gsoType = view.getUint8(hdr + VNET_GSO_TYPE);
  frame.gsoSize = frame.gsoType === VIRTIO_NET_HDR_GSO_NONE ? 0 : view.getUint16(hdr + VNET_GSO_SIZE, true);
  frame.needsCsum = (view.getUint8(hdr + VNET_FLAGS) & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0;
  if (!frame.needsCsum) {
    frame.csumStart = 0;
    return frame.gsoType === VIRTIO_NET_HDR_GSO_NONE;
  }
  frame.csumStart = view.getUint16(hdr + VNET_CSUM_START, true);
  frame.csumOffset = view.getUint16(hdr + VNET_CSUM_OFFSET, true);
  if ((vdev.driverFeatures & VIRTIO_NET_F_CSUM) === 0 || frame.csumStart + frame.csumOffset + 2 > len) return false;
  return frame.gsoType === VIRTIO_NET_HDR_GSO_NONE || deviceGsoValid(vdev, frame);
}

function deviceGsoValid(vdev: VirtioNetDevice, frame: Frame): boolean {
  if ((vdev.driverFeatures & VIRTIO_NET_F_HOST_TSO4) === 0 || frame.gsoSize === 0) return false;
  return (frame.gsoType & ~VIRTIO_NET_HDR_GSO_ECN) === VIRTIO_NET_HDR_GSO_TCPV4;
}

/** PortOps.receive: copies the frame into the driver's buffers. */
function deviceReceive(port: Port, frame: Frame): number {
  const vdev = deviceOf(port);
  if (!vdev.running || vdev.net.state !== NET_UP) {
    vdev.rxMissed++;
    return PORT_TAKEN;
  }
  const vq = vdev.rxq;
  for (;;) {
    const n = deviceFillBuffers(vdev, vq, frame);
    if (n > 0) break;
    if (n === RX_LOST) return PORT_TAKEN;
    vdev.rxStarved = true;
    if (!vhostEnableNotify(vq)) return PORT_BUSY;
    vhostDisableNotify(vq);
  }
  vdev.rxStarved = false;
  if (vhostPublishUsed(vq)) deviceInterrupt(vdev, VIRTIO_MMIO_INT_VRING);
  return PORT_TAKEN;
}

/** deviceFillBuffers: too few buffers. */
const RX_STARVED = 0;
/** deviceFillBuffers: the frame is lost, and counted. */
const RX_LOST = -1;

/**
 * Writes header and frame into as many buffers as it takes, and adds them to the used ring. Returns how many, RX_STARVED or
 * RX_LOST. As a rule it is one, of one piece.
 */
function deviceFillBuffers(vdev: VirtioNetDevice, vq: VhostVirtqueue, frame: Frame): number {
  const head = vhostGetVqDesc(vq);
  if (head < 0) {
    if (head !== VHOST_BAD) return RX_STARVED;
    deviceBroken(vdev);
    return RX_LOST;
  }
  const iov = vq.iov;
  const need = VIRTIO_NET_HDR_LEN + frame.len;
  if (iov.nr !== 1 || iov.len[0]! < need || vq.nrOut !== 0) {
    vhostDiscardVqDesc(vq, 1);
    return deviceMergeBuffers(vdev, vq, frame);
  }
  const page = iov.page[0]!;
  const at = iov.off[0]!;
  frameCopy(frame, 0, frame.len, page, at + VIRTIO_NET_HDR_LEN);
  deviceWriteHdr(page.view, at, frame, 1);
  vhostAddUsed(vq, head, need);
  return 1;
}

/** deviceFillBuffers() in general: buffers of several pieces; several of them, if MRG_RXBUF was negotiated. */
function deviceMergeBuffers(vdev: VirtioNetDevice, vq: VhostVirtqueue, frame: Frame): number {
  const mergeable = (vdev.driverFeatures & VIRTIO_NET_F_MRG_RXBUF) !== 0;
  const usedBefore = vq.lastUsedIdx;
  let hdrPage: Page | null = null;
  let hdrOff = 0;
  let done = 0;
  let n = 0;
  while (done < frame.len) {
    if (n > 0 && (!mergeable || n === RX_MERGE_MAX)) {
      vdev.rxOversized++;
      return deviceGiveBack(vq, n, usedBefore, RX_LOST);
    }
    const head = vhostGetVqDesc(vq);
    if (head < 0 || vq.nrOut !== 0 || vq.iov.len[0]! <= VIRTIO_NET_HDR_LEN) {
      if (head < 0 && head !== VHOST_BAD) return deviceGiveBack(vq, n, usedBefore, RX_STARVED);
      deviceBroken(vdev);
      return RX_LOST;
    }
    if (hdrPage === null) {
      hdrPage = vq.iov.page[0]!;
      hdrOff = vq.iov.off[0]!;
    }
    const skip = n === 0 ? VIRTIO_NET_HDR_LEN : 0;
    const copied = deviceFillBuffer(vq, frame, done, skip);
    done += copied;
    n++;
    vhostAddUsed(vq, head, skip + copied);
  }
  deviceWriteHdr(hdrPage!.view, hdrOff, frame, n);
  return n;
}

/** Takes the `n` buffers back that were written for a frame which does not fit. Returns `why`. */
function deviceGiveBack(vq: VhostVirtqueue, n: number, usedBefore: number, why: number): number {
  vhostDiscardVqDesc(vq, n);
  vq.lastUsedIdx = usedBefore;
  return why;
}

/** Copies the frame from octet `from` on into the buffer got last, behind `skip` octets. Returns how many octets went in. */
function deviceFillBuffer(vq: VhostVirtqueue, frame: Frame, from: number, skip: number): number {
  const iov = vq.iov;
  let done = 0;
  for (let i = 0; i < iov.nr && from + done < frame.len; i++) {
    const at = i === 0 ? skip : 0;
    const n = Math.min(iov.len[i]! - at, frame.len - from - done);
    frameCopy(frame, from + done, n, iov.page[i]!, iov.off[i]! + at);
    done += n;
  }
  return done;
}

function deviceWriteHdr(view: DataView, at: number, frame: Frame, numBuffers: number): void {
  view.setUint8(at + VNET_FLAGS, frame.needsCsum ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0);
  view.setUint8(at + VNET_GSO_TYPE, frame.gsoType);
  view.setUint16(at + VNET_HDR_LEN, 0, true);
  view.setUint16(at + VNET_GSO_SIZE, frame.gsoSize, true);
  view.setUint16(at + VNET_CSUM_START, frame.csumStart, true);
  view.setUint16(at + VNET_CSUM_OFFSET, frame.csumOffset, true);
  view.setUint16(at + VNET_NUM_BUFFERS, numBuffers, true);
}

/** The driver has given buffers for which a frame waits. */
function deviceRxKick(vdev: VirtioNetDevice): void {
  if (!vdev.rxStarved) return;
  vdev.rxStarved = false;
  vhostDisableNotify(vdev.rxq);
  portRoom(vdev.port);
}

const virtioBusOps: VirtioBusOps = { read32: deviceRead32, write32: deviceWrite32, readConfig8: deviceReadConfig8 };
const virtioPortOps: PortOps = { receive: deviceReceive, resume: deviceResume, linkChange: deviceLinkChange };

/** The device half of a card in host `net`, offering `features`, with queues of at most `queueSize` descriptors. */
export function createVirtioDevice(net: Net, name: string, queueSize: number, features: number): VirtioNetDevice {
  return new VirtioNetDevice(net, name, virtioPortOps, virtioBusOps, queueSize, features);
}
