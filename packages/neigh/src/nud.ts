/*
 * The states of a neighbour (neighbour unreachability detection) and the flags of the calls that
 * change them.
 *
 * Read first: RFC 4861 §7.3, which Linux follows for every family. What Linux adds: NOARP (no
 * resolution needed), PERMANENT (set by hand), NONE (just made) and FAILED (probes unanswered).
 */

export const NUD_NONE = 0x00;
export const NUD_INCOMPLETE = 0x01;
export const NUD_REACHABLE = 0x02;
export const NUD_STALE = 0x04;
export const NUD_DELAY = 0x08;
export const NUD_PROBE = 0x10;
export const NUD_FAILED = 0x20;
export const NUD_NOARP = 0x40;
export const NUD_PERMANENT = 0x80;

/** States in which the timer runs. */
export const NUD_IN_TIMER = NUD_INCOMPLETE | NUD_REACHABLE | NUD_DELAY | NUD_PROBE;
/** States in which the link-layer address may be used. */
export const NUD_VALID = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;
/** States in which it may be used without a further thought. */
export const NUD_CONNECTED = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE;

/** neighUpdate(): a different address may replace the one there. */
export const NEIGH_UPDATE_F_OVERRIDE = 0x00000001;
/** neighUpdate(): a different address makes a connected neighbour STALE, but does not replace its address. */
export const NEIGH_UPDATE_F_WEAK_OVERRIDE = 0x00000002;
/** neighUpdate(): the change was made by hand, so PERMANENT and NOARP may be changed too. */
export const NEIGH_UPDATE_F_ADMIN = 0x80000000 | 0;

/** Names of the states as `ip neigh` writes them, in the order of the bits. */
const NUD_NAMES: readonly string[] = [
  'INCOMPLETE', 'REACHABLE', 'STALE', 'DELAY', 'PROBE', 'FAILED', 'NOARP', 'PERMANENT',
];

/** The state's names as `ip -j neigh` lists them. */
export function nudStateNames(state: number): string[] {
  if (state === NUD_NONE) return ['NONE'];
  return NUD_NAMES.filter((_name, bit) => (state & (1 << bit)) !== 0);
}
