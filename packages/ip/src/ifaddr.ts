/*
 * Questions about IPv4 addresses of ours: whose is it, which subnet, which one to send from.
 *
 * The table by address is kept by devinet.ts; everything here only reads, but for inetHashInsert()
 * and inetHashRemove(). Read first: RFC 1122 §3.3.4 (multihoming).
 */
import type { Net } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { RT_SCOPE_LINK } from './flow.ts';
import { IFA_F_SECONDARY } from './inetdevice.ts';
import type { InDevice, InIfaddr } from './inetdevice.ts';

function inetAddrHash(addr: number): number {
  return (Math.imul(addr, 0x9e3779b1) >>> 24) & 0xff;
}

/** The address `local` of ours, or null; the first if several devices have it. */
export function inetLookupIfaddr(net: Net, local: number): InIfaddr | null {
  let ifa = net.ipv4.ifaddrHash[inetAddrHash(local)];
  while (ifa !== null && ifa.ifaLocal !== local) ifa = ifa.hashNext;
  return ifa;
}

/** Puts an address into the table. */
export function inetHashInsert(ifa: InIfaddr): void {
  const table = ifa.inDev.net.ipv4.ifaddrHash;
  const slot = inetAddrHash(ifa.ifaLocal);
  let at = table[slot];
  if (at === null) {
    table[slot] = ifa;
    return;
  }
  while (at.hashNext !== null) at = at.hashNext;
  at.hashNext = ifa;
}

/** Takes it out. */
export function inetHashRemove(ifa: InIfaddr): void {
  const table = ifa.inDev.net.ipv4.ifaddrHash;
  const slot = inetAddrHash(ifa.ifaLocal);
  if (table[slot] === ifa) {
    table[slot] = ifa.hashNext;
  } else {
    let at = table[slot];
    while (at !== null && at.hashNext !== ifa) at = at.hashNext;
    if (at !== null) at.hashNext = ifa.hashNext;
  }
  ifa.hashNext = null;
}

/** Whether addr is in the subnet of ifa. */
export function inetIfaMatch(addr: number, ifa: InIfaddr): boolean {
  return ((addr ^ ifa.ifaAddress) & ifa.ifaMask) === 0;
}

/** The primary address of exactly this subnet on inDev, or null. */
export function inetIfaByprefix(inDev: InDevice, prefix: number, mask: number): InIfaddr | null {
  for (let ifa = inDev.ifaList; ifa !== null; ifa = ifa.ifaNext) {
    if ((ifa.ifaFlags & IFA_F_SECONDARY) === 0 && ifa.ifaMask === mask && inetIfaMatch(prefix, ifa)) return ifa;
  }
  return null;
}

/** The address list of inDev has a subnet with both addr1 and addr2 (0: any) in it. */
export function inetAddrOnlink(inDev: InDevice, addr1: number, addr2: number): boolean {
  for (let ifa = inDev.ifaList; ifa !== null; ifa = ifa.ifaNext) {
    if (inetIfaMatch(addr1, ifa) && (addr2 === 0 || inetIfaMatch(addr2, ifa))) return true;
  }
  return false;
}

function inDevSelectAddr(inDev: InDevice, dst: number, scope: number): number {
  let first = 0;
  for (let ifa = inDev.ifaList; ifa !== null; ifa = ifa.ifaNext) {
    if ((ifa.ifaFlags & IFA_F_SECONDARY) !== 0 || ifa.ifaScope > scope) continue;
    if (dst === 0 || inetIfaMatch(dst, ifa)) return ifa.ifaLocal;
    if (first === 0) first = ifa.ifaLocal;
  }
  return first;
}

/**
 * A source address for packets that leave by dev (null: any device) to dst (0: anybody), of a
 * scope no nearer than `scope`: of dst's subnet if there is one. 0 if there is none.
 */
export function inetSelectAddr(net: Net, dev: NetDevice | null, dst: number, scope: number): number {
  const inDev = dev?.ipPtr ?? null;
  if (inDev !== null) {
    const addr = inDevSelectAddr(inDev, dst, scope);
    if (addr !== 0) return addr;
  }
  for (const other of net.netdev.devList) {
    const od = other.ipPtr;
    if (od === null || other === dev) continue;
    for (let ifa = od.ifaList; ifa !== null; ifa = ifa.ifaNext) {
      if (ifa.ifaScope !== RT_SCOPE_LINK && ifa.ifaScope <= scope) return ifa.ifaLocal;
    }
  }
  return 0;
}

/** The address of ours on dev (null: any) that is `local` (0: any), in whose subnet dst (0: any) is, of this scope at most; 0 if none. */
export function inetConfirmAddr(net: Net, inDev: InDevice | null, dst: number, local: number, scope: number): number {
  for (const dev of net.netdev.devList) {
    const at = dev.ipPtr;
    if (at === null || (inDev !== null && at !== inDev)) continue;
    for (let ifa = at.ifaList; ifa !== null; ifa = ifa.ifaNext) {
      const wanted = local === 0 ? ifa.ifaScope <= scope : ifa.ifaLocal === local;
      if (wanted && (dst === 0 || inetIfaMatch(dst, ifa))) return ifa.ifaLocal;
    }
  }
  return 0;
}
