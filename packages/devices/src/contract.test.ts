import { netDeviceContract } from '@stack/netdev/contract';
import { devOpen, type NetDevice } from '@stack/netdev';
import { describe, test } from 'vitest';
import { brAddBridge, brAddIf } from './br-if.ts';
import { netdevPriv } from './br-private.ts';
import { joinTuns, inside, makeNet, makeWorld } from './test-support.ts';
import { createTun } from './tun.ts';
import { createVethPair } from './veth.ts';
import { vlanAdd } from './vlan.ts';
import { createFaultInjector } from './wrap-fault.ts';
import { createTapWrapper } from './wrap-tap.ts';

interface Pair { a: NetDevice; b: NetDevice }

/** Two hosts with a cable; `on` makes at each end the device that is tested. */
function overVeth(on: (lower: NetDevice) => NetDevice, below = true): () => Pair {
  return () => {
    const world = makeWorld();
    const [a, b] = createVethPair(makeNet(world, 'a'), makeNet(world, 'b'));
    if (below) inside(world, () => [a, b].forEach(devOpen));
    return { a: on(a), b: on(b) };
  };
}

function bridgeOn(lower: NetDevice): NetDevice {
  const br = brAddBridge(lower.net);
  brAddIf(netdevPriv(br), lower);
  return br;
}

function tuns(): Pair {
  const world = makeWorld();
  const a = createTun(makeNet(world, 'a'));
  const b = createTun(makeNet(world, 'b'));
  joinTuns(a, b);
  return { a, b };
}

const pairs: Record<string, () => Pair> = {
  'veth': overVeth((dev) => dev, false),
  'a bridge': overVeth(bridgeOn),
  'a VLAN': overVeth((lower) => vlanAdd(lower, 10)),
  'a VLAN on a VLAN': overVeth((lower) => {
    const outer = vlanAdd(lower, 100, { protocol: 0x88a8 });
    inside(lower.net.world, () => devOpen(outer));
    return vlanAdd(outer, 10);
  }),
  'a VLAN on a bridge': overVeth((lower) => {
    const br = bridgeOn(lower);
    inside(lower.net.world, () => devOpen(br));
    return vlanAdd(br, 10);
  }),
  'TUN': tuns,
  'a fault injector without faults': overVeth((lower) => createFaultInjector(lower), false),
  'a tap': overVeth((lower) => createTapWrapper(lower, () => undefined), false),
};

for (const [what, make] of Object.entries(pairs)) {
  describe(what, () => {
    for (const { name, run } of netDeviceContract) test(name, () => run(make));
  });
}
