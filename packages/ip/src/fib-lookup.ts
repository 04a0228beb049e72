/*
 * Asking the routing tables: local, then main, then default (RFC 1812 §5.2.4.3 longest match in
 * each), or as the rules say (fib-rules.ts). Also what kind of address a number is to us.
 */
import { EAGAIN, ENETUNREACH } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { ipv4IsLbcast, ipv4IsMulticast, ipv4IsZeronet } from '@stack/inet-sock';
import type { NetDevice } from '@stack/netdev';
import { RTN_BROADCAST, RTN_MULTICAST, RTN_UNICAST } from './fib.ts';
import type { FibResult } from './fib.ts';
import { fibRulesLookup } from './fib-rules.ts';
import { fibTableLookup } from './fib-trie.ts';
import { flowi4InitLookup } from './flow.ts';
import type { Flowi4 } from './flow.ts';

/**
 * The route for fl. Returns 0 with res filled in, -ENETUNREACH if there is none, or what a route
 * that forbids says: -EHOSTUNREACH, -EACCES, -EINVAL (blackhole).
 */
export function fibLookup(net: Net, fl: Flowi4, res: FibResult): number {
  const ipv4 = net.ipv4;
  if (ipv4.fibHasCustomRules) return fibRulesLookup(net, fl, res);
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
  flowi4InitLookup(fl, addr, 0, 0, 0, 0, 0);
  const res = net.ipv4.checkResult;
  if (fibTableLookup(net.ipv4.fibLocal, fl, res) !== 0) return RTN_UNICAST;
  if (dev !== null && res.nh !== null && res.nh.dev !== dev) return RTN_UNICAST;
  return res.type;
}
