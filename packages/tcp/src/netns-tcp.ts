/*
 * NetnsTcp: what TCP keeps per Net (net.tcp): sysctls with Linux's defaults (6.18), counters,
 * tables, memory account, congestion controls, secrets and rate limits.
 *
 * Fields hold the engine's units: times in jiffies where the sysctl shows seconds or
 * milliseconds is said there; the sysctl table is in sysctl-net-tcp.ts.
 * Order of calls: installTcp makes it; all else reads it. Read first: tcp(7), /proc interfaces; ip-sysctl, TCP variables.
 */
import { InetHashinfo } from '@stack/inet-sock';
import type { IcskTimerOps, InetTwskOps } from '@stack/inet-sock';
import { SnmpMib, siphashKeyInit, snmpAdd, snmpDec, snmpInc } from '@stack/kernel';
import type { Net, SiphashKey } from '@stack/kernel';
import { ProtoMem } from '@stack/socket';
import { TcpSacktagState } from './tcp-ack-state.ts';
import { tcpReno } from './tcp-cong.ts';
import type { TcpCongestionOps } from './tcp-cong.ts';
import type { TcpMetricsBlock } from './tcp-metrics.ts';
import { TcpFastopenCookie } from './tcp-fastopen-cookie.ts';
import { linuxMibNames, tcpMibNames } from './tcp-mib.ts';
import { TcpOutOptions } from './tcp-output-options.ts';
import type { TsqTasklet } from './tcp-output-tsq.ts';
import { TcpInitialWindow } from './tcp-output-window.ts';
import { TcpSockOpts } from './tcp-sock-opts.ts';
import { TcpOptionsReceived } from './tcp-sock.ts';

/** TCP in one Net. */
export class NetnsTcp {
  net: Net;
  hashinfo: InetHashinfo;
  tcpMib: SnmpMib;
  linuxMib: SnmpMib;
  /** tcp_mem (pages), tcp_rmem, tcp_wmem (bytes), and what is in use. */
  mem: ProtoMem;
  congestionOps: TcpCongestionOps[];
  congestionDefault: TcpCongestionOps;
  /** What the ACK being processed has said so far; one at a time in a Net. */
  sacktagState: TcpSacktagState;
  /** What earlier connections learnt of peers, by the carrier's key (net.ipv4.tcp_no_metrics_save). */
  metrics: Map<number, TcpMetricsBlock>;
  /** The options of socks that have none of their own. */
  defaultOpts: TcpSockOpts;
  /** Scratch for the options of a segment that has no full sock. */
  tmpOpt: TcpOptionsReceived;
  /** Scratch of the output side: options of a SYN, the initial window, the byte that URG points at. */
  outOptions: TcpOutOptions;
  /** The Fast Open option of the SYN that was read last. */
  fastopenCookie: TcpFastopenCookie;
  /** Keys of Fast Open cookies; null until one is needed or set. */
  fastopenKeys: SiphashKey[] | null;
  /** World time (ns) at which the last of the data that the recvmsg of now copies came; 0: nobody asked. */
  recvTstamp: number;
  /** Signs of a firewall that swallows SYNs with data: how many in a row, and when the last was (jiffies). */
  tfoActiveDisableTimes: number;
  tfoActiveDisableStamp: number;
  initialWindow: TcpInitialWindow;
  urgByte: Uint8Array;
  /** Socks that a finished transmission lets go on; made on use. */
  tsqTasklet: TsqTasklet | null;
  /** RFC 5961 §10: challenge ACKs left in this second, and the second (jiffies / HZ). */
  challengeCount: number;
  challengeTimestamp: number;
  /** Keys for initial sequence numbers, for timestamp offsets and for SYN cookies. */
  netSecret: SiphashKey;
  tsSecret: SiphashKey;
  syncookieSecret: SiphashKey;

  sysctlTcpSack: number;
  sysctlTcpDsack: number;
  sysctlTcpTimestamps: number;
  sysctlTcpWindowScaling: number;
  sysctlTcpEcn: number;
  sysctlTcpEcnFallback: number;
  sysctlTcpAdvWinScale: number;
  sysctlTcpAppWin: number;
  sysctlTcpModerateRcvbuf: number;
  sysctlTcpSynRetries: number;
  sysctlTcpSynLinearTimeouts: number;
  sysctlTcpSynackRetries: number;
  sysctlTcpRetries1: number;
  sysctlTcpRetries2: number;
  sysctlTcpOrphanRetries: number;
  /** Jiffies. */
  sysctlTcpFinTimeout: number;
  /** Jiffies. */
  sysctlTcpKeepaliveTime: number;
  sysctlTcpKeepaliveProbes: number;
  /** Jiffies. */
  sysctlTcpKeepaliveIntvl: number;
  sysctlTcpSyncookies: number;
  sysctlTcpTwReuse: number;
  /** Milliseconds. */
  sysctlTcpTwReuseDelay: number;
  sysctlTcpAbortOnOverflow: number;
  sysctlTcpStdurg: number;
  sysctlTcpRfc1337: number;
  sysctlTcpNotsentLowat: number;
  sysctlTcpEarlyRetrans: number;
  sysctlTcpRecovery: number;
  sysctlTcpThinLinearTimeouts: number;
  sysctlTcpSlowStartAfterIdle: number;
  sysctlTcpRetransCollapse: number;
  sysctlTcpReordering: number;
  sysctlTcpMaxReordering: number;
  sysctlTcpNometricsSave: number;
  sysctlTcpNoSsthreshMetricsSave: number;
  sysctlTcpFrto: number;
  /** HyStart's tests: 1 the train of ACKs, 2 the delay; 4 HyStart++ instead. */
  sysctlTcpCubicHystartDetect: number;
  sysctlTcpLimitOutputBytes: number;
  sysctlTcpChallengeAckLimit: number;
  sysctlTcpMinTsoSegs: number;
  sysctlTcpTsoWinDivisor: number;
  sysctlTcpTsoRttLog: number;
  /** Seconds. */
  sysctlTcpMinRttWlen: number;
  sysctlTcpAutocorking: number;
  /** Jiffies. */
  sysctlTcpInvalidRatelimit: number;
  sysctlTcpPacingSsRatio: number;
  sysctlTcpPacingCaRatio: number;
  sysctlTcpCompSackDelayNs: number;
  sysctlTcpCompSackSlackNs: number;
  sysctlTcpCompSackNr: number;
  sysctlTcpFastopen: number;
  sysctlTcpFastopenBlackholeTimeout: number;
  sysctlTcpWorkaroundSignedWindows: number;
  sysctlTcpShrinkWindow: number;
  sysctlTcpBaseMss: number;
  sysctlTcpMinSndMss: number;
  sysctlTcpMtuProbing: number;
  sysctlTcpMtuProbeFloor: number;
  sysctlTcpProbeThreshold: number;
  sysctlTcpProbeInterval: number;
  sysctlTcpMaxSynBacklog: number;
  sysctlTcpMaxOrphans: number;
  sysctlTcpReflectTos: number;
  sysctlTcpMigrateReq: number;
  sysctlTcpBacklogAckDefer: number;
  /** Microseconds. */
  sysctlTcpRtoMinUs: number;
  /** Milliseconds. */
  sysctlTcpRtoMaxMs: number;

  constructor(net: Net, twskOps: InetTwskOps, timerOps: IcskTimerOps) {
    this.net = net;
    this.hashinfo = new InetHashinfo(twskOps, timerOps);
    this.tcpMib = new SnmpMib('Tcp', tcpMibNames);
    this.linuxMib = new SnmpMib('TcpExt', linuxMibNames);
    this.mem = new ProtoMem(
      Int32Array.of(98304, 131072, 196608),
      Int32Array.of(4096, 131072, 33554432),
      Int32Array.of(4096, 16384, 4194304),
    );
    this.congestionOps = [tcpReno];
    this.congestionDefault = tcpReno;
    this.sacktagState = new TcpSacktagState();
    this.metrics = new Map();
    this.defaultOpts = new TcpSockOpts();
    this.defaultOpts.shared = true;
    this.tmpOpt = new TcpOptionsReceived();
    this.outOptions = new TcpOutOptions();
    this.fastopenCookie = new TcpFastopenCookie();
    this.fastopenKeys = null;
    this.recvTstamp = -0;
    this.tfoActiveDisableTimes = 0;
    this.tfoActiveDisableStamp = 0;
    this.initialWindow = new TcpInitialWindow();
    this.urgByte = new Uint8Array(1);
    this.tsqTasklet = null;
    this.challengeCount = 0;
    this.challengeTimestamp = 0;
    this.netSecret = siphashKeyInit(net.world);
    this.tsSecret = siphashKeyInit(net.world);
    this.syncookieSecret = siphashKeyInit(net.world);
    this.sysctlTcpSack = 1;
    this.sysctlTcpDsack = 1;
    this.sysctlTcpTimestamps = 1;
    this.sysctlTcpWindowScaling = 1;
    this.sysctlTcpEcn = 2;
    this.sysctlTcpEcnFallback = 1;
    this.sysctlTcpAdvWinScale = 1;
    this.sysctlTcpAppWin = 31;
    this.sysctlTcpModerateRcvbuf = 1;
    this.sysctlTcpSynRetries = 6;
    this.sysctlTcpSynLinearTimeouts = 4;
    this.sysctlTcpSynackRetries = 5;
    this.sysctlTcpRetries1 = 3;
    this.sysctlTcpRetries2 = 15;
    this.sysctlTcpOrphanRetries = 0;
    this.sysctlTcpFinTimeout = 60_000;
    this.sysctlTcpKeepaliveTime = 7_200_000;
    this.sysctlTcpKeepaliveProbes = 9;
    this.sysctlTcpKeepaliveIntvl = 75_000;
    this.sysctlTcpSyncookies = 1;
    this.sysctlTcpTwReuse = 2;
    this.sysctlTcpTwReuseDelay = 1000;
    this.sysctlTcpAbortOnOverflow = 0;
    this.sysctlTcpStdurg = 0;
    this.sysctlTcpRfc1337 = 0;
    this.sysctlTcpNotsentLowat = 0xffffffff;
    this.sysctlTcpEarlyRetrans = 3;
    this.sysctlTcpRecovery = 1;
    this.sysctlTcpThinLinearTimeouts = 0;
    this.sysctlTcpSlowStartAfterIdle = 1;
    this.sysctlTcpRetransCollapse = 1;
    this.sysctlTcpReordering = 3;
    this.sysctlTcpMaxReordering = 300;
    this.sysctlTcpNometricsSave = 0;
    this.sysctlTcpNoSsthreshMetricsSave = 1;
    this.sysctlTcpFrto = 2;
    this.sysctlTcpCubicHystartDetect = 3;
    this.sysctlTcpLimitOutputBytes = 4 << 20;
    this.sysctlTcpChallengeAckLimit = 0x7fffffff;
    this.sysctlTcpMinTsoSegs = 2;
    this.sysctlTcpTsoWinDivisor = 3;
    this.sysctlTcpTsoRttLog = 9;
    this.sysctlTcpMinRttWlen = 300;
    this.sysctlTcpAutocorking = 1;
    this.sysctlTcpInvalidRatelimit = 500;
    this.sysctlTcpPacingSsRatio = 200;
    this.sysctlTcpPacingCaRatio = 120;
    this.sysctlTcpCompSackDelayNs = 1_000_000;
    this.sysctlTcpCompSackSlackNs = 100_000;
    this.sysctlTcpCompSackNr = 44;
    this.sysctlTcpFastopen = 1;
    this.sysctlTcpFastopenBlackholeTimeout = 0;
    this.sysctlTcpWorkaroundSignedWindows = 0;
    this.sysctlTcpShrinkWindow = 0;
    this.sysctlTcpBaseMss = 1024;
    this.sysctlTcpMinSndMss = 48;
    this.sysctlTcpMtuProbing = 0;
    this.sysctlTcpMtuProbeFloor = 48;
    this.sysctlTcpProbeThreshold = 8;
    this.sysctlTcpProbeInterval = 600;
    this.sysctlTcpMaxSynBacklog = 4096;
    this.sysctlTcpMaxOrphans = 262144;
    this.sysctlTcpReflectTos = 0;
    this.sysctlTcpMigrateReq = 0;
    this.sysctlTcpBacklogAckDefer = 1;
    this.sysctlTcpRtoMinUs = 200_000;
    this.sysctlTcpRtoMaxMs = 120_000;
  }
}

declare module '@stack/kernel' {
  interface NetLinks {
    tcp: NetnsTcp;
  }
}

/** Adds one to a counter of the Tcp group (TCP_MIB_*). */
export function tcpIncStats(net: Net, field: number): void {
  snmpInc(net.tcp.tcpMib, field);
}

/** Takes one from a gauge of the Tcp group (TCP_MIB_CURRESTAB). */
export function tcpDecStats(net: Net, field: number): void {
  snmpDec(net.tcp.tcpMib, field);
}

/** Adds n to a counter of the Tcp group. */
export function tcpAddStats(net: Net, field: number, n: number): void {
  snmpAdd(net.tcp.tcpMib, field, n);
}

/** Adds one to a counter of the TcpExt group (LINUX_MIB_*). */
export function netIncStats(net: Net, field: number): void {
  snmpInc(net.tcp.linuxMib, field);
}

/** Adds n to a counter of the TcpExt group. */
export function netAddStats(net: Net, field: number, n: number): void {
  snmpAdd(net.tcp.linuxMib, field, n);
}
