// Making the device: what a user calls.
//
// openTap() opens the interface, registers a NetDevice for it and turns its carrier on; devOpen() starts it; closeTap(), or the
// end of its Net, gives the interface back.

import { errnoException, type Net } from '@stack/kernel';
import {
  ARPHRD_NONE, IFF_MULTICAST, IFF_NOARP, IFF_POINTOPOINT, NETIF_F_HW_CSUM, NETIF_F_RXCSUM, NETIF_F_SG, NETIF_F_TSO,
  NETIF_F_TSO_ECN, allocNetdev, devAddrSet, ethHwAddrRandom, etherSetup, registerNetdevice, unregisterNetdevice,
  type NetDevice,
} from '@stack/netdev';
import { loadLibc } from './libc.ts';
import { TapPriv, tapInterrupt, tapNetdevOps } from './tap.ts';
import { IFF_TAP, IFF_TUN, tunConfigure, tunOpen, type TunPeer } from './tun-ioctl.ts';
import { uvPollClose, uvPollOpen } from './uv-poll.ts';

const TUN_MIN_MTU = 68;
const TUN_MAX_MTU = 65535;
const TUN_MTU = 1500;

/** What interface to open, and how. */
export interface TapOptions {
  /** Linux's name for it; may hold `%d`. Default `tap%d` or `tun%d`. */
  readonly name?: string;
  /** `tap`: Ethernet frames; `tun`: IP packets. Default `tap`. */
  readonly mode?: 'tap' | 'tun';
  /**
   * Checksums and TCP segmentation are left to the other side, both ways (IFF_VNET_HDR). Default true. Linux completes what it
   * sends on to a real wire; what stays in the machine never gets a checksum.
   */
  readonly offloads?: boolean;
  /** Our end's Ethernet address, six octets; default a random one, locally administered. */
  readonly mac?: Uint8Array;
  /** Our end's MTU; default 1500. */
  readonly mtu?: number;
  /** Sets up Linux's end too, and brings it up. Without it the interface is left as it is. */
  readonly peer?: TunPeer;
}

/**
 * Opens a TAP or TUN interface of this machine as a device of `net`, carrier on, not yet up. It keeps the process alive while
 * it is up, as a listening socket does, until tapUnref(). Throws an Error with code and remedy: koffi is not installed, EPERM,
 * EBUSY, ENOENT, …
 */
export function openTap(net: Net, options: TapOptions = {}): NetDevice {
  const mode = options.mode ?? 'tap';
  const offloads = options.offloads ?? true;
  const libc = loadLibc();
  const file = tunOpen(libc, options.name ?? `${mode}%d`, mode === 'tun' ? IFF_TUN : IFF_TAP, offloads);
  const priv = new TapPriv(libc, file.fd, mode === 'tun', offloads);
  try {
    if (options.peer !== undefined) tunConfigure(libc, file.name, options.peer);
    const dev = tapAlloc(net, file.name, priv, options);
    tapRegister(dev, priv);
    return dev;
  } catch (error) {
    if (priv.fd >= 0) libc.close(priv.fd);
    throw error;
  }
}

/** The device, its features and addresses set. */
function tapAlloc(net: Net, name: string, priv: TapPriv, options: TapOptions): NetDevice {
  const { tun } = priv;
  const dev = allocNetdev(net, name, tapNetdevOps, tun ? tunSetup : etherSetup, priv);
  dev.mtu = options.mtu ?? TUN_MTU;
  if (!tun && options.mac !== undefined) devAddrSet(dev, options.mac);
  else if (!tun) ethHwAddrRandom(dev);
  if (priv.vnetHdr) {
    dev.hwFeatures = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO_ECN;
    dev.features = dev.hwFeatures | NETIF_F_RXCSUM;
  }
  return dev;
}

/** Watches the file descriptor and registers the device: from here on ndo_uninit closes both. */
function tapRegister(dev: NetDevice, priv: TapPriv): void {
  const poll = uvPollOpen(priv.libc, priv.fd, (status, events) => tapInterrupt(dev, status, events));
  if (typeof poll === 'number') throw errnoException(poll, 'uv_poll_init', dev.name);
  priv.poll = poll;
  const error = registerNetdevice(dev);
  if (error === 0) return;
  if (priv.poll !== null) uvPollClose(priv.poll); // refused before ndo_uninit could
  priv.poll = null;
  throw errnoException(error, 'registerNetdevice', dev.name);
}

function tunSetup(dev: NetDevice): void {
  dev.type = ARPHRD_NONE;
  dev.minMtu = TUN_MIN_MTU;
  dev.maxMtu = TUN_MAX_MTU;
  dev.flags |= IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST;
}

/** Takes the device out of its Net and gives the interface back to Linux. A second call does nothing. */
export function closeTap(dev: NetDevice): void {
  unregisterNetdevice(dev);
}

/** The device no longer keeps the process alive. */
export function tapUnref(dev: NetDevice): void {
  const { poll, libc } = dev.priv as TapPriv;
  if (poll !== null) libc.uv.unref(poll.address);
}

/** The device keeps the process alive while it is up: so it begins. */
export function tapRef(dev: NetDevice): void {
  const { poll, libc } = dev.priv as TapPriv;
  if (poll !== null) libc.uv.ref(poll.address);
}
