/**
 * sysctls under the kernel's names. A value lives as a plain field of its layer's per-Net struct, so that the packet path reads a
 * field; a table row says which field it is, what may be written, and what it was at first.
 */
import { EEXIST, EINVAL, ENOENT, EPERM } from './errno.ts';
import type { Net } from './net.ts';

export type CtlValue = number | boolean | string | readonly number[];

/** 'int': an integer; 'bool': 0 or 1, whether its field is a boolean or a number; 'intvec': a fixed number of integers; 'string'; 'jiffies': whole seconds outside, jiffies inside. */
export type CtlKind = 'int' | 'bool' | 'intvec' | 'string' | 'jiffies';

/** One sysctl. */
export interface CtlTable {
  /** `net.ipv4.tcp_sack` */
  readonly procname: string;
  /** The struct that has the value … */
  readonly data: object;
  /** … in this field. */
  readonly field: string;
  readonly kind: CtlKind;
  /** Bounds of a number as the user writes it, or of each of an intvec; both included. */
  readonly min?: number;
  readonly max?: number;
  /** Written to the field at registration, in the unit of the user; without it the field's own value is the default. */
  readonly default?: CtlValue;
  readonly readOnly?: boolean;
  /** A further check, or an effect, before the value is stored: 0, or -errno to refuse. `value` is in the unit of the user. */
  readonly write?: (net: Net, value: CtlValue) => number;
}

interface CtlEntry {
  row: CtlTable;
  initial: CtlValue;
}

/** The sysctls of a Net. */
export class SysctlRegistry {
  entries: Map<string, CtlEntry>;

  constructor() {
    this.entries = new Map();
  }
}

/** A row whose field is checked against its struct. */
export function ctlRow<T extends object>(
  procname: string,
  data: T,
  field: keyof T & string,
  kind: CtlKind,
  more: Partial<CtlTable> = {},
): CtlTable {
  return { ...more, procname, data, field, kind };
}

function fields(row: CtlTable): Record<string, unknown> {
  return row.data as Record<string, unknown>;
}

/** The value as the user sees it. */
function load(row: CtlTable): CtlValue {
  const raw = fields(row)[row.field];
  if (row.kind === 'bool') return Number(raw);
  if (row.kind === 'jiffies') return Math.trunc((raw as number) / 1000);
  if (row.kind === 'intvec') return [...(raw as Iterable<number>)];
  return raw as CtlValue;
}

function store(row: CtlTable, value: CtlValue): void {
  const struct = fields(row);
  if (row.kind === 'jiffies') struct[row.field] = (value as number) * 1000;
  else if (row.kind === 'bool') struct[row.field] = typeof struct[row.field] === 'boolean' ? value === 1 : value;
  else if (row.kind === 'intvec') {
    const target = struct[row.field] as number[] | Int32Array;
    for (let i = 0; i < target.length; i++) target[i] = (value as readonly number[])[i];
  } else struct[row.field] = value;
}

function inBounds(row: CtlTable, n: number): boolean {
  return Number.isInteger(n) && n >= (row.min ?? -0x80000000) && n <= (row.max ?? 0x7fffffff);
}

function parseInteger(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'string' && /^\s*-?(0x[0-9a-f]+|\d+)\s*$/i.test(value)) return Number(value);
  return NaN;
}

/** What the user wrote, checked and in the row's own type; null if it will not do. */
function parse(row: CtlTable, value: CtlValue): CtlValue | null {
  if (row.kind === 'string') return typeof value === 'string' ? value.trim() : null;
  if (row.kind === 'intvec') {
    const parts: readonly unknown[] = typeof value === 'string' ? value.trim().split(/\s+/) : Array.isArray(value) ? value : [value];
    const numbers = parts.map(parseInteger);
    const length = (fields(row)[row.field] as ArrayLike<number>).length;
    return numbers.length === length && numbers.every((n) => inBounds(row, n)) ? numbers : null;
  }
  const n = parseInteger(value);
  if (row.kind === 'bool') return n === 0 || n === 1 ? n : null;
  return inBounds(row, n) ? n : null;
}

/** Registers rows on a Net, defaults written. Returns 0, or -EEXIST (and registers none) when a name is taken. */
export function registerSysctlTable(net: Net, rows: readonly CtlTable[]): number {
  const { entries } = net.sysctl;
  if (rows.some((row) => entries.has(row.procname))) return -EEXIST;
  for (const row of rows) {
    if (row.default !== undefined) {
      const value = parse(row, row.default);
      if (value === null) throw new Error(`sysctl ${row.procname}: its own default will not do`);
      store(row, value);
    }
    entries.set(row.procname, { row, initial: load(row) });
  }
  return 0;
}

/** Takes rows off. */
export function unregisterSysctlTable(net: Net, rows: readonly CtlTable[]): void {
  for (const row of rows) net.sysctl.entries.delete(row.procname);
}

/** The value of a sysctl; null if there is none of that name. A copy, where it is an array. */
export function sysctlRead(net: Net, name: string): CtlValue | null {
  const entry = net.sysctl.entries.get(name);
  return entry === undefined ? null : load(entry.row);
}

/**
 * Writes a sysctl. Numbers may come as text, vectors as text separated by blanks (`'4096 131072 6291456'`).
 *
 * @returns 0, -ENOENT (no such name), -EPERM (read-only), -EINVAL (wrong type or out of bounds), or what the row's check says
 */
export function sysctlWrite(net: Net, name: string, value: CtlValue): number {
  const entry = net.sysctl.entries.get(name);
  if (entry === undefined) return -ENOENT;
  const { row } = entry;
  if (row.readOnly === true) return -EPERM;
  const parsed = parse(row, value);
  if (parsed === null) return -EINVAL;
  const refused = row.write === undefined ? 0 : row.write(net, parsed);
  if (refused < 0) return refused;
  store(row, parsed);
  return 0;
}

/** One sysctl as plain data. */
export interface SysctlInfo {
  name: string;
  value: CtlValue;
  default: CtlValue;
}

/** All sysctls of a Net, by name. */
export function sysctlList(net: Net): SysctlInfo[] {
  const list = [...net.sysctl.entries.values()];
  return list
    .map(({ row, initial }) => ({ name: row.procname, value: load(row), default: initial }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
