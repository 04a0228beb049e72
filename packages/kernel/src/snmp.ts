/**
 * Counters under the kernel's SNMP names. A layer makes one `SnmpMib` for each group (`Tcp`, `TcpExt`, `Ip`, …), registers it on
 * its Net and keeps it on its own per-Net struct, so that counting is an add to an array slot.
 */
import { EEXIST } from './errno.ts';
import type { Net } from './net.ts';

/** A group of counters: `prefix + names[i]` is the full name of `values[i]`. */
export class SnmpMib {
  prefix: string;
  names: readonly string[];
  values: Float64Array;

  constructor(prefix: string, names: readonly string[]) {
    this.prefix = prefix;
    this.names = names;
    this.values = new Float64Array(names.length);
  }
}

/** Registers a group on a Net. Returns 0, or -EEXIST when the prefix is taken. */
export function registerMib(net: Net, mib: SnmpMib): number {
  if (net.snmp.has(mib.prefix)) return -EEXIST;
  net.snmp.set(mib.prefix, mib);
  return 0;
}

/** Takes a group off its Net. */
export function unregisterMib(net: Net, mib: SnmpMib): void {
  if (net.snmp.get(mib.prefix) === mib) net.snmp.delete(mib.prefix);
}

/** Counts one. */
export function snmpInc(mib: SnmpMib, i: number): void {
  mib.values[i]++;
}

/** Takes one off: for gauges such as TcpCurrEstab. */
export function snmpDec(mib: SnmpMib, i: number): void {
  mib.values[i]--;
}

/** Counts n. */
export function snmpAdd(mib: SnmpMib, i: number, n: number): void {
  mib.values[i] += n;
}

/** All counters of a Net as plain data, under their full names (`TcpRetransSegs`). */
export function snmpSnapshot(net: Net): Record<string, number> {
  const out: Record<string, number> = {};
  for (const mib of net.snmp.values()) {
    for (let i = 0; i < mib.names.length; i++) out[mib.prefix + mib.names[i]] = mib.values[i];
  }
  return out;
}
