// The driver's side of device initialisation: status handshake, features, queues.
//
// virtioFindFeatures() when the driver is bound; virtioStart() when the interface goes up, virtioReset() when it goes
// down. Read first: VIRTIO 1.2 §3.1.1 (the steps, in order), §4.2.3 (registers).

import { ENODEV, ENOMEM } from '@stack/kernel';
import type { Virtqueue } from './virtio-ring.ts';
import { virtioRead32, virtioWrite32, type VirtioBus } from './virtio-bus.ts';
import {
  VIRTIO_CONFIG_S_ACKNOWLEDGE, VIRTIO_CONFIG_S_DRIVER, VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_FAILED,
  VIRTIO_CONFIG_S_FEATURES_OK, VIRTIO_CONFIG_S_NEEDS_RESET, VIRTIO_F_VERSION_1_HI, VIRTIO_ID_NET, VIRTIO_MMIO_DEVICE_FEATURES,
  VIRTIO_MMIO_DEVICE_FEATURES_SEL, VIRTIO_MMIO_DEVICE_ID, VIRTIO_MMIO_DRIVER_FEATURES, VIRTIO_MMIO_DRIVER_FEATURES_SEL,
  VIRTIO_MMIO_MAGIC, VIRTIO_MMIO_MAGIC_VALUE, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, VIRTIO_MMIO_QUEUE_AVAIL_LOW,
  VIRTIO_MMIO_QUEUE_DESC_HIGH, VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_NUM, VIRTIO_MMIO_QUEUE_NUM_MAX,
  VIRTIO_MMIO_QUEUE_READY, VIRTIO_MMIO_QUEUE_SEL, VIRTIO_MMIO_QUEUE_USED_HIGH, VIRTIO_MMIO_QUEUE_USED_LOW, VIRTIO_MMIO_STATUS,
  VIRTIO_MMIO_VERSION,
} from './virtio-config.ts';

/** Whether there is a network device of this specification behind the bus. */
export function virtioNetPresent(bus: VirtioBus): boolean {
  return virtioRead32(bus, VIRTIO_MMIO_MAGIC_VALUE) === VIRTIO_MMIO_MAGIC
    && virtioRead32(bus, VIRTIO_MMIO_VERSION) === 2
    && virtioRead32(bus, VIRTIO_MMIO_DEVICE_ID) === VIRTIO_ID_NET;
}

function addStatus(bus: VirtioBus, bit: number): void {
  virtioWrite32(bus, VIRTIO_MMIO_STATUS, virtioRead32(bus, VIRTIO_MMIO_STATUS) | bit);
}

/** Resets the device: it forgets queues and features, and touches no memory any more. */
export function virtioReset(bus: VirtioBus): void {
  virtioWrite32(bus, VIRTIO_MMIO_STATUS, 0);
}

/** Gives the device up for good. */
export function virtioFail(bus: VirtioBus): void {
  addStatus(bus, VIRTIO_CONFIG_S_FAILED);
}

/** Whether the device has asked for a reset. */
export function virtioNeedsReset(bus: VirtioBus): boolean {
  return (virtioRead32(bus, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET) !== 0;
}

/**
 * Resets the device and takes of what it offers the features that are in `wanted`. Returns them, or -ENODEV if device and
 * driver do not get along.
 */
export function virtioFindFeatures(bus: VirtioBus, wanted: number): number {
  virtioReset(bus);
  addStatus(bus, VIRTIO_CONFIG_S_ACKNOWLEDGE);
  addStatus(bus, VIRTIO_CONFIG_S_DRIVER);
  virtioWrite32(bus, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
  const hi = virtioRead32(bus, VIRTIO_MMIO_DEVICE_FEATURES);
  virtioWrite32(bus, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
  const features = virtioRead32(bus, VIRTIO_MMIO_DEVICE_FEATURES) & wanted;
  if ((hi & VIRTIO_F_VERSION_1_HI) === 0) return -ENODEV;
  virtioWrite32(bus, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
  virtioWrite32(bus, VIRTIO_MMIO_DRIVER_FEATURES, features);
  virtioWrite32(bus, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
  virtioWrite32(bus, VIRTIO_MMIO_DRIVER_FEATURES, VIRTIO_F_VERSION_1_HI);
  addStatus(bus, VIRTIO_CONFIG_S_FEATURES_OK);
  // The device says no by not keeping the bit.
  if ((virtioRead32(bus, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK) === 0) return -ENODEV;
  return features;
}

/** How many descriptors queue `index` may have; 0 if there is no such queue. */
export function virtioQueueMax(bus: VirtioBus, index: number): number {
  virtioWrite32(bus, VIRTIO_MMIO_QUEUE_SEL, index);
  return virtioRead32(bus, VIRTIO_MMIO_QUEUE_NUM_MAX);
}

/** Tells the device where a queue is. Returns 0, or -ENOMEM if it does not take it. */
export function virtioSetupQueue<T>(bus: VirtioBus, vq: Virtqueue<T>): number {
  const { page } = vq;
  virtioWrite32(bus, VIRTIO_MMIO_QUEUE_SEL, vq.index);
  virtioWrite32(bus, VIRTIO_MMIO_QUEUE_NUM, vq.num);
  virtioWrite32(bus, VIRTIO_MMIO_QUEUE_DESC_LOW, vq.desc - page.base);
  virtioWrite32(bus, VIRTIO_MMIO_QUEUE_DESC_HIGH, page.no);
  virtioWrite32(bus, VIRTIO_MMIO_QUEUE_AVAIL_LOW, vq.avail - page.base);
  virtioWrite32(bus, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, page.no);
  virtioWrite32(bus, VIRTIO_MMIO_QUEUE_USED_LOW, vq.used - page.base);
  virtioWrite32(bus, VIRTIO_MMIO_QUEUE_USED_HIGH, page.no);
  virtioWrite32(bus, VIRTIO_MMIO_QUEUE_READY, 1);
  return virtioRead32(bus, VIRTIO_MMIO_QUEUE_READY) === 1 ? 0 : -ENOMEM;
}

/** The driver is ready: frames may flow. */
export function virtioDeviceReady(bus: VirtioBus): void {
  addStatus(bus, VIRTIO_CONFIG_S_DRIVER_OK);
}
