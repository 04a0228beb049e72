// The devices without a wire of their own, under whole hosts: a bridge, VLANs, a cable between two hosts, a tunnel, and faults.
import {
  assertNothingOpen, bridgeOf, createHost, faultyOn, tappedOn, tunOn, tunStreams, vethPair, virtioOn, vlanOn, type Host,
} from '@stack/host';
import { faultStats, formatFrame, type TappedFrame } from '@stack/devices';
import { SKB_DROP_REASON_FAULT_INJECTED, createWorld, idle, sleep, type World } from '@stack/kernel';
import { devClose, devGetByName, devOpen, type NetDevice } from '@stack/netdev';
import { createSwitch, type Switch } from '@stack/nic-virtio-sim';
import { capture, createPcapngWriter } from '@stack/pcap';
import { installSkbuff } from '@stack/skbuff';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { collectReplies, sendEcho } from './support/ping.ts';

let world: World;
let hosts: Host[];

beforeEach(() => {
  world = createWorld({ debug: true, seed: 7 });
  installSkbuff(world);
  hosts = [];
});

afterEach(async () => {
  for (const { net } of hosts) expect(net.panicked).toBe(null);
  for (const host of hosts) await host.close();
  assertNothingOpen(world);
});

function host(name: string, options: Omit<NonNullable<Parameters<typeof createHost>[0]>, 'world' | 'name'> = {}): Host {
  const made = createHost({ world, name, ...options });
  hosts.push(made);
  return made;
}

/** How many of `count` pings of 56 octets are answered. */
async function pings(from: Host, to: string, count = 3, size = 56): Promise<number> {
  const { replies, stop } = collectReplies(from.net);
  for (let i = 0; i < count; i++) {
    sendEcho(from.net, to, i, new Uint8Array(size).fill(i));
    await sleep(world, 100);
  }
  await idle(world);
  stop();
  return replies.length;
}

/** Sends `octets` octets by TCP, and checks that they come back as they were. */
async function tcpTransfer(client: Host, server: Host, address: string, octets: number): Promise<void> {
  const listener = server.listen({ port: 7 });
  const data = new Uint8Array(octets).map((_, i) => (i * 31) >> 3);
  const serve = (async () => {
    for await (const { readable, writable } of listener) {
      void readable.pipeTo(writable);
      break;
    }
  })();
  const connection = await client.connect({ host: address, port: 7 });
  const writer = connection.writable.getWriter();
  void writer.write(data.slice()).then(() => writer.close());
  let got = 0;
  for await (const chunk of connection.readable) {
    for (let i = 0; i < chunk.length; i++) if (chunk[i] !== data[got + i]) throw new Error(`octet ${got + i} is ${chunk[i]}, not ${data[got + i]}`);
    got += chunk.length;
  }
  expect(got).toBe(octets);
  await serve;
  await listener.close();
}

const devOf = (h: Host, name: string): NetDevice => devGetByName(h.net, name)!;

describe('bridge', () => {
  let lans: Switch[];
  let bridge: Host;
  let stations: Host[];

  beforeEach(() => {
    lans = [1, 2, 3].map(() => createSwitch(world));
    bridge = host('bridge', { nics: [{ device: bridgeOf(lans.map((lan) => virtioOn(lan))), address: '10.0.0.1/24' }] });
    stations = lans.map((lan, i) => host(`s${i}`, { nics: [{ device: virtioOn(lan), address: `10.0.0.1${i}/24` }] }));
  });

  test('three hosts on three wires reach each other, and the bridge itself', async () => {
    for (const from of stations) {
      for (const i of [0, 1, 2]) if (stations[i] !== from) expect(await pings(from, `10.0.0.1${i}`), `${from.name} to s${i}`).toBe(3);
      expect(await pings(from, '10.0.0.1')).toBe(3);
    }
    expect(await pings(bridge, '10.0.0.12')).toBe(3);
  });

  test('a unicast between two that it knows is not seen by the third', async () => {
    await pings(stations[0]!, '10.0.0.11');
    const before = devOf(stations[2]!, 'eth0').stats.rxPackets;
    const portBefore = devOf(bridge, 'eth2').stats.txPackets;
    expect(await pings(stations[0]!, '10.0.0.11', 10)).toBe(10);
    expect(devOf(bridge, 'eth2').stats.txPackets - portBefore).toBe(0);
    expect(devOf(stations[2]!, 'eth0').stats.rxPackets - before).toBe(0);
  });

  test('its table has the stations by port, and says `permanent` of its own addresses', async () => {
    await pings(stations[0]!, '10.0.0.11');
    const mac = (dev: NetDevice): string => Buffer.from(dev.devAddr).toString('hex').replace(/(..)(?!$)/g, '$1:');
    const rows = bridge.show.fdb();
    for (const i of [0, 1]) {
      expect(rows).toContainEqual(expect.objectContaining({ mac: mac(devOf(stations[i]!, 'eth0')), ifname: `eth${i}`, master: 'br0', flags: [], state: '' }));
    }
    for (const i of [0, 1, 2]) expect(rows).toContainEqual(expect.objectContaining({ mac: mac(devOf(bridge, `eth${i}`)), state: 'permanent' }));
  });

  test('TCP through it: 1 MiB each way, large packets cut where they leave', async () => {
    await tcpTransfer(stations[0]!, stations[1]!, '10.0.0.11', 1 << 20);
    await tcpTransfer(stations[2]!, bridge, '10.0.0.1', 1 << 18);
  });

  test('a datagram of 9000 octets crosses in fragments', async () => {
    expect(await pings(stations[0]!, '10.0.0.12', 2, 9000)).toBe(2);
  });

  test('a station that moves to another wire is found there at its first frame', async () => {
    const mover = host('mover', { nics: [{ device: virtioOn(lans[0]!, { mac: new Uint8Array([2, 0, 0, 0, 9, 9]) }), address: '10.0.0.50/24' }] });
    expect(await pings(stations[1]!, '10.0.0.50')).toBe(3);
    await mover.close();
    const moved = host('moved', { nics: [{ device: virtioOn(lans[2]!, { mac: new Uint8Array([2, 0, 0, 0, 9, 9]) }), address: '10.0.0.50/24' }] });
    expect(await pings(moved, '10.0.0.10', 1)).toBe(1);
    expect(await pings(stations[1]!, '10.0.0.50')).toBe(3);
  });
});

describe('VLAN', () => {
  test('two VLANs on one trunk: hosts of one reach each other, of two do not', async () => {
    const trunk = createSwitch(world);
    const a = host('a', { nics: [{ device: virtioOn(trunk) }] });
    const b = host('b', { nics: [{ device: virtioOn(trunk) }] });
    for (const [h, last] of [[a, 1], [b, 2]] as const) {
      h.addNic({ device: vlanOn('eth0', 10), address: `10.10.0.${last}/24` });
      h.addNic({ device: vlanOn('eth0', 20), address: `10.20.0.${last}/24` });
    }
    expect(await pings(a, '10.10.0.2')).toBe(3);
    expect(await pings(a, '10.20.0.2')).toBe(3);
    devClose(devOf(b, 'eth0.20'));
    expect(await pings(a, '10.10.0.2')).toBe(3);
    expect(await pings(a, '10.20.0.2', 1)).toBe(0);
  });

  test('TCP over a VLAN: 1 MiB, and frames of the full MTU beside their tag', async () => {
    const trunk = createSwitch(world);
    const [a, b] = ['a', 'b'].map((name, i) => host(name, { nics: [{ device: vlanOn(virtioOn(trunk), 10), address: `10.10.0.${i + 1}/24` }] }));
    await tcpTransfer(a!, b!, '10.10.0.2', 1 << 20);
    expect(await pings(a!, '10.10.0.2', 1, 1472)).toBe(1);
  });

  test('a bridge joins two trunks, tags and all; its own VLAN device hears what is for it', async () => {
    const [left, right] = [createSwitch(world), createSwitch(world)];
    const middle = host('middle', { nics: [{ device: bridgeOf([virtioOn(left), virtioOn(right)]) }] });
    middle.addNic({ device: vlanOn('br0', 10), address: '10.10.0.9/24' });
    const a = host('a', { nics: [{ device: vlanOn(virtioOn(left), 10), address: '10.10.0.1/24' }] });
    const b = host('b', { nics: [{ device: vlanOn(virtioOn(right), 10), address: '10.10.0.2/24' }] });
    expect(await pings(a, '10.10.0.2')).toBe(3);
    expect(await pings(a, '10.10.0.9')).toBe(3);
    await tcpTransfer(a, b, '10.10.0.2', 1 << 18);
  });

  test('a priority tag (VLAN 0) is read and thrown away; a VLAN that nobody has is nobody\'s', async () => {
    const trunk = createSwitch(world);
    const a = host('a', { nics: [{ device: vlanOn(virtioOn(trunk), 0), address: '10.0.0.1/24' }] });
    const b = host('b', { nics: [{ device: virtioOn(trunk), address: '10.0.0.2/24' }] });
    expect(await pings(a, '10.0.0.2', 1)).toBe(0); // b answers without a tag, and a's VLAN 0 device does not hear that
    expect(b.show.counters()['IcmpInEchos'] ?? 0).toBe(0);
    expect(b.show.neigh().map(({ dst }) => dst)).toContain('10.0.0.1');
    const c = host('c', { nics: [{ device: vlanOn(virtioOn(trunk), 30), address: '10.0.0.3/24' }] });
    expect(await pings(c, '10.0.0.2', 1)).toBe(0);
    expect(b.show.neigh().map(({ dst }) => dst)).not.toContain('10.0.0.3');
  });
});

describe('veth', () => {
  test('TCP between two hosts: 8 MiB as whole segments of many, nothing on a wire', async () => {
    const [left, right] = vethPair({}, { name: 'uplink' });
    const a = host('a', { nics: [{ device: left, address: '10.0.0.1/30' }] });
    const b = host('b', { nics: [{ device: right, address: '10.0.0.2/30' }] });
    await tcpTransfer(a, b, '10.0.0.2', 8 << 20);
    const { stats } = devOf(a, 'veth0');
    expect(stats.txBytes / stats.txPackets).toBeGreaterThan(3000); // cut to the MTU it would be 1514 at most
    expect(stats.txDropped).toBe(0);
  });

  test('carrier follows the peer, and routes and TCP what carrier says', async () => {
    const [left, right] = vethPair();
    const a = host('a', { nics: [{ device: left, address: '10.0.0.1/30' }] });
    expect(a.show.addr().find(({ ifname }) => ifname === 'veth0')).toMatchObject({ flags: expect.arrayContaining(['NO-CARRIER', 'UP']) });
    const b = host('b', { nics: [{ device: right, address: '10.0.0.2/30' }] });
    await idle(world);
    expect(a.show.addr().find(({ ifname }) => ifname === 'veth0')?.flags).toContain('LOWER_UP');
    expect(await pings(a, '10.0.0.2')).toBe(3);
    devClose(devOf(b, 'veth0'));
    await idle(world);
    expect(a.show.addr().find(({ ifname }) => ifname === 'veth0')?.flags).not.toContain('LOWER_UP');
    devOpen(devOf(b, 'veth0'));
    await idle(world);
    expect(await pings(a, '10.0.0.2')).toBe(3);
  });

  test('hosts of two Worlds have no cable: EXDEV', async () => {
    const [left, right] = vethPair();
    host('a', { nics: [{ device: left }] });
    const elsewhere = createWorld();
    const far = createHost({ world: elsewhere, name: 'far' });
    expect(() => far.addNic({ device: right })).toThrow(expect.objectContaining({ code: 'EXDEV' }));
    await far.close();
  });

  test('the end of one host ends the cable of the other', async () => {
    const [left, right] = vethPair();
    const a = host('a', { nics: [{ device: left, address: '10.0.0.1/30' }] });
    const b = host('b', { nics: [{ device: right, address: '10.0.0.2/30' }] });
    expect(await pings(a, '10.0.0.2')).toBe(3);
    await b.close();
    expect(devGetByName(a.net, 'veth0')).toBe(null);
  });
});

describe('TUN', () => {
  /** Two hosts whose TUN devices are the two ends of one tunnel of web streams. */
  function tunnel(): [Host, Host] {
    const [out, back] = [new TransformStream<Uint8Array, Uint8Array>(), new TransformStream<Uint8Array, Uint8Array>()];
    const a = host('a', { nics: [{ device: tunOn({ readable: back.readable, writable: out.writable }), address: '10.8.0.1/24' }] });
    const b = host('b', { nics: [{ device: tunOn({ readable: out.readable, writable: back.writable }), address: '10.8.0.2/24' }] });
    return [a, b];
  }

  test('TCP through a tunnel of bare IP packets: no ARP, no Ethernet', async () => {
    const [a, b] = tunnel();
    await tcpTransfer(a, b, '10.8.0.2', 1 << 18);
    expect(a.show.addr().find(({ ifname }) => ifname === 'tun0')).toMatchObject({ link_type: 'none', flags: expect.arrayContaining(['POINTOPOINT', 'NOARP', 'UP']) });
    expect(a.show.neigh()).toEqual([]);
  });

  test('what is no IP packet is counted and ends nothing', async () => {
    const [a, b] = tunnel();
    const dev = devOf(b, 'tun0');
    const writer = tunStreams(dev).writable.getWriter();
    await writer.write(new Uint8Array([0x15, 1, 2]));
    await writer.write(new Uint8Array(0));
    await writer.write(new Uint8Array([0x45]));
    expect(dev.stats.rxFrameErrors).toBe(2);
    expect(await pings(a, '10.8.0.2')).toBe(3);
  });
});

describe('a device that wraps another', () => {
  test('TCP over a device that loses, damages and repeats: all arrives, and the same happens on every run', async () => {
    const runs: unknown[] = [];
    for (let run = 0; run < 2; run++) {
      world = createWorld({ debug: true, seed: 7 });
      const lan = createSwitch(world);
      const rates = { drop: 0.02, corrupt: 0.02, duplicate: 0.02 };
      const [a, b] = [
        createHost({ world, name: 'a', nics: [{ device: faultyOn(virtioOn(lan), { seed: 5, transmit: rates, receive: rates }), address: '10.0.0.1/24' }] }),
        createHost({ world, name: 'b', nics: [{ device: virtioOn(lan), address: '10.0.0.2/24' }] }),
      ];
      await tcpTransfer(a, b, '10.0.0.2', 1 << 18);
      const stats = faultStats(devOf(a, 'wrap0'));
      for (const count of Object.values(stats)) expect(count).toBeGreaterThan(0);
      expect(a.net.dropReasons[SKB_DROP_REASON_FAULT_INJECTED]).toBe(stats.dropped);
      expect(a.show.counters()['TcpRetransSegs']! + b.show.counters()['TcpRetransSegs']!).toBeGreaterThan(0);
      runs.push({ ...stats, ...a.show.counters() });
      await a.close();
      await b.close();
      assertNothingOpen(world);
    }
    expect(runs[1]).toEqual(runs[0]);
  });

  test('a tap sees both ways what a wire carries, as lines and as a capture', async () => {
    const lan = createSwitch(world);
    const frames: TappedFrame[] = [];
    const a = host('a', { nics: [{ device: tappedOn(virtioOn(lan), (frame) => frames.push(frame)), address: '10.0.0.1/24' }] });
    const b = host('b', { nics: [{ device: virtioOn(lan), address: '10.0.0.2/24' }] });
    const writer = createPcapngWriter(() => undefined);
    capture(devOf(a, 'wrap0'), writer);
    await tcpTransfer(a, b, '10.0.0.2', 1 << 16);
    expect(Math.max(...frames.map(({ octets }) => octets.length))).toBe(1514);
    expect(writer.nrPackets).toBe(frames.length);
    const lines = frames.map(formatFrame);
    expect(lines[0]).toMatch(/^\d+\.\d{6} a\/wrap0 Out [\da-f:]{17} > ff:ff:ff:ff:ff:ff, ethertype 0x0806, length \d+$/);
    expect(lines[1]).toContain(' In ');
  });

  test('wrappers stand on each other, and on a bridge\'s port', async () => {
    const lan = createSwitch(world);
    const seen: TappedFrame[] = [];
    const stacked = tappedOn(faultyOn(virtioOn(lan), { receive: { duplicate: 1 } }), (frame) => seen.push(frame));
    const middle = host('middle', { nics: [{ device: bridgeOf([stacked]), address: '10.0.0.1/24' }] });
    const a = host('a', { nics: [{ device: virtioOn(lan), address: '10.0.0.2/24' }] });
    expect(await pings(a, '10.0.0.1', 3)).toBe(6);
    expect(seen.length).toBeGreaterThan(0);
    expect(middle.net.panicked).toBe(null);
  });
});
