import { destroyNet, idle, sleep, type Net, type World } from '@stack/kernel';
import { leakReport } from '@stack/skbuff';
import { beforeEach, describe, expect, test } from 'vitest';
import { createVirtioNic } from './create.ts';
import { createPlainNic } from './plain-nic.ts';
import { createSwitch, dumpSwitch, switchAttach, switchDetach, type Switch } from './switch.ts';
import { Host, inside, makeWorld, range, send, up } from './test-support.ts';
import type { Wire } from './wire.ts';
import { devClose } from '@stack/netdev';

let world: World;
let sw: Switch;
let hosts: Host[];
let wires: Wire[];

function build(n: number, ageing = 300): void {
  sw = createSwitch(world, { ageing });
  hosts = range(n).map((i) => new Host(world, `h${i}`, (net: Net) => (
    i % 3 === 2 ? createPlainNic(net) : createVirtioNic(net, { queueSize: 64, mac: new Uint8Array([2, 0, 0, 0, 0, i]) })
  )));
  wires = hosts.map((host) => switchAttach(sw, host.port));
  up(...hosts);
}

beforeEach(() => {
  world = makeWorld();
  return () => {
    for (const net of [...world.nets]) destroyNet(net);
    expect(leakReport(world)).toEqual([]);
  };
});

/** How many frames each host got since the last call. */
function counts(): number[] {
  return hosts.map((host) => host.got.splice(0).length);
}

describe('IEEE 802.1Q §8.7, §8.8: learning', () => {
  test('a frame for an address not seen yet goes to all but its sender; the answer to one', async () => {
    build(4);
    send(hosts[0]!, hosts[1]!, [1]);
    await idle(world);
    // Host 2 has a card that filters; host 3 sees what is not its own.
    expect(counts()).toEqual([0, 1, 0, 1]);
    send(hosts[1]!, hosts[0]!, [2]);
    await idle(world);
    expect(counts()).toEqual([1, 0, 0, 0]);
    send(hosts[0]!, hosts[1]!, [3]);
    await idle(world);
    expect(counts()).toEqual([0, 1, 0, 0]);
    expect([sw.flooded, sw.forwarded]).toEqual([1, 2]);
  });

  test('broadcasts go to all', async () => {
    build(5);
    send(hosts[2]!, null, [1]);
    await idle(world);
    expect(counts()).toEqual([1, 1, 0, 1, 1]);
  });

  test('an address that moves is found at its new port', async () => {
    build(4);
    send(hosts[0]!, null, [1]);
    await idle(world);
    const mac = new Uint8Array([2, 0, 0, 0, 0, 0]);
    hosts[1]!.dev.devAddr.set(mac);
    send(hosts[1]!, null, [1]);
    await idle(world);
    counts();
    send(hosts[3]!, hosts[0]!, [9]);
    await idle(world);
    expect(counts()).toEqual([0, 1, 0, 0]);
  });

  test('ageing: an address not seen for so long is not known any more', async () => {
    build(4, 10);
    send(hosts[0]!, null, [1]);
    await idle(world);
    expect(dumpSwitch(sw)).toEqual([{ mac: '02:00:00:00:00:00', port: 'switch:0', age: 0 }]);
    counts();
    await sleep(world, 9_999);
    send(hosts[1]!, hosts[0]!, [1]);
    await idle(world);
    expect(counts()).toEqual([1, 0, 0, 0]);
    await sleep(world, 2);
    send(hosts[1]!, hosts[0]!, [1]);
    await idle(world);
    expect(counts()).toEqual([1, 0, 0, 1]);
    expect(dumpSwitch(sw).map(({ port }) => port)).toEqual(['switch:1']);
  });

  test('a frame whose destination is behind its own port is filtered', async () => {
    build(2);
    send(hosts[0]!, null, [1]);
    await idle(world);
    counts();
    send(hosts[0]!, hosts[0]!, [1]);
    await idle(world);
    expect([counts(), sw.filtered]).toEqual([[0, 0], 1]);
  });

  test('group addresses are never learned', async () => {
    build(2);
    hosts[0]!.dev.devAddr[0] = 0x03;
    send(hosts[0]!, null, [1]);
    await idle(world);
    expect(dumpSwitch(sw)).toEqual([]);
  });
});

describe('many senders, one receiver', () => {
  test('nobody loses a frame, nobody starves, though each could fill the receiver alone', async () => {
    sw = createSwitch(world);
    hosts = range(4).map((i) => new Host(world, `h${i}`, (net: Net) => createVirtioNic(net, { queueSize: i === 0 ? 64 : 1024 })));
    for (const host of hosts) switchAttach(sw, host.port);
    up(...hosts);
    const [to, ...from] = hosts as [Host, ...Host[]];
    send(to, null, [0]);
    await idle(world);
    inside(world, () => from.forEach((host, i) => send(host, to, new Array<number>(600).fill(i))));
    await idle(world);
    for (const i of from.keys()) expect(to.tags.filter((tag) => tag === i).length).toBe(600);
    const half = to.tags.slice(0, to.tags.length / 2);
    for (const i of from.keys()) expect(half.filter((tag) => tag === i).length).toBeGreaterThan(200);
  });

  test('a broadcast for a card without room waits in the switch', async () => {
    build(2);
    inside(world, () => send(hosts[0]!, null, range(200)));
    await idle(world);
    expect(hosts[1]!.tags).toEqual(range(200));
  });

  test('a host that is down does not hold up the others', async () => {
    build(3);
    send(hosts[1]!, null, [1]);
    await idle(world);
    inside(world, () => devClose(hosts[1]!.dev));
    send(hosts[0]!, hosts[1]!, range(200));
    send(hosts[0]!, null, [5]);
    await idle(world);
    expect(hosts[2]!.tags.at(-1)).toBe(5);
    expect(hosts[0]!.dev.qdisc.qlen).toBe(0);
  });
});

describe('ports', () => {
  test('one that is taken away is forgotten, and its frames flooded again', async () => {
    build(4);
    send(hosts[0]!, null, [1]);
    await idle(world);
    counts();
    switchDetach(sw, wires[0]!);
    switchDetach(sw, wires[0]!);
    expect([sw.ports.length, dumpSwitch(sw)]).toEqual([3, []]);
    send(hosts[1]!, hosts[0]!, [1]);
    await idle(world);
    expect(counts()).toEqual([0, 0, 0, 1]);
  });

  test('impairments of one cable do not touch another', async () => {
    build(2);
    const far = new Host(world, 'far', (net) => createVirtioNic(net));
    switchAttach(sw, far.port, { delay: 5 });
    up(far);
    send(far, null, [1]);
    await idle(world);
    send(hosts[0]!, null, [2]);
    await idle(world);
    expect(hosts[1]!.got.map(({ time }) => time)).toEqual([5_000_000, 5_000_000]);
    expect(far.got.map(({ time }) => time)).toEqual([10_000_000]);
  });

  test('a bad option is refused by name', () => {
    expect(() => createSwitch(world, { ageing: 0 })).toThrow(/ageing/);
  });
});

test('sixty hosts, all to all: every frame arrives once', async () => {
  world = makeWorld(1, false);
  build(60);
  for (const host of hosts) send(host, null, [0]);
  await idle(world);
  hosts.forEach((host) => host.got.splice(0));
  for (const a of hosts) {
    for (const b of hosts) if (a !== b) send(a, b, [1]);
    await idle(world);
  }
  expect(counts()).toEqual(new Array(60).fill(59));
}, 30_000);
