/*
 * Makers for the devices that have no wire of their own: a bridge, VLANs, a cable between two hosts, a tunnel, and devices that
 * wrap another. Each is what addNic() and createHost() take as `device`:
 *
 *   host.addNic({ device: bridgeOf([virtioOn(left), virtioOn(right)]), address: '10.0.0.1/24' });
 */
import { ENODEV, EXDEV, errnoException, type Net } from '@stack/kernel';
import {
  brAddBridge, brAddIf, createFaultInjector, createTapWrapper, createTun, createVeth, netdevPriv, tunGiveUp, tunRead, tunReadable,
  tunWaiter, tunWrite, vethConnect, vlanAdd, type BridgeOptions, type FaultOptions, type FrameSink, type TunOptions,
  type VethOptions, type VlanOptions,
} from '@stack/devices';
import { NETREG_UNINITIALIZED, devGetByName, devOpen, registerNetdevice, type NetDevice } from '@stack/netdev';
import { sysCall } from '@stack/socket';
import type { DeviceMaker } from './nic.ts';

/** A device of the host: its name, itself, or what makes it. */
export type DeviceRef = string | NetDevice | DeviceMaker;

/** IP packets as web streams: one chunk, one packet. */
export interface TunStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** Finds or makes the device, and registers it if need be. Throws an Error with Node's fields (ENODEV, …). */
function resolveDevice(net: Net, ref: DeviceRef): NetDevice {
  if (typeof ref === 'string') {
    const found = devGetByName(net, ref);
    if (found === null) throw errnoException(ENODEV, 'dev_get_by_name', ref);
    return found;
  }
  const dev = typeof ref === 'function' ? ref(net) : ref;
  if (dev.regState === NETREG_UNINITIALIZED) sysCall(registerNetdevice(dev), 'register_netdevice', dev.name);
  return dev;
}

/** A bridge whose ports are `ports`; they are taken up, and need no address. */
export function bridgeOf(ports: readonly DeviceRef[], options: BridgeOptions = {}): DeviceMaker {
  return (net) => {
    const br = brAddBridge(net, options);
    for (const ref of ports) {
      const port = resolveDevice(net, ref);
      sysCall(brAddIf(netdevPriv(br), port), 'br_add_if', port.name);
      sysCall(devOpen(port), 'dev_open', port.name);
    }
    return br;
  };
}

/** VLAN `id` on a device, which is taken up. */
export function vlanOn(real: DeviceRef, id: number, options: VlanOptions = {}): DeviceMaker {
  return (net) => {
    const realDev = resolveDevice(net, real);
    sysCall(devOpen(realDev), 'dev_open', realDev.name);
    return vlanAdd(realDev, id, options);
  };
}

/** The two ends of a cable, each for a host of one World. The second to be made throws EXDEV in another. */
export function vethPair(options: VethOptions = {}, peerOptions: VethOptions = {}): [DeviceMaker, DeviceMaker] {
  let first: NetDevice | null = null;
  const end = (own: VethOptions): DeviceMaker => (net) => {
    if (first !== null && first.net.world !== net.world) throw errnoException(EXDEV, 'veth_newlink');
    const dev = createVeth(net, own);
    if (first === null) first = dev;
    else sysCall(vethConnect(first, dev), 'veth_newlink', dev.name);
    return dev;
  };
  return [end(options), end(peerOptions)];
}

/** A device of bare IP packets at the end of `wire`: packets go to its writable and come from its readable. */
export function tunOn(wire: TunStreams, options: TunOptions = {}): DeviceMaker {
  return (net) => {
    const dev = createTun(net, options);
    const { readable, writable } = tunStreams(dev);
    // A wire that breaks loses packets, as wires do: the device stays.
    void readable.pipeTo(wire.writable).catch(() => dev.stats.txErrors++);
    void wire.readable.pipeTo(writable).catch(() => dev.stats.rxErrors++);
    return dev;
  };
}

/**
 * The user's end of a TUN device as web streams. The readable holds nothing back and closes when the device is gone; the
 * writable takes every packet, and what the device refuses is counted there: one bad packet does not end a tunnel.
 */
export function tunStreams(dev: NetDevice): TunStreams {
  const waiter = tunWaiter(dev);
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    while (await tunReadable(dev, waiter)) {
      const packet = tunRead(dev);
      if (packet === null) continue;
      controller.enqueue(packet);
      return;
    }
    controller.close();
  };
  return {
    readable: new ReadableStream<Uint8Array>({ pull, cancel: () => tunGiveUp(waiter) }, { highWaterMark: 0 }),
    writable: new WritableStream<Uint8Array>({
      write: (packet) => {
        tunWrite(dev, packet);
      },
    }),
  };
}

/** A device that loses, damages and repeats what passes between it and another: see createFaultInjector(). */
export function faultyOn(lower: DeviceRef, options: FaultOptions = {}): DeviceMaker {
  return (net) => createFaultInjector(resolveDevice(net, lower), options);
}

/** A device that shows `sink` each frame that passes between it and another: see createTapWrapper(). */
export function tappedOn(lower: DeviceRef, sink: FrameSink, name?: string): DeviceMaker {
  return (net) => createTapWrapper(resolveDevice(net, lower), sink, name);
}
