import { createNet, createWorld } from '@stack/kernel';
import { installSkbuff } from '@stack/skbuff';
import { describe, test } from 'vitest';
import { netDeviceContract } from './contract.ts';
import { installNetdev } from './install.ts';

function makePair() {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  const net = createNet(world);
  installNetdev(net);
  const lo = net.netdev.loopbackDev!;
  return { a: lo, b: lo };
}

describe('loopback', () => {
  for (const { name, run } of netDeviceContract) test(name, () => run(makePair));
});
