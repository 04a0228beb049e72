/*
 * Installing IPv4 in a Net, and what devices that come and go mean to it.
 */
import { HZ, delTimer, netAtExit, randomU32, registerMib, requireNet, requireNoNet, unregisterMib } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { INADDR_LOOPBACK } from '@stack/inet-sock';
import { neighCarrierDown, neighChangeaddr, neighIfdown, neighSysctlRegister, neighTableInit } from '@stack/neigh';
import type { NeighTableOps } from '@stack/neigh';
import {
  IFF_LOOPBACK, IFF_UP, NETDEV_CHANGE, NETDEV_CHANGEADDR, NETDEV_CHANGEMTU, NETDEV_CHANGENAME, NETDEV_DOWN, NETDEV_REGISTER,
  NETDEV_UNREGISTER, NETDEV_UP, devAddOffload, devAddPack, devRemoveOffload, devRemovePack, netifCarrierOk,
  registerNetdeviceNotifier, unregisterNetdeviceNotifier,
} from '@stack/netdev';
import type { NetDevice, NotifierBlock } from '@stack/netdev';
import { arpAnnounce } from './arp-send.ts';
import { arpPacketType, arpTableOps } from './arp.ts';
import { inetInsertIfa, inetdevDestroy, inetdevInit } from './devinet.ts';
import { fibDevCarrier, fibDevDown, fibDevUp } from './fib-frontend.ts';
import { RT_SCOPE_HOST } from './flow.ts';
import { icmpProtocol } from './icmp.ts';
import { igmpProtocol } from './igmp-query.ts';
import { ipMcDown, ipMcUp } from './igmp.ts';
import { InIfaddr, inDevArpEvictNocarrier, inDevArpNotify } from './inetdevice.ts';
import type { InDevice } from './inetdevice.ts';
import { IPPROTO_ICMP, IPPROTO_IGMP, IPV4_MIN_MTU } from './ip-header.ts';
import { ipFragExit } from './ip-fragment.ts';
import { ipPacketType } from './ip-input.ts';
import { ipPacketOffload } from './ip-offload.ts';
import { NetnsIpv4 } from './netns-ipv4.ts';
import { inetAddProtocol } from './protocol.ts';
import { rtCacheFlush, rtGcStart, rtGcTimer } from './rt-cache.ts';
import { RouteCache } from './rtable.ts';
import { IPSTATS_MIB_DEFAULTTTL, IPSTATS_MIB_FORWARDING } from './snmp-names.ts';
import { devinetSysctlInit, devinetSysctlRegister, devinetSysctlUnregister } from './sysctl-devinet.ts';
import { ipv4SysctlInit } from './sysctl-net-ipv4.ts';

/**
 * Installs IPv4: routes, ARP, ICMP, input and output. Needs netdev, netfilter and neigh; throws if one is not there. `resolver`
 * finds the link-layer addresses of neighbours; one that needs no questions leaves ARP to answer those of others.
 */
export function installIp(net: Net, resolver: NeighTableOps = arpTableOps): void {
  requireNet(net, 'installIp', 'netdev', 'nf', 'neigh');
  requireNoNet(net, 'installIp', 'ipv4');
  const arpTbl = neighTableInit(net, resolver);
  const ipv4 = new NetnsIpv4(net, arpTbl, new RouteCache(randomU32(net.world.random), rtGcTimer(net)));
  net.ipv4 = ipv4;
  for (const mib of [ipv4.ipMib, ipv4.ipExtMib, ipv4.icmpMib, ipv4.icmpMsgMib]) registerMib(net, mib);
  ipv4.ipMib.values[IPSTATS_MIB_FORWARDING] = 2;
  ipv4.ipMib.values[IPSTATS_MIB_DEFAULTTTL] = ipv4.sysctlIpDefaultTtl;
  // A host that has just started may send its burst of errors.
  ipv4.icmpLimits.stamp = (net.world.jiffies - HZ) | 0;
  ipv4SysctlInit(net);
  devinetSysctlInit(net);
  neighSysctlRegister(arpTbl.parms);
  inetAddProtocol(net, icmpProtocol, IPPROTO_ICMP);
  inetAddProtocol(net, igmpProtocol, IPPROTO_IGMP);
  devAddPack(net, ipPacketType);
  devAddPack(net, arpPacketType);
  devAddOffload(net, ipPacketOffload);
  registerNetdeviceNotifier(net, ipNetdevNotifier);
  rtGcStart(net);
  netAtExit(net, ipExit);
}

function ipExit(net: Net): void {
  const ipv4 = net.ipv4;
  devRemovePack(net, ipPacketType);
  devRemovePack(net, arpPacketType);
  devRemoveOffload(net, ipPacketOffload);
  unregisterNetdeviceNotifier(net, ipNetdevNotifier);
  ipFragExit(net);
  delTimer(ipv4.rtCache.gcTimer);
  rtCacheFlush(net);
  for (const mib of [ipv4.ipMib, ipv4.ipExtMib, ipv4.icmpMib, ipv4.icmpMsgMib]) unregisterMib(net, mib);
}

/** Hears of devices (inetdev_event, fib_netdev_event and arp_netdev_event in one). */
const ipNetdevNotifier: NotifierBlock = { notifierCall: ipNetdevEvent };

function ipNetdevEvent(event: number, dev: NetDevice): number {
  const inDev = dev.ipPtr;
  if (inDev === null) {
    const wanted = event === NETDEV_REGISTER || (event === NETDEV_CHANGEMTU && dev.mtu >= IPV4_MIN_MTU);
    if (wanted && dev.mtu >= IPV4_MIN_MTU) inetdevInit(dev);
    return 0;
  }
  switch (event) {
    case NETDEV_UP:
      ipDevUp(dev, inDev);
      break;
    case NETDEV_DOWN:
      ipMcDown(inDev);
      fibDevDown(dev, false);
      neighIfdown(dev.net.ipv4.arpTbl, dev);
      break;
    case NETDEV_CHANGE:
      ipDevCarrier(dev, inDev);
      break;
    case NETDEV_CHANGEMTU:
      if (dev.mtu < IPV4_MIN_MTU) ipDevGone(dev, inDev);
      else rtCacheFlush(dev.net);
      break;
    case NETDEV_CHANGEADDR:
      neighChangeaddr(dev.net.ipv4.arpTbl, dev);
      rtCacheFlush(dev.net);
      if (inDevArpNotify(inDev)) announceAll(inDev);
      break;
    case NETDEV_CHANGENAME:
      devinetSysctlUnregister(inDev);
      devinetSysctlRegister(inDev);
      break;
    case NETDEV_UNREGISTER:
      ipDevGone(dev, inDev);
      break;
    default:
      break;
  }
  return 0;
}

function ipDevGone(dev: NetDevice, inDev: InDevice): void {
  inetdevDestroy(inDev);
  fibDevDown(dev, true);
}

/** The loopback device gets 127.0.0.1/8 when it first comes up (RFC 1122 §3.2.1.3 (g)). */
function ipDevUp(dev: NetDevice, inDev: InDevice): void {
  if ((dev.flags & IFF_LOOPBACK) !== 0 && inDev.ifaList === null) {
    const ifa = new InIfaddr(inDev, INADDR_LOOPBACK, 8);
    ifa.ifaScope = RT_SCOPE_HOST;
    inetInsertIfa(ifa);
  }
  ipMcUp(inDev);
  fibDevUp(dev);
  if (inDevArpNotify(inDev)) announceAll(inDev);
}

function ipDevCarrier(dev: NetDevice, inDev: InDevice): void {
  if ((dev.flags & IFF_UP) === 0) return;
  const up = netifCarrierOk(dev);
  fibDevCarrier(dev, up);
  if (!up && inDevArpEvictNocarrier(inDev)) neighCarrierDown(dev.net.ipv4.arpTbl, dev);
}

function announceAll(inDev: InDevice): void {
  for (let ifa = inDev.ifaList; ifa !== null; ifa = ifa.ifaNext) arpAnnounce(ifa);
}
