/*
 * The hosts that are measured, in real time: two or more on a switch, every segment a frame of its own, every checksum
 * computed.
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

/** Builds `count` hosts, 10.0.0.1 the server, 10.0.0.2 the client. */
export function buildHouse(count = 2): House {
  const world = createWorld({ clock: realClock() });
  const lan = createSwitch(world);
  const hosts: Host[] = [];
  for (let i = 1; i <= count; i++) {
    hosts.push(createHost({ world, name: `host${i}`, nics: [{ device: virtioOn(lan, { offloads: false }), address: `10.0.0.${i}/24` }] }));
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
