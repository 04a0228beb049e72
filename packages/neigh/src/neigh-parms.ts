/*
 * The variables of a table per device: a copy of the table's defaults, made when a family starts
 * on a device (inetdev_init for IPv4) and given back when it ends.
 */
import { neighRandReachTime } from './neigh-gc.ts';
import { NeighParms } from './neighbour.ts';
import type { NeighTable } from './neighbour.ts';
import type { NetDevice } from '@stack/netdev';

/** The variables of dev, or the table's defaults where it has none of its own. */
export function neighParmsFor(table: NeighTable, dev: NetDevice): NeighParms {
  for (const parms of table.parmsList) {
    if (parms.dev === dev) return parms;
  }
  return table.parms;
}

/** Makes the variables of dev, with the defaults as they are now. */
export function neighParmsAlloc(table: NeighTable, dev: NetDevice): NeighParms {
  const parms = new NeighParms(table, dev);
  const from = table.parms;
  parms.mcastSolicit = from.mcastSolicit;
  parms.ucastSolicit = from.ucastSolicit;
  parms.appSolicit = from.appSolicit;
  parms.mcastResolicit = from.mcastResolicit;
  parms.retransTimeMs = from.retransTimeMs;
  parms.baseReachableTimeMs = from.baseReachableTimeMs;
  parms.delayFirstProbeTime = from.delayFirstProbeTime;
  parms.gcStaleTime = from.gcStaleTime;
  parms.unresQlenBytes = from.unresQlenBytes;
  parms.locktime = from.locktime;
  parms.reachableTime = neighRandReachTime(parms);
  table.parmsList.push(parms);
  return parms;
}

/** Takes the variables of a device away. Entries that still use them keep them. */
export function neighParmsRelease(parms: NeighParms): void {
  const at = parms.table.parmsList.indexOf(parms);
  if (at >= 0) parms.table.parmsList.splice(at, 1);
  parms.dead = true;
}
