/*
 * Installing the neighbour layer in a Net. Families make their tables afterwards (ARP: installIp).
 */
import { absent, netAtExit, requireNet } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { neighTableClear } from './neigh-table.ts';
import { NetnsNeigh } from './neighbour.ts';

/** Installs the layer; needs netdev. Throws if it is not there. */
export function installNeigh(net: Net): void {
  requireNet(net, 'installNeigh', 'netdev');
  net.neigh = new NetnsNeigh();
  netAtExit(net, neighExit);
}

function neighExit(net: Net): void {
  const tables = net.neigh.tables;
  while (tables.length > 0) neighTableClear(tables[tables.length - 1]);
  net.neigh = absent();
}
