/*
 * net.ipv4.*: the settings of IP that are no device's. Names and defaults are the kernel's.
 */
import { ctlRow, registerSysctlTable } from '@stack/kernel';
import type { CtlTable, CtlValue, Net } from '@stack/kernel';
import { rtCacheFlush } from './rt-cache.ts';
import { IPSTATS_MIB_DEFAULTTTL } from './snmp-names.ts';

function writeDefaultTtl(net: Net, value: CtlValue): number {
  net.ipv4.ipMib.values[IPSTATS_MIB_DEFAULTTTL] = Number(value);
  return 0;
}

function writeRouteFlush(net: Net, _value: CtlValue): number {
  rtCacheFlush(net);
  return 0;
}

function ipRows(net: Net): CtlTable[] {
  const ipv4 = net.ipv4;
  const bit = { min: 0, max: 1 };
  return [
    ctlRow('net.ipv4.ip_default_ttl', ipv4, 'sysctlIpDefaultTtl', 'int', { min: 1, max: 255, write: writeDefaultTtl }),
    ctlRow('net.ipv4.ip_no_pmtu_disc', ipv4, 'sysctlIpNoPmtuDisc', 'int', { min: 0, max: 3 }),
    ctlRow('net.ipv4.ip_forward_use_pmtu', ipv4, 'sysctlIpForwardUsePmtu', 'int', bit),
    ctlRow('net.ipv4.ip_forward_update_priority', ipv4, 'sysctlIpForwardUpdatePriority', 'int', bit),
    ctlRow('net.ipv4.ip_nonlocal_bind', ipv4, 'sysctlIpNonlocalBind', 'int', bit),
    ctlRow('net.ipv4.fwmark_reflect', ipv4, 'sysctlFwmarkReflect', 'int', bit),
    ctlRow('net.ipv4.fib_multipath_hash_policy', ipv4, 'sysctlFibMultipathHashPolicy', 'int', { ...bit, write: writeRouteFlush }),
    ctlRow('net.ipv4.fib_multipath_use_neigh', ipv4, 'sysctlFibMultipathUseNeigh', 'int', bit),
    ctlRow('net.ipv4.route.mtu_expires', ipv4, 'sysctlMtuExpires', 'int', { min: 0 }),
    ctlRow('net.ipv4.route.min_pmtu', ipv4, 'sysctlMinPmtu', 'int', { min: 68 }),
    ctlRow('net.ipv4.route.min_adv_mss', ipv4, 'sysctlMinAdvmss', 'int', { min: 0 }),
    ctlRow('net.ipv4.route.flush', ipv4, 'sysctlRouteFlush', 'int', { write: writeRouteFlush }),
  ];
}

function icmpRows(net: Net): CtlTable[] {
  const ipv4 = net.ipv4;
  const bit = { min: 0, max: 1 };
  return [
    ctlRow('net.ipv4.icmp_echo_ignore_all', ipv4, 'sysctlIcmpEchoIgnoreAll', 'int', bit),
    ctlRow('net.ipv4.icmp_echo_ignore_broadcasts', ipv4, 'sysctlIcmpEchoIgnoreBroadcasts', 'int', bit),
    ctlRow('net.ipv4.icmp_ignore_bogus_error_responses', ipv4, 'sysctlIcmpIgnoreBogusErrorResponses', 'int', bit),
    ctlRow('net.ipv4.icmp_errors_use_inbound_ifaddr', ipv4, 'sysctlIcmpErrorsUseInboundIfaddr', 'int', bit),
    ctlRow('net.ipv4.icmp_ratelimit', ipv4, 'sysctlIcmpRatelimit', 'int', { min: 0 }),
    ctlRow('net.ipv4.icmp_ratemask', ipv4, 'sysctlIcmpRatemask', 'int'),
    ctlRow('net.ipv4.icmp_msgs_per_sec', ipv4, 'sysctlIcmpMsgsPerSec', 'int', { min: 0 }),
    ctlRow('net.ipv4.icmp_msgs_burst', ipv4, 'sysctlIcmpMsgsBurst', 'int', { min: 0 }),
  ];
}

function igmpRows(net: Net): CtlTable[] {
  const ipv4 = net.ipv4;
  return [
    ctlRow('net.ipv4.igmp_link_local_mcast_reports', ipv4, 'sysctlIgmpLlmReports', 'int', { min: 0, max: 1 }),
    ctlRow('net.ipv4.igmp_max_memberships', ipv4, 'sysctlIgmpMaxMemberships', 'int', { min: 0 }),
    ctlRow('net.ipv4.igmp_max_msf', ipv4, 'sysctlIgmpMaxMsf', 'int', { min: 0 }),
    ctlRow('net.ipv4.igmp_qrv', ipv4, 'sysctlIgmpQrv', 'int', { min: 1 }),
  ];
}

function fragRows(net: Net): CtlTable[] {
  const frags = net.ipv4.frags;
  return [
    ctlRow('net.ipv4.ipfrag_high_thresh', frags, 'sysctlIpfragHighThresh', 'int', { min: 0 }),
    ctlRow('net.ipv4.ipfrag_low_thresh', frags, 'sysctlIpfragLowThresh', 'int', { min: 0 }),
    ctlRow('net.ipv4.ipfrag_time', frags, 'sysctlIpfragTime', 'int', { min: 0 }),
    ctlRow('net.ipv4.ipfrag_max_dist', frags, 'sysctlIpfragMaxDist', 'int', { min: 0 }),
  ];
}

/** Registers them. */
export function ipv4SysctlInit(net: Net): void {
  registerSysctlTable(net, [...ipRows(net), ...icmpRows(net), ...igmpRows(net), ...fragRows(net)]);
}
