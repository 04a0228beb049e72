/*
 * Gives a Net UDP: tables, counters, memory account. The carrier's part comes with installUdpv4 (entry /ipv4).
 */
import { installInetSock } from '@stack/inet-sock';
import { ctlRow, randomU32, registerMib, registerSysctlTable, requireNet, requireNoNet } from '@stack/kernel';
import type { CtlTable, Net } from '@stack/kernel';
import { NetnsUdp } from './udp-sock.ts';

/** Installs the engine on a Net that has sockets. */
export function installUdp(net: Net): void {
  requireNet(net, 'installUdp', 'socket');
  requireNoNet(net, 'installUdp', 'udp');
  installInetSock(net);
  const udp = new NetnsUdp(randomU32(net.world.random));
  net.udp = udp;
  registerMib(net, udp.mib);
  const rows: CtlTable[] = [ctlRow('net.ipv4.udp_mem', udp.mem, 'sysctlMem', 'intvec', { min: 0 })];
  registerSysctlTable(net, rows);
}
