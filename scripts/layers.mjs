// The table of the house: which package may import which. Lint and the layering test both read it; imports point down.
// A row names the packages of the workspace (without `@stack/`) that its package may import, types included.

/** @typedef {{ imports: string[], entries?: Record<string, string[]>, node?: boolean, nodeEntry?: string }} Layer */

const deviceDriver = ['netdev', 'skbuff', 'kernel'];
const engine = ['inet-sock', 'socket', 'skbuff', 'kernel'];

/**
 * `entries` names what an entry of its own may import beyond the row; `node` marks a package that runs on Node alone
 * and may use what Node gives; every other one runs wherever JavaScript does, but for its `nodeEntry` and the folder of that name.
 * @type {Record<string, Layer>}
 */
export const layers = {
  kernel: { imports: [] },
  skbuff: { imports: ['kernel'] },
  netdev: { imports: ['skbuff', 'kernel'] },
  'nic-virtio-sim': { imports: deviceDriver },
  'nic-tap': { imports: deviceDriver, node: true },
  'nic-stream': { imports: deviceDriver },
  devices: { imports: deviceDriver },
  netfilter: { imports: deviceDriver },
  neigh: { imports: deviceDriver },
  socket: { imports: ['skbuff', 'kernel'] },
  'inet-sock': { imports: ['socket', 'skbuff', 'kernel'] },
  ip: { imports: ['inet-sock', 'socket', 'neigh', 'netfilter', 'netdev', 'skbuff', 'kernel'] },
  tcp: { imports: engine, entries: { ipv4: ['ip'] } },
  udp: { imports: engine, entries: { ipv4: ['ip'] } },
  inet: { imports: ['ip', 'netdev', ...engine] },
  packet: { imports: ['netdev', 'socket', 'skbuff', 'kernel'] },
  conntrack: { imports: ['ip', 'inet-sock', 'netfilter', 'netdev', 'skbuff', 'kernel'] },
  xfrm: { imports: ['ip', 'inet-sock', 'netdev', 'skbuff', 'kernel'] },
  resolver: { imports: ['inet-sock', 'socket', 'kernel'] },
  dns: { imports: ['resolver', 'ip', 'inet-sock', 'socket'] },
  dhcp: { imports: ['resolver', 'packet', 'ip', 'netdev', 'inet-sock', 'socket', 'kernel'] },
  pcap: { imports: ['netdev', 'skbuff', 'kernel'] },
  'pcap-filter': { imports: [] },
  host: {
    imports: ['resolver', 'inet', 'ip', 'tcp', 'udp', 'neigh', 'netfilter', 'devices', 'nic-stream', 'nic-virtio-sim', 'packet', 'pcap', 'inet-sock', 'socket', 'netdev', 'skbuff', 'kernel'],
  },
  packetdrill: { imports: ['host', 'inet-sock', 'ip', 'kernel', 'netdev', 'skbuff', 'socket', 'tcp'], nodeEntry: 'linux' },
};
