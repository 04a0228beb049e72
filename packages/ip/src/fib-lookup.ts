/*
 * Asking the routing tables: local, then main, then default (RFC 1812 §5.2.4.3 longest match in
 * each). Also what kind of address a number is to us.
 */
import { EAGAIN, ENETUNREACH } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { ipv4IsLbcast, ipv4IsMulticast, ipv4IsZeronet } from '@stack/inet-sock';
import type { NetDevice } from '@stack/netdev';
import { RTN_BROADCAST, RTN_MULTICAST, RTN_UNICAST } from './fib.ts';
import type { FibResult } from './fib.ts';
import { fibTableLookup } from './fib-trie.ts';
import type { Flowi4 } from './flow.ts';

/**
 * The route for fl. Returns 0 with res filled in, -ENETUNREACH if there is none, or what a route
 * that forbids says: -EHOSTUNREACH, -EACCES, -EINVAL (blackhole).
 */
export function fibLookup(net: Net, fl: Flowi4, res: FibResult): number {
  const ipv4 = net.ipv4;
  let error = fibTableLookup(ipv4.fibLocal, fl, res);
  if (error === -EAGAIN) error = fibTableLookup(ipv4.fibMain, fl, res);
  if (error === -EAGAIN) error = fibTableLookup(ipv4.fibDefault, fl, res);
  return error === -EAGAIN ? -ENETUNREACH : error;
}

/** RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST, or RTN_UNICAST for the address of somebody else. */
export function inetAddrType(net: Net, addr: number): number {
  return inetDevAddrType(net, null, addr);
}

/** As inetAddrType(), but an address of another device than dev (null: any) counts as somebody else's. */
export function inetDevAddrType(net: Net, dev: NetDevice | null, addr: number): number {
  if (ipv4IsZeronet(addr) || ipv4IsLbcast(addr)) return RTN_BROADCAST;
  if (ipv4IsMulticast(addr)) return RTN_MULTICAST;
  const fl = net.ipv4.lookupFlow;
  fl.daddr = addr;
  fl.saddr = 0;
  fl.flowi4Oif = 0;
  fl.flowi4Tos = 0;
  fl.flowi4Scope = 0;
  const res = net.ipv4.checkResult;
  if (fibTableLookup(net.ipv4.fibLocal, fl, res) !== 0) return RTN_UNICAST;
  if (dev !== null && res.info !== null && res.info.nh.dev !== dev) return RTN_UNICAST;
  return res.type;
}
