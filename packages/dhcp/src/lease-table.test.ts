// Who gets which address (RFC 2131 §4.3.1).
import { describe, expect, test } from 'vitest';
import { LEASE_BOUND, leaseAssign, leaseChoose, leaseDecline, leaseIsFree, leaseMayHave, leaseOf, LeaseTable, type Lease } from './lease-table.ts';

const A = 0x0a00000a;

/** A pool of three addresses from A on; 02:…:99 has A + 1. */
function pool(): LeaseTable {
  return new LeaseTable(A, A + 2, new Map([['02:00:00:00:00:99', A + 1]]));
}

function take(table: LeaseTable, client: string, expires: number, requested = 0): Lease | null {
  const addr = leaseChoose(table, client, client, requested, 0);
  if (addr === null) return null;
  const lease = leaseAssign(table, addr, client);
  lease.state = LEASE_BOUND;
  lease.expires = expires;
  return lease;
}

describe('RFC 2131 §4.3.1: the order of choice', () => {
  test('what is kept for the client; what it has or had; what it asks for; what nobody had; what is free longest', () => {
    const table = pool();
    expect(leaseChoose(table, 'k', '02:00:00:00:00:99', A, 0)).toBe(A + 1);
    expect(take(table, 'a', 100)?.addr).toBe(A);
    expect(leaseChoose(table, 'a', 'a', A + 2, 0)).toBe(A);
    expect(leaseChoose(table, 'b', 'b', A + 2, 0)).toBe(A + 2);
    expect(leaseChoose(table, 'b', 'b', A, 0)).toBe(A + 2);
    expect(take(table, 'b', 50)?.addr).toBe(A + 2);
    expect(leaseChoose(table, 'c', 'c', 0, 49)).toBeNull();
    expect(leaseChoose(table, 'c', 'c', 0, 120)).toBe(A + 2);
  });

  test('a client comes back after its time, and has its address again', () => {
    const table = pool();
    take(table, 'a', 10);
    take(table, 'b', 10);
    expect(leaseChoose(table, 'b', 'b', 0, 99)).toBe(A + 2);
  });

  test('an address that another client gets is forgotten for the first', () => {
    const table = pool();
    take(table, 'a', 10);
    leaseAssign(table, A, 'z');
    expect(leaseOf(table, 'a')).toBeNull();
    expect(table.byAddr.size).toBe(1);
  });
});

test('an address that is declined is nobody\'s for its time, its client\'s neither', () => {
  const table = pool();
  const lease = take(table, 'a', 10);
  if (lease !== null) leaseDecline(table, lease, 100);
  expect(leaseIsFree(table, A, 'a', 99)).toBe(false);
  expect(leaseIsFree(table, A, 'a', 100)).toBe(true);
  expect(leaseChoose(table, 'a', 'a', A, 50)).toBe(A + 2);
  leaseAssign(table, A + 2, 'a');
  expect(leaseIsFree(table, A, 'a', 99)).toBe(false);
});

test('what is kept, excluded, or out of the pool nobody else gets', () => {
  const table = pool();
  table.excluded.add(A + 2);
  expect([A - 1, A, A + 1, A + 2, A + 3].map((addr) => leaseMayHave(table, addr, 'x'))).toEqual([false, true, false, false, false]);
  expect(leaseMayHave(table, A, '02:00:00:00:00:99')).toBe(false);
  expect(take(table, 'x', 10)?.state).toBe(LEASE_BOUND);
  expect(leaseChoose(table, 'y', 'y', 0, 0)).toBeNull();
});

test('a pool in the upper half of the addresses', () => {
  const table = new LeaseTable(0xc0a80001 | 0, 0xc0a80003 | 0, new Map());
  expect(take(table, 'a', 1)?.addr).toBe(0xc0a80001 | 0);
  expect(take(table, 'b', 1)?.addr).toBe(0xc0a80002 | 0);
});
