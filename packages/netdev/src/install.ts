// Gives a Net its devices: tables, softirq actions, sysctls, the loopback device.
//
// createNet() -> installNetdev() -> drivers and protocols register. Everything goes again when the Net does.

import {
  NET_RX_SOFTIRQ, NET_TX_SOFTIRQ, netAtExit, openSoftirq, registerSysctlTable, type CtlTable, type Net,
} from '@stack/kernel';
import { processBacklog } from './dev-backlog.ts';
import { devOpen, registerNetdevice, unregisterNetdevice } from './dev.ts';
import { allocLoopback, loopbackOps } from './loopback.ts';
import { napiEnable, netifNapiAdd, netRxAction } from './napi.ts';
import { NetDevice } from './netdevice.ts';
import { fqOps } from './sch-fq.ts';
import { noopQdiscOps, noqueueQdiscOps, pfifoFastOps, pfifoOps, registerQdisc } from './sch-fifo.ts';
import { netTxAction } from './sch-generic.ts';
import { NetnsNetdev } from './softnet.ts';

function sysctlTable(nn: NetnsNetdev): CtlTable[] {
  return [
    { procname: 'net.core.netdev_budget', data: nn, field: 'sysctlNetdevBudget', kind: 'int', min: 1, default: 300 },
    { procname: 'net.core.dev_weight', data: nn, field: 'sysctlDevWeight', kind: 'int', min: 1, default: 64 },
    { procname: 'net.core.netdev_max_backlog', data: nn, field: 'sysctlNetdevMaxBacklog', kind: 'int', min: 0, default: 1000 },
    { procname: 'net.core.default_qdisc', data: nn, field: 'sysctlDefaultQdisc', kind: 'string', default: 'pfifo_fast' },
  ];
}

/**
 * Installs this layer in `net`, with `lo` registered and up. Throws if skbuff is not installed in its World, or this layer
 * is there already.
 */
export function installNetdev(net: Net): void {
  if ((net.world.pool ?? null) === null) throw new Error('installNetdev: install skbuff first (installSkbuff(world))');
  if ((net.netdev ?? null) !== null) throw new Error('installNetdev: already installed');
  const dummy = new NetDevice(net, 'backlog', loopbackOps, noopQdiscOps);
  const backlog = netifNapiAdd(dummy, processBacklog);
  const nn = new NetnsNetdev(net, backlog);
  net.netdev = nn;
  napiEnable(backlog);
  openSoftirq(net, NET_RX_SOFTIRQ, netRxAction);
  openSoftirq(net, NET_TX_SOFTIRQ, netTxAction);
  registerSysctlTable(net, sysctlTable(nn));
  for (const ops of [pfifoFastOps, pfifoOps, fqOps, noqueueQdiscOps, noopQdiscOps]) registerQdisc(net, ops);
  const lo = allocLoopback(net);
  registerNetdevice(lo);
  nn.loopbackDev = lo;
  devOpen(lo);
  netAtExit(net, netdevExit);
}

/** Unregisters every device, the newest first. */
function netdevExit(net: Net): void {
  const nn = net.netdev;
  while (nn.devList.length > 0) unregisterNetdevice(nn.devList[nn.devList.length - 1]!);
  nn.loopbackDev = null;
}
