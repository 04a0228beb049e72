// Making a card: its two halves and the port between them and the wire.

import { ENODEV, errnoException, requireNet, type Net } from '@stack/kernel';
import { ETH_ALEN, ETH_DATA_LEN, ETH_MAX_MTU, ETH_MIN_MTU, ethRandomAddr, isValidEtherAddr, registerNetdevice, type NetDevice } from '@stack/netdev';
import type { Port } from './port.ts';
import { createVirtioDevice } from './vhost-net.ts';
import {
  VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_ECN, VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_HOST_ECN,
  VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_MAC, VIRTIO_NET_F_MRG_RXBUF, VIRTIO_NET_F_MTU, VIRTIO_NET_F_STATUS, VIRTIO_RING_F_EVENT_IDX,
} from './virtio-config.ts';
import { deviceSetConfig, type VirtioNetDevice } from './virtio-device.ts';
import { virtnetProbe } from './virtio-net.ts';

/** Which offloads the device offers; an absent one is as `offloads: true` has it. */
export interface VirtioOffloads {
  /** Completes checksums of packets sent (CSUM), takes packets received whose checksum is not complete (GUEST_CSUM). */
  readonly csum?: boolean;
  /** Cuts TCP segments sent (HOST_TSO4), takes uncut ones (GUEST_TSO4). Needs csum. */
  readonly tso?: boolean;
}

export interface VirtioNicOptions {
  /** Interface name, 'eth%d' if absent. */
  readonly name?: string;
  /** Six octets; random if absent. */
  readonly mac?: Uint8Array;
  /** 1500 if absent. */
  readonly mtu?: number;
  /** True (the default): all. False: none, so the stack sums and cuts by itself. */
  readonly offloads?: boolean | VirtioOffloads;
  /** Descriptors per queue, a power of two from 64 to 32768; 256 if absent. */
  readonly queueSize?: number;
  /** Whether a received frame may be spread over several buffers; true if absent. */
  readonly mergeable?: boolean;
  /** Notification suppression by event index; true if absent (else by flags). */
  readonly eventIdx?: boolean;
}

/** A card: what the host sees of it, and where its cable goes. */
export interface VirtioNic {
  readonly dev: NetDevice;
  readonly port: Port;
  /** The hardware, for figures and tests. */
  readonly device: VirtioNetDevice;
}

function offeredFeatures(options: VirtioNicOptions): number {
  const { offloads = true, mergeable = true, eventIdx = true } = options;
  const csum = typeof offloads === 'boolean' ? offloads : offloads.csum ?? true;
  const tso = csum && (typeof offloads === 'boolean' ? offloads : offloads.tso ?? true);
  let features = VIRTIO_NET_F_MAC | VIRTIO_NET_F_MTU | VIRTIO_NET_F_STATUS;
  if (csum) features |= VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM;
  if (tso) features |= VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_ECN | VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_ECN;
  if (mergeable) features |= VIRTIO_NET_F_MRG_RXBUF;
  if (eventIdx) features |= VIRTIO_RING_F_EVENT_IDX;
  return features;
}

/** Throws a RangeError that names the option if a value cannot be. */
export function checkNicOptions(mac: Uint8Array | undefined, mtu: number): void {
  if (mac !== undefined && !isValidEtherAddr(mac)) throw new RangeError(`mac must be ${ETH_ALEN} octets, not a group's, not zero`);
  if (!Number.isInteger(mtu) || mtu < ETH_MIN_MTU || mtu > ETH_MAX_MTU) throw new RangeError(`mtu must be ${ETH_MIN_MTU} to ${ETH_MAX_MTU}, not ${mtu}`);
}

/**
 * Plugs a virtio-net card into host `net` and binds the driver to it: the interface is registered, down, without a cable
 * (connect(), switchAttach()). Throws a RangeError for a bad option, an errno error if the interface cannot be registered.
 */
export function createVirtioNic(net: Net, options: VirtioNicOptions = {}): VirtioNic {
  requireNet(net, 'installVirtioNic', 'netdev');
  const { name = 'eth%d', mac, mtu = ETH_DATA_LEN, queueSize = 256 } = options;
  checkNicOptions(mac, mtu);
  if (!(queueSize >= 64 && queueSize <= 32768) || (queueSize & (queueSize - 1)) !== 0) {
    throw new RangeError(`queueSize must be a power of two from 64 to 32768, not ${queueSize}`);
  }
  const device = createVirtioDevice(net, `${net.name}:${name}`, queueSize, offeredFeatures(options));
  deviceSetConfig(device, mac ?? ethRandomAddr(net.world.random), mtu);
  const dev = virtnetProbe(net, device.bus, name);
  if (dev === null) throw errnoException(ENODEV, 'createVirtioNic');
  const rc = registerNetdevice(dev);
  if (rc < 0) throw errnoException(-rc, 'createVirtioNic');
  device.port.name = `${net.name}:${dev.name}`;
  return { dev, port: device.port, device };
}
