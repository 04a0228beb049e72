import { describe, test } from 'vitest';
import { neighContract } from './contract.ts';
import type { NeighRig } from './contract.ts';
import { NEIGH_UPDATE_F_OVERRIDE, NUD_REACHABLE } from './nud.ts';
import { neighLookup, neighRelease } from './neigh-hash.ts';
import { neighUpdate } from './neigh-update.ts';
import { LLADDR, inside, isAsk, makeRig } from './test-table.ts';

function make(cache: boolean): NeighRig {
  const rig = makeRig(cache);
  return {
    ...rig,
    key: [7, 0, 0, 0],
    lladdr: LLADDR,
    isSolicit: isAsk,
    fill: () => undefined,
    answer: () => inside(rig.net, () => {
      const neigh = neighLookup(rig.table, 7, 0, 0, 0, rig.dev);
      if (neigh === null) return;
      neighUpdate(neigh, LLADDR, NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE);
      neighRelease(neigh);
    }),
  };
}

describe('contract on the test family, with header cache', () => {
  for (const { name, run } of neighContract) test(name, () => run(() => make(true)));
});

describe('contract on the test family, without header cache', () => {
  for (const { name, run } of neighContract) test(name, () => run(() => make(false)));
});
