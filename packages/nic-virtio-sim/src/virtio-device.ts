// The device half of a virtio-net card: its state, registers and configuration space.
//
// The driver resets it, negotiates features, gives it two queues and says DRIVER_OK; from then on frames flow (vhost-net.ts).
// A driver that does what it must not has the device ask for a reset (DEVICE_NEEDS_RESET) and stop.
// Read first: VIRTIO 1.2 §2.1, §2.2, §3.1.1 (initialisation), §4.2 (MMIO), §5.1.4 (configuration).

import type { Net } from '@stack/kernel';
import type { SkbPool } from '@stack/skbuff';
import { Frame } from './frame.ts';
import { Port, type PortOps } from './port.ts';
import { VhostVirtqueue, vhostVringReset, vhostVringStart } from './vhost-vring.ts';
import { VirtioBus, virtioInterrupt, type VirtioBusOps } from './virtio-bus.ts';
import {
  VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_FEATURES_OK, VIRTIO_CONFIG_S_NEEDS_RESET, VIRTIO_F_VERSION_1_HI, VIRTIO_ID_NET,
  VIRTIO_MMIO_CONFIG_GENERATION, VIRTIO_MMIO_DEVICE_FEATURES, VIRTIO_MMIO_DEVICE_FEATURES_SEL, VIRTIO_MMIO_DEVICE_ID,
  VIRTIO_MMIO_DRIVER_FEATURES, VIRTIO_MMIO_DRIVER_FEATURES_SEL, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INTERRUPT_STATUS,
  VIRTIO_MMIO_INT_CONFIG, VIRTIO_MMIO_MAGIC, VIRTIO_MMIO_MAGIC_VALUE, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, VIRTIO_MMIO_QUEUE_AVAIL_LOW,
  VIRTIO_MMIO_QUEUE_DESC_HIGH, VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_NUM,
  VIRTIO_MMIO_QUEUE_NUM_MAX, VIRTIO_MMIO_QUEUE_READY, VIRTIO_MMIO_QUEUE_SEL, VIRTIO_MMIO_QUEUE_USED_HIGH,
  VIRTIO_MMIO_QUEUE_USED_LOW, VIRTIO_MMIO_STATUS, VIRTIO_MMIO_VENDOR, VIRTIO_MMIO_VENDOR_ID, VIRTIO_MMIO_VERSION,
  VIRTIO_NET_CONFIG_MAC, VIRTIO_NET_CONFIG_MTU, VIRTIO_NET_CONFIG_SIZE, VIRTIO_NET_CONFIG_STATUS, VIRTIO_NET_F_GUEST_CSUM,
  VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_S_LINK_UP, VIRTIO_RING_F_EVENT_IDX,
} from './virtio-config.ts';

/** The device half of one card. */
export class VirtioNetDevice {
  net: Net;
  bus: VirtioBus;
  port: Port;
  rxq: VhostVirtqueue;
  txq: VhostVirtqueue;
  /** The frame that the transmit queue shows: its pieces are txq.iov. */
  frame: Frame;
  /** Features offered, lower and upper half; those the driver took. */
  deviceFeatures: number;
  deviceFeaturesHi: number;
  driverFeatures: number;
  driverFeaturesHi: number;
  deviceFeaturesSel: number;
  driverFeaturesSel: number;
  queueSel: number;
  status: number;
  interruptStatus: number;
  configGeneration: number;
  config: Uint8Array;
  /** DRIVER_OK and no fault. */
  running: boolean;
  /** A frame was refused for want of buffers. */
  rxStarved: boolean;
  /** deviceTransmit() is at work, further up the stack. */
  transmitting: boolean;
  // Frames that came while no driver ran; that no buffer could hold; that the driver gave broken.
  rxMissed: number;
  rxOversized: number;
  txMalformed: number;
  kicks: number;
  interrupts: number;

  constructor(net: Net, name: string, portOps: PortOps, busOps: VirtioBusOps, queueSize: number, features: number) {
    const pool: SkbPool = net.world.pool;
    this.net = net;
    this.bus = new VirtioBus(net, busOps, this);
    this.port = new Port(net.world, net, name, portOps, this);
    this.rxq = new VhostVirtqueue(pool, 0, queueSize);
    this.txq = new VhostVirtqueue(pool, 1, queueSize);
    this.frame = new Frame(this.txq.iov);
    this.deviceFeatures = features;
    this.deviceFeaturesHi = VIRTIO_F_VERSION_1_HI;
    this.driverFeatures = 0;
    this.driverFeaturesHi = 0;
    this.deviceFeaturesSel = 0;
    this.driverFeaturesSel = 0;
    this.queueSel = 0;
    this.status = 0;
    this.interruptStatus = 0;
    this.configGeneration = 0;
    this.config = new Uint8Array(VIRTIO_NET_CONFIG_SIZE);
    this.running = false;
    this.rxStarved = false;
    this.transmitting = false;
    this.rxMissed = 0;
    this.rxOversized = 0;
    this.txMalformed = 0;
    this.kicks = 0;
    this.interrupts = 0;
  }
}

/** Fills the configuration space with what never changes. `mac` six octets. */
export function deviceSetConfig(vdev: VirtioNetDevice, mac: Uint8Array, mtu: number): void {
  vdev.config.set(mac, VIRTIO_NET_CONFIG_MAC);
  vdev.config[VIRTIO_NET_CONFIG_MTU] = mtu;
  vdev.config[VIRTIO_NET_CONFIG_MTU + 1] = mtu >> 8;
}

/** Sets the interrupt status and raises the line. */
export function deviceInterrupt(vdev: VirtioNetDevice, bits: number): void {
  vdev.interruptStatus |= bits;
  vdev.interrupts++;
  virtioInterrupt(vdev.bus);
}

/** The cable was plugged in or pulled out: the driver is told through the configuration space. */
export function deviceLinkChange(port: Port, up: boolean): void {
  const vdev = port.owner as VirtioNetDevice;
  vdev.config[VIRTIO_NET_CONFIG_STATUS] = up ? VIRTIO_NET_S_LINK_UP : 0;
  vdev.configGeneration++;
  if (vdev.running) deviceInterrupt(vdev, VIRTIO_MMIO_INT_CONFIG);
}

/** The driver has done what it must not: nothing moves until it resets the device. */
export function deviceBroken(vdev: VirtioNetDevice): void {
  vdev.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
  vdev.running = false;
  deviceInterrupt(vdev, VIRTIO_MMIO_INT_CONFIG);
}

/** Forgets everything but what is offered. */
function deviceReset(vdev: VirtioNetDevice): void {
  vdev.running = false;
  vdev.status = 0;
  vdev.interruptStatus = 0;
  vdev.driverFeatures = 0;
  vdev.driverFeaturesHi = 0;
  vdev.rxStarved = false;
  vhostVringReset(vdev.rxq);
  vhostVringReset(vdev.txq);
}

/** VirtioBusOps.readConfig8. */
export function deviceReadConfig8(bus: VirtioBus, offset: number): number {
  return (bus.device as VirtioNetDevice).config[offset] ?? 0;
}

/** VirtioBusOps.read32. */
export function deviceRead32(bus: VirtioBus, offset: number): number {
  const vdev = bus.device as VirtioNetDevice;
  switch (offset) {
    case VIRTIO_MMIO_INTERRUPT_STATUS: return vdev.interruptStatus;
    case VIRTIO_MMIO_STATUS: return vdev.status;
    case VIRTIO_MMIO_MAGIC_VALUE: return VIRTIO_MMIO_MAGIC;
    case VIRTIO_MMIO_VERSION: return 2;
    case VIRTIO_MMIO_DEVICE_ID: return VIRTIO_ID_NET;
    case VIRTIO_MMIO_VENDOR_ID: return VIRTIO_MMIO_VENDOR;
    case VIRTIO_MMIO_DEVICE_FEATURES:
      if (vdev.deviceFeaturesSel > 1) return 0;
      return vdev.deviceFeaturesSel === 0 ? vdev.deviceFeatures : vdev.deviceFeaturesHi;
    case VIRTIO_MMIO_QUEUE_NUM_MAX: return selectedQueue(vdev)?.numMax ?? 0;
    case VIRTIO_MMIO_QUEUE_READY: return selectedQueue(vdev)?.ready === true ? 1 : 0;
    case VIRTIO_MMIO_CONFIG_GENERATION: return vdev.configGeneration;
    default: return 0;
  }
}

function selectedQueue(vdev: VirtioNetDevice): VhostVirtqueue | null {
  if (vdev.queueSel === 0) return vdev.rxq;
  return vdev.queueSel === 1 ? vdev.txq : null;
}

/** Writes a register other than QueueNotify, which vhost-net.ts takes first. */
export function deviceWriteSetup(vdev: VirtioNetDevice, offset: number, value: number): void {
  switch (offset) {
    case VIRTIO_MMIO_INTERRUPT_ACK: vdev.interruptStatus &= ~value; break;
    case VIRTIO_MMIO_STATUS: deviceWriteStatus(vdev, value); break;
    case VIRTIO_MMIO_DEVICE_FEATURES_SEL: vdev.deviceFeaturesSel = value; break;
    case VIRTIO_MMIO_DRIVER_FEATURES_SEL: vdev.driverFeaturesSel = value; break;
    case VIRTIO_MMIO_DRIVER_FEATURES:
      if (vdev.driverFeaturesSel === 0) vdev.driverFeatures = value;
      else if (vdev.driverFeaturesSel === 1) vdev.driverFeaturesHi = value;
      break;
    case VIRTIO_MMIO_QUEUE_SEL: vdev.queueSel = value; break;
    default: {
      const vq = selectedQueue(vdev);
      if (vq !== null && !vq.ready) deviceWriteQueue(vdev, vq, offset, value);
    }
  }
}

function deviceWriteStatus(vdev: VirtioNetDevice, value: number): void {
  if (value === 0) {
    deviceReset(vdev);
    return;
  }
  const gained = value & ~vdev.status;
  let status = vdev.status | value;
  if ((gained & VIRTIO_CONFIG_S_FEATURES_OK) !== 0 && !featuresAcceptable(vdev)) status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
  vdev.status = status;
  if ((gained & VIRTIO_CONFIG_S_DRIVER_OK) === 0) return;
  if ((status & VIRTIO_CONFIG_S_FEATURES_OK) === 0 || !vdev.rxq.ready || !vdev.txq.ready) {
    deviceBroken(vdev);
    return;
  }
  vdev.port.csum = (vdev.driverFeatures & VIRTIO_NET_F_GUEST_CSUM) !== 0;
  vdev.port.gso = (vdev.driverFeatures & VIRTIO_NET_F_GUEST_TSO4) !== 0;
  vdev.running = true;
}

/** A driver may take what is offered, no more, and must take VERSION_1; segments without checksums make no sense (§5.1.3.1). */
function featuresAcceptable(vdev: VirtioNetDevice): boolean {
  if ((vdev.driverFeatures & ~vdev.deviceFeatures) !== 0) return false;
  if (vdev.driverFeaturesHi !== VIRTIO_F_VERSION_1_HI) return false;
  const tso = (vdev.driverFeatures & VIRTIO_NET_F_GUEST_TSO4) !== 0;
  return !tso || (vdev.driverFeatures & VIRTIO_NET_F_GUEST_CSUM) !== 0;
}

function deviceWriteQueue(vdev: VirtioNetDevice, vq: VhostVirtqueue, offset: number, value: number): void {
  switch (offset) {
    case VIRTIO_MMIO_QUEUE_NUM: vq.num = value; break;
    case VIRTIO_MMIO_QUEUE_DESC_LOW: vq.descOff = value; break;
    case VIRTIO_MMIO_QUEUE_DESC_HIGH: vq.descPage = value; break;
    case VIRTIO_MMIO_QUEUE_AVAIL_LOW: vq.availOff = value; break;
    case VIRTIO_MMIO_QUEUE_AVAIL_HIGH: vq.availPage = value; break;
    case VIRTIO_MMIO_QUEUE_USED_LOW: vq.usedOff = value; break;
    case VIRTIO_MMIO_QUEUE_USED_HIGH: vq.usedPage = value; break;
    case VIRTIO_MMIO_QUEUE_READY:
      if (!vhostVringStart(vq, (vdev.driverFeatures & VIRTIO_RING_F_EVENT_IDX) !== 0)) deviceBroken(vdev);
      break;
    default:
  }
}
