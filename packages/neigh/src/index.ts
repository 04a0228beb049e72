// Install
export { installNeigh } from './install.ts';
export { NetnsNeigh } from './neighbour.ts';

// Structs and tables
export { HhCache, MAX_ADDR_LEN, NeighParms, NeighStatistics, NeighTable, Neighbour } from './neighbour.ts';
export type { NeighOps, NeighTableOps } from './neighbour.ts';

// States
export {
  NEIGH_UPDATE_F_ADMIN, NEIGH_UPDATE_F_OVERRIDE, NEIGH_UPDATE_F_WEAK_OVERRIDE, NUD_CONNECTED, NUD_DELAY, NUD_FAILED,
  NUD_IN_TIMER, NUD_INCOMPLETE, NUD_NOARP, NUD_NONE, NUD_PERMANENT, NUD_PROBE, NUD_REACHABLE, NUD_STALE, NUD_VALID,
  nudStateNames,
} from './nud.ts';

// Finding and making
export { neighCarrierDown, neighChangeaddr, neighCreate, neighIfdown, neighTableClear, neighTableInit } from './neigh-table.ts';
export { neighForEach, neighHold, neighLookup, neighRelease, neighRemove } from './neigh-hash.ts';
export { neighForcedGc } from './neigh-gc.ts';

// Changing
export { neighEventSend, neighUpdate } from './neigh-update.ts';
export { neighConfirm } from './neigh-timer.ts';

// Sending
export { neighBlackhole, neighConnectedOutput, neighDirectOutput, neighHhOutput, neighResolveOutput } from './neigh-output.ts';

// Settings
export { neighParmsAlloc, neighParmsFor, neighParmsRelease } from './neigh-parms.ts';
export { neighSysctlRegister, neighSysctlUnregister } from './sysctl-neigh.ts';

// Showing
export { lladdrText, neighTableShow } from './neigh-show.ts';
export type { NeighRow } from './neigh-show.ts';
