/*
 * What `npm start` builds: a World, the echo server's host and, unless it stands on a TAP, a gateway host on the same
 * simulated Ethernet segment.
 */
import { createWorld, type World } from '@stack/kernel';
import { realClock } from '@stack/kernel/real-clock';
import { createHost, virtioOn, type Host } from '@stack/host';
import { createSwitch } from '@stack/nic-virtio-sim';
import { openTap } from '@stack/nic-tap';
import type { Options } from './options.ts';

const VIRTIO_NAME = 'eth0';

export interface Segment {
  readonly world: World;
  readonly server: Host;
  /** Null when the server stands on a TAP: then the machine itself is the peer. */
  readonly gateway: Host | null;
  /** The name of each host's one NIC. */
  readonly nicName: string;
  /** The server's address. */
  readonly address: string;
  readonly gatewayAddress: string | null;
  /** The machine's own address on the TAP. */
  readonly machineAddress: string | null;
  close(): Promise<void>;
}

/** The hosts of a segment, the client's side first. */
export function hostsOf(segment: Segment): Host[] {
  return segment.gateway === null ? [segment.server] : [segment.gateway, segment.server];
}

/** The address beside this one in its subnet, with its prefix length: the other side's. */
export function neighbourOf(address: string): string {
  const [host = '', length = ''] = address.split('/');
  const parts = host.split('.').map(Number);
  const last = parts[3] ?? 0;
  parts[3] = last % 2 === 1 ? last + 1 : last - 1;
  return `${parts.join('.')}/${length}`;
}

function plain(address: string): string {
  return address.split('/')[0] ?? '';
}

/** Builds what the options say. Throws an Error of Node's kind when a device is not to be had. */
export function buildSegment(options: Options): Segment {
  const world = createWorld({ clock: realClock() });
  return options.tap === null ? simulated(world, options) : onTap(world, options, options.tap);
}

function simulated(world: World, options: Options): Segment {
  const lan = createSwitch(world);
  const card = { name: VIRTIO_NAME, mtu: options.mtu };
  const hosts = { server: plain(options.address) };
  const server = createHost({ world, name: 'server', nics: [{ device: virtioOn(lan, card), address: options.address }] });
  const gateway = createHost({
    world, name: 'gateway', hosts, nics: [{ device: virtioOn(lan, card), address: neighbourOf(options.address) }],
  });
  return {
    world,
    server,
    gateway,
    nicName: VIRTIO_NAME,
    address: plain(options.address),
    gatewayAddress: plain(neighbourOf(options.address)),
    machineAddress: null,
    close: async () => {
      await gateway.close();
      await server.close();
    },
  };
}

/** The server on a TAP; the machine gets the address beside the server's on its end of it. */
function onTap(world: World, options: Options, name: string): Segment {
  const machine = neighbourOf(options.address);
  const server = createHost({
    world,
    name: 'server',
    nics: [{ device: (net) => openTap(net, { name, mtu: options.mtu, peer: { address: machine, mtu: options.mtu } }), address: options.address }],
  });
  return {
    world,
    server,
    gateway: null,
    nicName: name,
    address: plain(options.address),
    gatewayAddress: null,
    machineAddress: plain(machine),
    close: () => server.close(),
  };
}
