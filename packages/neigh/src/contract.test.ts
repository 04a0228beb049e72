import { EHOSTUNREACH } from '@stack/kernel';
import { describe, test } from 'vitest';
import { neighContract, neighKnownContract } from './contract.ts';
import type { NeighKnownRig, NeighRig } from './contract.ts';
import { NEIGH_UPDATE_F_OVERRIDE, NUD_PERMANENT, NUD_REACHABLE } from './nud.ts';
import { neighLookup, neighRelease } from './neigh-hash.ts';
import { neighUpdate } from './neigh-update.ts';
import { LLADDR, inside, isAsk, makeRig, testTableOps } from './test-table.ts';

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

/** The test family with a table that knows key 7. */
function makeKnown(cache: boolean): NeighKnownRig {
  const rig = makeRig(cache, {
    ...testTableOps,
    id: 'known_cache',
    construct: (neigh) => {
      if (neigh.primaryKey0 !== 7) return -EHOSTUNREACH;
      testTableOps.construct(neigh);
      neigh.ha.set(LLADDR);
      neigh.nudState = NUD_PERMANENT;
      neigh.output = neigh.ops.connectedOutput;
      return 0;
    },
  });
  return { ...rig, known: [7, 0, 0, 0], unknown: [8, 0, 0, 0], lladdr: LLADDR, fill: () => undefined };
}

describe.each([true, false])('contract of tables that know, header cache %s', (cache) => {
  for (const { name, run } of neighKnownContract) test(name, () => run(() => makeKnown(cache)));
});
