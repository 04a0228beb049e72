/*
 * What `ip -j neigh` says of a table, as plain data.
 */
import { NUD_NOARP, NUD_NONE, NUD_VALID, nudStateNames } from './nud.ts';
import { neighForEach } from './neigh-hash.ts';
import type { NeighTable, Neighbour } from './neighbour.ts';

/** One row of `ip -j neigh`. */
export interface NeighRow {
  dst: string;
  dev: string;
  lladdr?: string;
  state: string[];
}

/** Writes a link-layer address as `02:00:00:00:00:01`. */
export function lladdrText(addr: Uint8Array, len: number): string {
  const parts: string[] = [];
  for (let i = 0; i < len; i++) parts.push(addr[i].toString(16).padStart(2, '0'));
  return parts.join(':');
}

/** The rows `ip -j neigh` would print for this table: NOARP and new entries are left out, as there. */
export function neighTableShow(table: NeighTable): NeighRow[] {
  const rows: NeighRow[] = [];
  neighForEach(table, neighShowOne, rows);
  return rows.sort((a, b) => (a.dst < b.dst ? -1 : a.dst > b.dst ? 1 : 0));
}

function neighShowOne(neigh: Neighbour, rows: NeighRow[]): void {
  if (neigh.nudState === NUD_NONE || (neigh.nudState & NUD_NOARP) !== 0) return;
  const row: NeighRow = { dst: neigh.table.ops.keyText(neigh), dev: neigh.dev.name, state: nudStateNames(neigh.nudState) };
  if ((neigh.nudState & NUD_VALID) !== 0) {
    rows.push({ dst: row.dst, dev: row.dev, lladdr: lladdrText(neigh.ha, neigh.dev.addrLen), state: row.state });
  } else {
    rows.push(row);
  }
}
