import { createNet, createWorld, type Net } from '@stack/kernel';
import { netDeviceContract } from '@stack/netdev/contract';
import { installNetdev } from '@stack/netdev';
import { installSkbuff } from '@stack/skbuff';
import { describe, test } from 'vitest';
import { createPlainNic } from './plain-nic.ts';
import { createVirtioNic, type VirtioNicOptions } from './create.ts';
import type { NetDevice } from '@stack/netdev';
import type { Port } from './port.ts';
import { createSwitch, switchAttach } from './switch.ts';
import { connect } from './wire.ts';

interface Nic { dev: NetDevice; port: Port }

function makePair(makeA: (net: Net) => Nic, makeB: (net: Net) => Nic = makeA, viaSwitch = false) {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  const nets = ['a', 'b'].map((name) => createNet(world, { name }));
  nets.forEach(installNetdev);
  const a = makeA(nets[0]!);
  const b = makeB(nets[1]!);
  if (viaSwitch) {
    const sw = createSwitch(world);
    switchAttach(sw, a.port);
    switchAttach(sw, b.port);
  } else {
    connect(a.port, b.port);
  }
  return { a: a.dev, b: b.dev };
}

const virtio = (options: VirtioNicOptions = {}) => (net: Net): Nic => createVirtioNic(net, { queueSize: 64, ...options });
const plain = (net: Net): Nic => createPlainNic(net);

const pairs: Record<string, () => { a: NetDevice; b: NetDevice }> = {
  'virtio': () => makePair(virtio()),
  'virtio without offloads': () => makePair(virtio({ offloads: false })),
  'virtio without event index': () => makePair(virtio({ eventIdx: false })),
  'virtio without mergeable buffers': () => makePair(virtio({ mergeable: false })),
  'virtio through a switch': () => makePair(virtio(), virtio(), true),
  'plain': () => makePair(plain),
  'virtio to plain': () => makePair(virtio(), plain),
  'plain to virtio': () => makePair(plain, virtio()),
};

for (const [what, make] of Object.entries(pairs)) {
  describe(what, () => {
    for (const { name, run } of netDeviceContract) test(name, () => run(make));
  });
}
