// Which of a device's features are in force: what its user wants, as far as it makes sense.

import { callNetdeviceNotifiers, NETDEV_FEAT_CHANGE } from './notifier.ts';
import { NETIF_F_ALL_TSO, NETIF_F_CSUM_MASK, NETIF_F_SG } from './netdev-features.ts';
import { NETREG_REGISTERED, type NetDevice } from './netdevice.ts';

/**
 * Drops features that lack what they need: segmentation in the device needs scatter/gather and checksums in the device.
 * NETIF_F_GSO needs neither, as skb_segment copies for a device that cannot gather.
 */
export function netdevFixFeatures(features: number): number {
  if ((features & NETIF_F_SG) === 0 || (features & NETIF_F_CSUM_MASK) === 0) features &= ~NETIF_F_ALL_TSO;
  return features;
}

/** Puts dev.wantedFeatures in force as far as possible. Returns 0, or what the driver said (then nothing changes). */
export function netdevUpdateFeatures(dev: NetDevice): number {
  let features = (dev.features & ~dev.hwFeatures) | (dev.wantedFeatures & dev.hwFeatures);
  if (dev.netdevOps.ndoFixFeatures !== null) features = dev.netdevOps.ndoFixFeatures(dev, features);
  features = netdevFixFeatures(features);
  if (features === dev.features) return 0;
  if (dev.netdevOps.ndoSetFeatures !== null) {
    const rc = dev.netdevOps.ndoSetFeatures(dev, features);
    if (rc < 0) return rc;
  }
  dev.features = features;
  if (dev.regState === NETREG_REGISTERED) callNetdeviceNotifiers(NETDEV_FEAT_CHANGE, dev);
  return 0;
}

/** Switches features on and off (`ethtool -K`): `changed` the bits meant, `on` their values. Returns 0 or -errno. */
export function netdevSetFeatures(dev: NetDevice, changed: number, on: number): number {
  const before = dev.wantedFeatures;
  dev.wantedFeatures = (before & ~changed) | (on & changed & dev.hwFeatures);
  const rc = netdevUpdateFeatures(dev);
  if (rc < 0) dev.wantedFeatures = before;
  return rc;
}
