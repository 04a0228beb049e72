/*
 * `ip neigh add` and `del`: neighbours as a user writes them.
 */
import { EINVAL, ENODEV, ENOENT, worldEnter, worldLeave } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { inetPton4 } from '@stack/inet-sock';
import {
  NEIGH_UPDATE_F_ADMIN, NEIGH_UPDATE_F_OVERRIDE, NUD_FAILED, NUD_NOARP, NUD_PERMANENT, NUD_REACHABLE, NUD_STALE, neighCreate, neighLookup,
  neighRelease, neighRemove, neighUpdate,
} from '@stack/neigh';
import { devGetByName } from '@stack/netdev';

/** A neighbour as `ip neigh add` takes it. */
export interface IpNeighSpec {
  dst: string;
  dev: string;
  /** `02:00:00:00:00:01`. */
  lladdr?: string;
  /** permanent (if not given), reachable, stale or noarp. */
  nud?: 'permanent' | 'reachable' | 'stale' | 'noarp';
}

const nudByName = { permanent: NUD_PERMANENT, reachable: NUD_REACHABLE, stale: NUD_STALE, noarp: NUD_NOARP };

/** Reads `02:00:00:00:00:01`; null if it is not `length` octets. */
function parseLladdr(text: string, length: number): Uint8Array | null {
  const parts = text.split(':');
  if (parts.length !== length || !parts.every((part) => /^[0-9a-f]{1,2}$/i.test(part))) return null;
  return Uint8Array.from(parts, (part) => parseInt(part, 16));
}

/** Adds or changes a neighbour by hand. Returns 0, -EINVAL, -ENODEV, -ENOBUFS. */
export function ipNeighAdd(net: Net, spec: IpNeighSpec): number {
  const key = inetPton4(spec.dst);
  const dev = devGetByName(net, spec.dev);
  if (dev === null) return -ENODEV;
  const lladdr = spec.lladdr === undefined ? null : parseLladdr(spec.lladdr, dev.addrLen);
  if (key === null || (lladdr === null && spec.lladdr !== undefined)) return -EINVAL;
  worldEnter(net.world);
  const neigh = neighCreate(net.ipv4.arpTbl, key, 0, 0, 0, dev);
  let error = 0;
  if (typeof neigh === 'number') {
    error = neigh;
  } else {
    error = neighUpdate(neigh, lladdr, nudByName[spec.nud ?? 'permanent'], NEIGH_UPDATE_F_ADMIN | NEIGH_UPDATE_F_OVERRIDE);
    neighRelease(neigh);
  }
  worldLeave(net.world);
  return error;
}

/** Takes a neighbour away. One that routes still hold fails first and is collected later. Returns 0, -EINVAL, -ENODEV, -ENOENT. */
export function ipNeighDel(net: Net, spec: IpNeighSpec): number {
  const key = inetPton4(spec.dst);
  const dev = devGetByName(net, spec.dev);
  if (dev === null) return -ENODEV;
  if (key === null) return -EINVAL;
  const neigh = neighLookup(net.ipv4.arpTbl, key, 0, 0, 0, dev);
  if (neigh === null) return -ENOENT;
  worldEnter(net.world);
  neighUpdate(neigh, null, NUD_FAILED, NEIGH_UPDATE_F_ADMIN | NEIGH_UPDATE_F_OVERRIDE);
  neighRelease(neigh);
  if (neigh.refcnt === 1 && !neigh.dead) neighRemove(neigh);
  worldLeave(net.world);
  return 0;
}
