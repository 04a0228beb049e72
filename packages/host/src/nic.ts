/*
 * Putting a device into a host: what `ip link set up`, `ip addr add` and `ip route add default` do, in one step; and
 * the devices most used, cabled to a switch.
 */
import { netAtExit, type Net } from '@stack/kernel';
import { NETREG_UNINITIALIZED, devOpen, registerNetdevice, type NetDevice } from '@stack/netdev';
import {
  createPlainNic, createVirtioNic, switchAttach, switchDetach, type Impairments, type PlainNicOptions, type Port, type Switch,
  type VirtioNicOptions,
} from '@stack/nic-virtio-sim';
import { ipAddrAdd, ipRouteAdd } from '@stack/ip';
import { sysCall } from '@stack/socket';

/** Makes a device on a host. */
export type DeviceMaker = (net: Net) => NetDevice;

/** A device of a host, and what it is configured with. */
export interface NicOptions {
  /** The device, or what makes it: `virtioOn(lan)`. It may have registered it already. */
  readonly device: NetDevice | DeviceMaker;
  /** `A.B.C.D/LEN`, one or several. */
  readonly address?: string | readonly string[];
  /** The next hop of the default route. */
  readonly gateway?: string;
}

/** Registers the device if need be, takes it up, adds addresses and default route. Throws Errors with Node's fields. */
export function addNic(net: Net, options: NicOptions): NetDevice {
  const dev = typeof options.device === 'function' ? options.device(net) : options.device;
  if (dev.regState === NETREG_UNINITIALIZED) sysCall(registerNetdevice(dev), 'register_netdevice', dev.name);
  sysCall(devOpen(dev), 'dev_open', dev.name);
  const { address = [], gateway } = options;
  for (const text of typeof address === 'string' ? [address] : address) sysCall(ipAddrAdd(dev, text), 'ip addr add', text);
  if (gateway !== undefined) sysCall(ipRouteAdd(net, { dst: 'default', gateway }), 'ip route add default via', gateway);
  return dev;
}

/** What the cable between a card and its switch does, besides the card's own options. */
export interface CableOptions {
  /** From the card to the switch, and back if `back` does not say otherwise. */
  readonly impairments?: Impairments;
  readonly back?: Impairments;
}

/** A virtio-net card on `lan`. The cable is pulled out when the host is closed; what is on it then is lost. */
export function virtioOn(lan: Switch, options: VirtioNicOptions & CableOptions = {}): DeviceMaker {
  return (net) => {
    const card = createVirtioNic(net, options);
    plugIn(net, lan, card.port, options);
    return card.dev;
  };
}

/** A plain card on `lan`, likewise: no NAPI, no offloads, no header cache. */
export function plainOn(lan: Switch, options: PlainNicOptions & CableOptions = {}): DeviceMaker {
  return (net) => {
    const card = createPlainNic(net, options);
    plugIn(net, lan, card.port, options);
    return card.dev;
  };
}

function plugIn(net: Net, lan: Switch, port: Port, { impairments, back }: CableOptions): void {
  const cable = switchAttach(lan, port, impairments, back);
  netAtExit(net, () => switchDetach(lan, cable));
}
