/*
 * Installing connection tracking in a host, and its hook functions (nf_conntrack_proto.c, nf_conntrack_standalone.c).
 *
 *   PRE_ROUTING  -400 defragment, -200 nfConntrackIn        LOCAL_IN     last nfConfirm
 *   LOCAL_OUT    -400 defragment, -200 nfConntrackIn        POST_ROUTING last nfConfirm
 */
import {
  HZ, SnmpMib, TIMER_DEFERRABLE, ctlRow, delTimer, netAtExit, randomU32, registerMib, registerSysctlTable, requireNet, requireNoNet,
  SiphashKey, timerSetup, unregisterMib,
} from '@stack/kernel';
import type { CtlTable, CtlValue, Net } from '@stack/kernel';
import {
  NFPROTO_IPV4, NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING, NF_IP_PRI_CONNTRACK,
  NF_IP_PRI_CONNTRACK_CONFIRM, nfRegisterNetHooks, nfSetCtHook,
} from '@stack/netfilter';
import type { NfHookOps, NfHookState } from '@stack/netfilter';
import type { SkBuff } from '@stack/skbuff';
import { NetnsCt } from './nf-conn.ts';
import { nfConntrackConfirm, nfConntrackHook, nfConntrackIn } from './nf-conntrack-core.ts';
import { nfConntrackFlush, nfConntrackGc, nfConntrackHashResize } from './nf-conntrack-hash.ts';
import { nfConntrackL4protoGeneric } from './nf-conntrack-proto-generic.ts';
import { nfConntrackL4protoIcmp } from './nf-conntrack-proto-icmp.ts';
import { nfConntrackL4protoTcp } from './nf-conntrack-proto-tcp.ts';
import { nfConntrackL4protoUdp } from './nf-conntrack-proto-udp.ts';
import { nfConntrackStatNames } from './nf-conntrack-stat.ts';
import { nfDefragIpv4Ops } from './nf-defrag-ipv4.ts';

/**
 * Chains and connections of a host that is not told otherwise.
 * Deviation: Linux takes both from the machine's memory; these are what it has with about 1 GiB, a quarter of the chains.
 */
const BUCKETS = 16384;
const MAX = 65536;

function ipv4ConntrackIn(_priv: unknown, skb: SkBuff, state: NfHookState): number {
  return nfConntrackIn(skb, state);
}

/** The packet leaves, or is taken up: its connection, if it is new, is one from now on. */
function nfConfirm(_priv: unknown, skb: SkBuff, state: NfHookState): number {
  const { net } = state;
  if (net.trace !== null) net.trace.hit(net, 'nf_confirm', skb);
  return nfConntrackConfirm(skb);
}

const at = (hook: NfHookOps['hook'], hooknum: number, priority: number): NfHookOps => ({ hook, pf: NFPROTO_IPV4, hooknum, priority });

const conntrackOps: readonly NfHookOps[] = [
  at(ipv4ConntrackIn, NF_INET_PRE_ROUTING, NF_IP_PRI_CONNTRACK),
  at(ipv4ConntrackIn, NF_INET_LOCAL_OUT, NF_IP_PRI_CONNTRACK),
  at(nfConfirm, NF_INET_POST_ROUTING, NF_IP_PRI_CONNTRACK_CONFIRM),
  at(nfConfirm, NF_INET_LOCAL_IN, NF_IP_PRI_CONNTRACK_CONFIRM),
];

function writeBuckets(net: Net, value: CtlValue): number {
  nfConntrackHashResize(net.ct, Number(value));
  return 0;
}

function coreRows(cn: NetnsCt): CtlTable[] {
  const name = (what: string): string => `net.netfilter.nf_conntrack_${what}`;
  const flag = (what: string, field: keyof NetnsCt & string, value: number): CtlTable => ctlRow(name(what), cn, field, 'bool', { default: value });
  return [
    ctlRow(name('max'), cn, 'sysctlMax', 'int', { min: 0, default: MAX }),
    ctlRow(name('buckets'), cn, 'sysctlBuckets', 'int', { min: 1, max: 1 << 22, write: writeBuckets }),
    ctlRow(name('count'), cn, 'count', 'int', { readOnly: true }),
    flag('checksum', 'sysctlChecksum', 1),
    flag('acct', 'sysctlAcct', 0),
    flag('tcp_loose', 'sysctlTcpLoose', 1),
    flag('tcp_be_liberal', 'sysctlTcpBeLiberal', 0),
    flag('tcp_ignore_invalid_rst', 'sysctlTcpIgnoreInvalidRst', 0),
    ctlRow(name('tcp_max_retrans'), cn, 'sysctlTcpMaxRetrans', 'int', { min: 0, max: 255, default: 3 }),
  ];
}

/** The timeouts, in seconds as they are read and written. */
function timeoutRows(cn: NetnsCt): CtlTable[] {
  const most = Math.trunc(0x3fffffff / HZ);
  const seconds = <T extends object>(what: string, data: T, field: keyof T & string, value: number): CtlTable => (
    ctlRow(`net.netfilter.nf_conntrack_${what}`, data, field, 'jiffies', { min: 0, max: most, default: value })
  );
  const tcp = cn.tcpTimeouts;
  return [
    seconds('tcp_timeout_syn_sent', tcp, 'synSent', 120),
    seconds('tcp_timeout_syn_recv', tcp, 'synRecv', 60),
    seconds('tcp_timeout_established', tcp, 'established', 432000),
    seconds('tcp_timeout_fin_wait', tcp, 'finWait', 120),
    seconds('tcp_timeout_close_wait', tcp, 'closeWait', 60),
    seconds('tcp_timeout_last_ack', tcp, 'lastAck', 30),
    seconds('tcp_timeout_time_wait', tcp, 'timeWait', 120),
    seconds('tcp_timeout_close', tcp, 'close', 10),
    seconds('tcp_timeout_max_retrans', tcp, 'maxRetrans', 300),
    seconds('tcp_timeout_unacknowledged', tcp, 'unacknowledged', 300),
    seconds('udp_timeout', cn, 'udpTimeout', 30),
    seconds('udp_timeout_stream', cn, 'udpTimeoutStream', 120),
    seconds('icmp_timeout', cn, 'icmpTimeout', 30),
    seconds('generic_timeout', cn, 'genericTimeout', 600),
  ];
}

/**
 * Has a host track connections: at once, and for its whole life. Needs netfilter; throws if it is not there, or tracking is already.
 * Without IPv4 (tests of tracking alone) fragments pass untracked.
 */
export function installConntrack(net: Net): void {
  requireNet(net, 'installConntrack', 'nf');
  requireNoNet(net, 'installConntrack', 'ct');
  const { random } = net.world;
  const key = new SiphashKey(randomU32(random), randomU32(random), randomU32(random), randomU32(random));
  const gcTimer = timerSetup(net, nfConntrackGc, net, TIMER_DEFERRABLE);
  const cn = new NetnsCt(net, nfConntrackL4protoGeneric, key, gcTimer, new SnmpMib('NfConntrack', nfConntrackStatNames), BUCKETS);
  net.ct = cn;
  for (const proto of [nfConntrackL4protoTcp, nfConntrackL4protoUdp, nfConntrackL4protoIcmp]) cn.l4protos[proto.l4proto] = proto;
  registerMib(net, cn.stat);
  registerSysctlTable(net, [...coreRows(cn), ...timeoutRows(cn)]);
  nfSetCtHook(net, nfConntrackHook);
  if (net.ipv4 !== null) nfRegisterNetHooks(net, nfDefragIpv4Ops);
  nfRegisterNetHooks(net, conntrackOps);
  netAtExit(net, exitConntrack);
}

function exitConntrack(net: Net): void {
  const cn = net.ct;
  delTimer(cn.gcTimer);
  nfConntrackFlush(cn);
  unregisterMib(net, cn.stat);
}
