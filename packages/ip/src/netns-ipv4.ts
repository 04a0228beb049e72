/*
 * NetnsIpv4: what IPv4 has per Net, hung on net.ipv4 by installIp().
 *
 * Settings are fields that the packet path reads (their sysctl names are in sysctl-net-ipv4.ts);
 * tables belong to the file that is named with them.
 */
import { SnmpMib, randomU32 } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import type { NeighTable } from '@stack/neigh';
import { FibResult, FibTable, RT_TABLE_DEFAULT, RT_TABLE_LOCAL, RT_TABLE_MAIN } from './fib.ts';
import { fibDefaultRules } from './fib-rules.ts';
import type { FibRule } from './fib-rules.ts';
import { Flowi4 } from './flow.ts';
import { IcmpLimits } from './icmp-limits.ts';
import { IpIdents } from './ip-ident.ts';
import { IPDEFTTL } from './ip-header.ts';
import type { IpRaChain } from './ip-ra.ts';
import { FragQueues } from './inet-fragment.ts';
import { Ipv4Devconf } from './inetdevice.ts';
import type { InIfaddr } from './inetdevice.ts';
import { inetProtosNew } from './protocol.ts';
import type { InetProtocol, NetOffload, PingOps, RawOps, XfrmOps } from './protocol.ts';
import type { RouteCache } from './rtable.ts';
import { icmpMibNames, icmpMsgMibNames, ipExtMibNames, ipMibNames } from './snmp-names.ts';

declare module '@stack/kernel' {
  interface NetLinks {
    ipv4: NetnsIpv4;
  }
}

/** IPv4 in one Net. */
export class NetnsIpv4 {
  net: Net;
  /* Settings. */
  sysctlIpDefaultTtl: number;
  sysctlIpNoPmtuDisc: number;
  sysctlIpForwardUsePmtu: number;
  sysctlIpForwardUpdatePriority: number;
  sysctlIpNonlocalBind: number;
  sysctlIcmpEchoIgnoreAll: number;
  sysctlIcmpEchoIgnoreBroadcasts: number;
  sysctlIcmpIgnoreBogusErrorResponses: number;
  sysctlIcmpErrorsUseInboundIfaddr: number;
  /** Milliseconds between two errors to one destination. */
  sysctlIcmpRatelimit: number;
  /** The types that the limit is for: bit n for type n. */
  sysctlIcmpRatemask: number;
  sysctlIcmpMsgsPerSec: number;
  sysctlIcmpMsgsBurst: number;
  /** Seconds. */
  sysctlMtuExpires: number;
  sysctlMinPmtu: number;
  sysctlMinAdvmss: number;
  sysctlFwmarkReflect: number;
  /** Most groups of one socket, and most sources of one membership. */
  sysctlIgmpMaxMemberships: number;
  sysctlIgmpMaxMsf: number;
  /** The robustness variable: how often a change of membership is told. */
  sysctlIgmpQrv: number;
  /** Whether 224.0.0.0/24 is reported too. */
  sysctlIgmpLlmReports: number;
  /** Of which the flows are told apart that several next hops share: 0 addresses, 1 protocol and ports too. */
  sysctlFibMultipathHashPolicy: number;
  /** A next hop whose gateway does not answer ARP gets no flows. */
  sysctlFibMultipathUseNeigh: number;
  /** Writing net.ipv4.route.flush empties the route cache; the value means nothing. */
  sysctlRouteFlush: number;
  devconfAll: Ipv4Devconf;
  devconfDflt: Ipv4Devconf;
  /* Addresses (devinet.ts): chains by local address. */
  ifaddrHash: (InIfaddr | null)[];
  /* Routes (fib-frontend.ts, route.ts). */
  fibLocal: FibTable;
  fibMain: FibTable;
  fibDefault: FibTable;
  /** These, and the others that routes were put in, by number. */
  fibTables: Map<number, FibTable>;
  /** In order of pref (fib-rules.ts). */
  fibRules: FibRule[];
  /** The rules are not those of the beginning. */
  fibHasCustomRules: boolean;
  fibMultipathSeed: number;
  rtCache: RouteCache;
  /** Routes made before the last change of it are no longer valid. */
  rtGenid: number;
  /* Neighbours (arp.ts). */
  arpTbl: NeighTable;
  /* Transports (protocol.ts). */
  inetProtos: (InetProtocol | null)[];
  inetOffloads: (NetOffload | null)[];
  rawOps: RawOps | null;
  pingOps: PingOps | null;
  xfrmOps: XfrmOps | null;
  /** Raw sockets that want packets with router alert (ip-ra.ts). */
  raChain: IpRaChain | null;
  /* Reassembly (ip-fragment.ts), identifications (ip-ident.ts), the limits of ICMP (icmp-ratelimit.ts). */
  frags: FragQueues;
  idents: IpIdents;
  icmpLimits: IcmpLimits;
  /* Counters. */
  ipMib: SnmpMib;
  ipExtMib: SnmpMib;
  icmpMib: SnmpMib;
  icmpMsgMib: SnmpMib;
  /* Questions and answers of the packet path: valid until the next lookup. */
  flow: Flowi4;
  lookupFlow: Flowi4;
  fibResult: FibResult;
  checkResult: FibResult;

  constructor(net: Net, arpTbl: NeighTable, rtCache: RouteCache) {
    this.net = net;
    this.sysctlIpDefaultTtl = IPDEFTTL;
    this.sysctlIpNoPmtuDisc = 0;
    this.sysctlIpForwardUsePmtu = 0;
    this.sysctlIpForwardUpdatePriority = 1;
    this.sysctlIpNonlocalBind = 0;
    this.sysctlIcmpEchoIgnoreAll = 0;
    this.sysctlIcmpEchoIgnoreBroadcasts = 1;
    this.sysctlIcmpIgnoreBogusErrorResponses = 1;
    this.sysctlIcmpErrorsUseInboundIfaddr = 0;
    this.sysctlIcmpRatelimit = 1000;
    this.sysctlIcmpRatemask = 0x1818;
    this.sysctlIcmpMsgsPerSec = 1000;
    this.sysctlIcmpMsgsBurst = 50;
    this.sysctlMtuExpires = 600;
    this.sysctlMinPmtu = 552;
    this.sysctlMinAdvmss = 256;
    this.sysctlFwmarkReflect = 0;
    this.sysctlIgmpMaxMemberships = 20;
    this.sysctlIgmpMaxMsf = 10;
    this.sysctlIgmpQrv = 2;
    this.sysctlIgmpLlmReports = 1;
    this.sysctlFibMultipathHashPolicy = 0;
    this.sysctlFibMultipathUseNeigh = 0;
    this.sysctlRouteFlush = 0;
    this.devconfAll = new Ipv4Devconf();
    this.devconfDflt = new Ipv4Devconf();
    this.devconfDflt.acceptSourceRoute = 1;
    this.ifaddrHash = new Array<InIfaddr | null>(256).fill(null);
    this.fibLocal = new FibTable(RT_TABLE_LOCAL);
    this.fibMain = new FibTable(RT_TABLE_MAIN);
    this.fibDefault = new FibTable(RT_TABLE_DEFAULT);
    this.fibTables = new Map([this.fibLocal, this.fibMain, this.fibDefault].map((table) => [table.id, table]));
    this.fibRules = fibDefaultRules();
    this.fibHasCustomRules = false;
    this.fibMultipathSeed = randomU32(net.world.random);
    this.rtCache = rtCache;
    this.rtGenid = 1;
    this.arpTbl = arpTbl;
    this.inetProtos = inetProtosNew<InetProtocol>();
    this.inetOffloads = inetProtosNew<NetOffload>();
    this.rawOps = null;
    this.pingOps = null;
    this.xfrmOps = null;
    this.raChain = null;
    this.frags = new FragQueues(net);
    this.idents = new IpIdents(net);
    this.icmpLimits = new IcmpLimits();
    this.ipMib = new SnmpMib('Ip', ipMibNames);
    this.ipExtMib = new SnmpMib('IpExt', ipExtMibNames);
    this.icmpMib = new SnmpMib('Icmp', icmpMibNames);
    this.icmpMsgMib = new SnmpMib('IcmpMsg', icmpMsgMibNames);
    this.flow = new Flowi4();
    this.lookupFlow = new Flowi4();
    this.fibResult = new FibResult();
    this.checkResult = new FibResult();
  }
}
