/*
 * net.ipv4.conf.{all,default,<dev>}.*, and net.ipv4.ip_forward, which is all of them at once.
 */
import { ctlRow, registerSysctlTable, unregisterSysctlTable } from '@stack/kernel';
import type { CtlTable, CtlValue, Net } from '@stack/kernel';
import { neighSysctlRegister, neighSysctlUnregister } from '@stack/neigh';
import type { InDevice, Ipv4Devconf } from './inetdevice.ts';
import { rtCacheFlush } from './rt-cache.ts';
import { IPSTATS_MIB_FORWARDING } from './snmp-names.ts';

/** Switches forwarding of every device and of those to come; RFC 1812 and RFC 1122 part ways here. */
export function inetForwardChange(net: Net, on: number): void {
  const ipv4 = net.ipv4;
  ipv4.devconfAll.forwarding = on;
  ipv4.devconfDflt.forwarding = on;
  ipv4.ipMib.values[IPSTATS_MIB_FORWARDING] = on !== 0 ? 1 : 2;
  for (const dev of net.netdev.devList) {
    if (dev.ipPtr !== null) dev.ipPtr.cnf.forwarding = on;
  }
  rtCacheFlush(net);
}

function writeForwardAll(net: Net, value: CtlValue): number {
  inetForwardChange(net, Number(value));
  return 0;
}

function writeFlush(net: Net, _value: CtlValue): number {
  rtCacheFlush(net);
  return 0;
}

/** The rows of one set of variables; forwarding's effect is `forward`. */
function devconfRows(name: string, cnf: Ipv4Devconf, forward: (net: Net, value: CtlValue) => number): CtlTable[] {
  const path = `net.ipv4.conf.${name}`;
  const bit = { min: 0, max: 1 };
  const flush = { ...bit, write: writeFlush };
  return [
    ctlRow(`${path}.accept_local`, cnf, 'acceptLocal', 'int', flush),
    ctlRow(`${path}.accept_redirects`, cnf, 'acceptRedirects', 'int', bit),
    ctlRow(`${path}.accept_source_route`, cnf, 'acceptSourceRoute', 'int', bit),
    ctlRow(`${path}.arp_accept`, cnf, 'arpAccept', 'int', { min: 0, max: 2 }),
    ctlRow(`${path}.arp_announce`, cnf, 'arpAnnounce', 'int', { min: 0, max: 2 }),
    ctlRow(`${path}.arp_evict_nocarrier`, cnf, 'arpEvictNocarrier', 'int', bit),
    ctlRow(`${path}.arp_filter`, cnf, 'arpFilter', 'int', bit),
    ctlRow(`${path}.arp_ignore`, cnf, 'arpIgnore', 'int', { min: 0, max: 8 }),
    ctlRow(`${path}.arp_notify`, cnf, 'arpNotify', 'int', bit),
    ctlRow(`${path}.bc_forwarding`, cnf, 'bcForwarding', 'int', flush),
    ctlRow(`${path}.drop_gratuitous_arp`, cnf, 'dropGratuitousArp', 'int', bit),
    ctlRow(`${path}.drop_unicast_in_l2_multicast`, cnf, 'dropUnicastInL2Multicast', 'int', bit),
    ctlRow(`${path}.force_igmp_version`, cnf, 'forceIgmpVersion', 'int', { min: 0, max: 3 }),
    ctlRow(`${path}.forwarding`, cnf, 'forwarding', 'int', { ...bit, write: forward }),
    ctlRow(`${path}.igmpv2_unsolicited_report_interval`, cnf, 'igmpv2UnsolicitedReportInterval', 'int', { min: 0 }),
    ctlRow(`${path}.igmpv3_unsolicited_report_interval`, cnf, 'igmpv3UnsolicitedReportInterval', 'int', { min: 0 }),
    ctlRow(`${path}.ignore_routes_with_linkdown`, cnf, 'ignoreRoutesWithLinkdown', 'int', flush),
    ctlRow(`${path}.promote_secondaries`, cnf, 'promoteSecondaries', 'int', bit),
    ctlRow(`${path}.route_localnet`, cnf, 'routeLocalnet', 'int', flush),
    ctlRow(`${path}.rp_filter`, cnf, 'rpFilter', 'int', { min: 0, max: 2, write: writeFlush }),
    ctlRow(`${path}.secure_redirects`, cnf, 'secureRedirects', 'int', bit),
    ctlRow(`${path}.send_redirects`, cnf, 'sendRedirects', 'int', flush),
    ctlRow(`${path}.shared_media`, cnf, 'sharedMedia', 'int', flush),
  ];
}

/** Registers the sets `all` and `default`, and ip_forward. */
export function devinetSysctlInit(net: Net): void {
  const ipv4 = net.ipv4;
  registerSysctlTable(net, [
    ...devconfRows('all', ipv4.devconfAll, writeForwardAll),
    ...devconfRows('default', ipv4.devconfDflt, writeFlush),
    ctlRow('net.ipv4.ip_forward', ipv4.devconfAll, 'forwarding', 'int', { min: 0, max: 1, write: writeForwardAll }),
  ]);
}

/** Registers a device's variables, and its neighbours'. */
export function devinetSysctlRegister(inDev: InDevice): void {
  inDev.sysctlName = inDev.dev.name;
  registerSysctlTable(inDev.net, devconfRows(inDev.sysctlName, inDev.cnf, writeFlush));
  neighSysctlRegister(inDev.arpParms);
}

/** Takes them off. */
export function devinetSysctlUnregister(inDev: InDevice): void {
  unregisterSysctlTable(inDev.net, devconfRows(inDev.sysctlName, inDev.cnf, writeFlush));
  neighSysctlUnregister(inDev.arpParms);
}
