/*
 * Which client has which address (RFC 2131 §4.3.1). A lease outlives its time as a memory: the client that comes back gets the
 * address that it had, until somebody else needs it. Times are ns of the World's time; nothing here waits.
 */

/* States of a lease. */
/** Offered, not yet requested. */
export const LEASE_OFFERED = 0;
export const LEASE_BOUND = 1;
/** Somebody uses the address who should not (DHCPDECLINE, or a probe was answered). */
export const LEASE_DECLINED = 2;
/** Given back, or its time is over: remembered. */
export const LEASE_FREE = 3;

export const leaseStateNames: readonly string[] = ['offered', 'bound', 'declined', 'free'];

export class Lease {
  /** Who has it: the client identifier, else hardware type and address. */
  client: string;
  addr: number;
  state: number;
  /** ns; Infinity for a lease without end. */
  expires: number;
  mac: string;
  hostname: string;
  /** It is being found out whether somebody uses the address. */
  probing: boolean;

  constructor(client: string, addr: number) {
    this.client = client;
    this.addr = addr;
    this.state = LEASE_FREE;
    this.expires = 0;
    this.mac = '';
    this.hostname = '';
    this.probing = false;
  }
}

export class LeaseTable {
  /** The pool, both included, as unsigned numbers. */
  first: number;
  last: number;
  /** Addresses of the pool that nobody gets: the server's own. */
  excluded: Set<number>;
  /** Addresses kept for one hardware address each. */
  reserved: Map<string, number>;
  byClient: Map<string, Lease>;
  byAddr: Map<number, Lease>;

  constructor(first: number, last: number, reserved: Map<string, number>) {
    this.first = first >>> 0;
    this.last = last >>> 0;
    this.excluded = new Set();
    this.reserved = reserved;
    this.byClient = new Map();
    this.byAddr = new Map();
  }
}

function isReserved(table: LeaseTable, addr: number): boolean {
  for (const kept of table.reserved.values()) if (kept === addr) return true;
  return false;
}

/** Is the address one that `mac` may have? */
export function leaseMayHave(table: LeaseTable, addr: number, mac: string): boolean {
  const kept = table.reserved.get(mac);
  if (kept !== undefined) return kept === addr;
  const inPool = addr >>> 0 >= table.first && addr >>> 0 <= table.last;
  return inPool && !table.excluded.has(addr) && !isReserved(table, addr);
}

/** Is the address nobody's now, or this client's own? */
export function leaseIsFree(table: LeaseTable, addr: number, client: string, now: number): boolean {
  const lease = table.byAddr.get(addr);
  if (lease === undefined || lease.state === LEASE_FREE || now >= lease.expires) return true;
  return lease.client === client && lease.state !== LEASE_DECLINED;
}

/** The lease that the client has, in time or not; null if it never had one, or its address is another's now. */
export function leaseOf(table: LeaseTable, client: string): Lease | null {
  return table.byClient.get(client) ?? null;
}

function forget(table: LeaseTable, lease: Lease): void {
  if (table.byClient.get(lease.client) === lease) table.byClient.delete(lease.client);
  if (table.byAddr.get(lease.addr) === lease) table.byAddr.delete(lease.addr);
}

/** Somebody else uses the lease's address: nobody gets it before `until` (ns), and its client has none. */
export function leaseDecline(table: LeaseTable, lease: Lease, until: number): void {
  lease.state = LEASE_DECLINED;
  lease.expires = until;
  if (table.byClient.get(lease.client) === lease) table.byClient.delete(lease.client);
}

/** Gives the address to the client, whatever either had before. The caller has asked leaseMayHave() and leaseIsFree(). */
export function leaseAssign(table: LeaseTable, addr: number, client: string): Lease {
  const old = table.byAddr.get(addr);
  const own = table.byClient.get(client);
  if (own !== undefined && own === old) return own;
  if (old !== undefined) forget(table, old);
  if (own !== undefined) forget(table, own);
  const lease = new Lease(client, addr);
  table.byAddr.set(addr, lease);
  table.byClient.set(client, lease);
  return lease;
}

/** The pool's address that was never used, else the one that has been free longest; null if none is free. */
function fromPool(table: LeaseTable, client: string, mac: string, now: number): number | null {
  let oldest: Lease | null = null;
  for (let at = table.first; at <= table.last; at++) {
    const addr = at | 0;
    if (!leaseMayHave(table, addr, mac)) continue;
    const lease = table.byAddr.get(addr);
    if (lease === undefined) return addr;
    if (leaseIsFree(table, addr, client, now) && (oldest === null || lease.expires < oldest.expires)) oldest = lease;
  }
  return oldest?.addr ?? null;
}

/**
 * An address for the client, in the order of RFC 2131 §4.3.1: the one reserved for it, the one that it has or had, the one that it
 * asks for (0: none), any. Null if none is free.
 */
export function leaseChoose(table: LeaseTable, client: string, mac: string, requested: number, now: number): number | null {
  const candidates = [table.reserved.get(mac) ?? 0, leaseOf(table, client)?.addr ?? 0, requested];
  const found = candidates.find((addr) => addr !== 0 && leaseMayHave(table, addr, mac) && leaseIsFree(table, addr, client, now));
  return found ?? fromPool(table, client, mac, now);
}
