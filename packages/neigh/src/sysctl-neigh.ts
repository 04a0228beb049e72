/*
 * net.ipv4.neigh.{default,<dev>}.*: the variables of a table (its path: NeighTableOps.sysctlPath).
 */
import { ctlRow, registerSysctlTable, unregisterSysctlTable } from '@stack/kernel';
import type { CtlTable } from '@stack/kernel';
import type { NeighParms } from './neighbour.ts';

/** The rows of one set of variables. */
function neighRows(parms: NeighParms): CtlTable[] {
  const path = `${parms.table.ops.sysctlPath}.${parms.dev === null ? 'default' : parms.sysctlName}`;
  const zero = { min: 0 };
  return [
    ctlRow(`${path}.mcast_solicit`, parms, 'mcastSolicit', 'int', zero),
    ctlRow(`${path}.ucast_solicit`, parms, 'ucastSolicit', 'int', zero),
    ctlRow(`${path}.app_solicit`, parms, 'appSolicit', 'int', zero),
    ctlRow(`${path}.mcast_resolicit`, parms, 'mcastResolicit', 'int', zero),
    ctlRow(`${path}.retrans_time_ms`, parms, 'retransTimeMs', 'int', zero),
    ctlRow(`${path}.base_reachable_time_ms`, parms, 'baseReachableTimeMs', 'int', zero),
    ctlRow(`${path}.delay_first_probe_time`, parms, 'delayFirstProbeTime', 'int', zero),
    ctlRow(`${path}.gc_stale_time`, parms, 'gcStaleTime', 'int', zero),
    ctlRow(`${path}.unres_qlen_bytes`, parms, 'unresQlenBytes', 'int', zero),
    ctlRow(`${path}.locktime`, parms, 'locktime', 'int', zero),
  ];
}

/** Registers the variables of a device, or the defaults of a table with its thresholds. */
export function neighSysctlRegister(parms: NeighParms): void {
  const table = parms.table;
  if (parms.dev !== null) {
    parms.sysctlName = parms.dev.name;
    registerSysctlTable(table.net, neighRows(parms));
    return;
  }
  const path = `${table.ops.sysctlPath}.default`;
  registerSysctlTable(table.net, [
    ...neighRows(parms),
    ctlRow(`${path}.gc_thresh1`, table, 'gcThresh1', 'int', { min: 0 }),
    ctlRow(`${path}.gc_thresh2`, table, 'gcThresh2', 'int', { min: 0 }),
    ctlRow(`${path}.gc_thresh3`, table, 'gcThresh3', 'int', { min: 0 }),
  ]);
}

/** Takes the variables of a device off. */
export function neighSysctlUnregister(parms: NeighParms): void {
  unregisterSysctlTable(parms.table.net, neighRows(parms));
}
