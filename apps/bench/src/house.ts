/*
 * The hosts that are measured, in real time: two or more on a switch, every segment a frame of its own, every checksum
 * computed. The wire has no delay, so that rings and windows need not be long: what is under way fits the processor's cache.
 */
import { createWorld } from '@stack/kernel';
import { realClock } from '@stack/kernel/real-clock';
import { createHost, virtioOn, type Host } from '@stack/host';
import { createSwitch } from '@stack/nic-virtio-sim';

export interface House {
  readonly server: Host;
  readonly client: Host;
  readonly hosts: readonly Host[];
  /** The server's address. */
  readonly address: string;
  close(): Promise<void>;
}

/** Descriptors of a card's queues: the least that it takes. */
const QUEUE_SIZE = 64;
/** Octets that a sock's buffers may grow to, where Linux's default is 4 and 6 MiB. */
const WINDOW = 256 * 1024;
const sysctl = { 'net.ipv4.tcp_rmem': [4096, 131_072, WINDOW], 'net.ipv4.tcp_wmem': [4096, 16_384, WINDOW] };

/** Builds `count` hosts, 10.0.0.1 the server, 10.0.0.2 the client. */
export function buildHouse(count = 2): House {
  const world = createWorld({ clock: realClock() });
  const lan = createSwitch(world);
  const hosts: Host[] = [];
  for (let i = 1; i <= count; i++) {
    const nic = { device: virtioOn(lan, { offloads: false, queueSize: QUEUE_SIZE }), address: `10.0.0.${i}/24` };
    hosts.push(createHost({ world, name: `host${i}`, sysctl, nics: [nic] }));
  }
  const [server, client] = hosts;
  if (server === undefined || client === undefined) throw new RangeError('a house has two hosts at least');
  return {
    server,
    client,
    hosts,
    address: '10.0.0.1',
    close: async () => {
      for (const host of hosts) await host.close();
    },
  };
}
