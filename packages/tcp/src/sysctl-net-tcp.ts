/*
 * The sysctls net.ipv4.tcp_*: names and bounds as Linux has them; the fields are NetnsTcp's, with their defaults there.
 *
 * Order of calls: installTcp → tcpSysctlRows. Read first: ip-sysctl, TCP variables; tcp(7).
 */
import { EINVAL, ENOENT, ctlRow } from '@stack/kernel';
import type { CtlTable, CtlValue, Net } from '@stack/kernel';
import { tcpGetAvailableCongestionControl, tcpSetDefaultCongestionControl } from './tcp-cong.ts';
import { tcpFastopenFormatKeys, tcpFastopenParseKeys } from './tcp-fastopen.ts';
import type { NetnsTcp } from './netns-tcp.ts';

const INT_MAX = 0x7fffffff;

type Row = readonly [name: string, field: keyof NetnsTcp & string, min: number, max: number];

/** Integers. */
const intRows: readonly Row[] = [
  ['tcp_sack', 'sysctlTcpSack', 0, 255],
  ['tcp_dsack', 'sysctlTcpDsack', 0, 255],
  ['tcp_timestamps', 'sysctlTcpTimestamps', 0, 255],
  ['tcp_window_scaling', 'sysctlTcpWindowScaling', 0, 255],
  ['tcp_ecn', 'sysctlTcpEcn', 0, 2],
  ['tcp_ecn_fallback', 'sysctlTcpEcnFallback', 0, 1],
  ['tcp_adv_win_scale', 'sysctlTcpAdvWinScale', -31, 31],
  ['tcp_app_win', 'sysctlTcpAppWin', 0, 31],
  ['tcp_moderate_rcvbuf', 'sysctlTcpModerateRcvbuf', 0, 255],
  ['tcp_syn_retries', 'sysctlTcpSynRetries', 1, 127],
  ['tcp_syn_linear_timeouts', 'sysctlTcpSynLinearTimeouts', 0, 127],
  ['tcp_synack_retries', 'sysctlTcpSynackRetries', 0, 255],
  ['tcp_retries1', 'sysctlTcpRetries1', 0, 255],
  ['tcp_retries2', 'sysctlTcpRetries2', 0, 255],
  ['tcp_orphan_retries', 'sysctlTcpOrphanRetries', 0, 255],
  ['tcp_keepalive_probes', 'sysctlTcpKeepaliveProbes', 0, 255],
  ['tcp_syncookies', 'sysctlTcpSyncookies', 0, 2],
  ['tcp_tw_reuse', 'sysctlTcpTwReuse', 0, 2],
  ['tcp_tw_reuse_delay', 'sysctlTcpTwReuseDelay', 1, 60000],
  ['tcp_abort_on_overflow', 'sysctlTcpAbortOnOverflow', 0, 255],
  ['tcp_stdurg', 'sysctlTcpStdurg', 0, 255],
  ['tcp_rfc1337', 'sysctlTcpRfc1337', 0, 255],
  ['tcp_notsent_lowat', 'sysctlTcpNotsentLowat', 0, 0xffffffff],
  ['tcp_early_retrans', 'sysctlTcpEarlyRetrans', 0, 4],
  ['tcp_recovery', 'sysctlTcpRecovery', 0, 255],
  ['tcp_thin_linear_timeouts', 'sysctlTcpThinLinearTimeouts', 0, 255],
  ['tcp_slow_start_after_idle', 'sysctlTcpSlowStartAfterIdle', 0, 255],
  ['tcp_retrans_collapse', 'sysctlTcpRetransCollapse', 0, 255],
  ['tcp_reordering', 'sysctlTcpReordering', 0, INT_MAX],
  ['tcp_max_reordering', 'sysctlTcpMaxReordering', 0, INT_MAX],
  ['tcp_no_metrics_save', 'sysctlTcpNometricsSave', 0, 255],
  ['tcp_no_ssthresh_metrics_save', 'sysctlTcpNoSsthreshMetricsSave', 0, 1],
  ['tcp_frto', 'sysctlTcpFrto', 0, 255],
  ['tcp_cubic_hystart_detect', 'sysctlTcpCubicHystartDetect', 0, 7],
  ['tcp_limit_output_bytes', 'sysctlTcpLimitOutputBytes', 0, INT_MAX],
  ['tcp_challenge_ack_limit', 'sysctlTcpChallengeAckLimit', 0, INT_MAX],
  ['tcp_min_tso_segs', 'sysctlTcpMinTsoSegs', 1, 255],
  ['tcp_tso_win_divisor', 'sysctlTcpTsoWinDivisor', 0, 255],
  ['tcp_tso_rtt_log', 'sysctlTcpTsoRttLog', 0, 255],
  ['tcp_min_rtt_wlen', 'sysctlTcpMinRttWlen', 0, 86400],
  ['tcp_autocorking', 'sysctlTcpAutocorking', 0, 1],
  ['tcp_invalid_ratelimit', 'sysctlTcpInvalidRatelimit', 0, INT_MAX],
  ['tcp_pacing_ss_ratio', 'sysctlTcpPacingSsRatio', 0, 1000],
  ['tcp_pacing_ca_ratio', 'sysctlTcpPacingCaRatio', 0, 1000],
  ['tcp_comp_sack_delay_ns', 'sysctlTcpCompSackDelayNs', 0, INT_MAX],
  ['tcp_comp_sack_slack_ns', 'sysctlTcpCompSackSlackNs', 0, INT_MAX],
  ['tcp_comp_sack_nr', 'sysctlTcpCompSackNr', 0, 255],
  ['tcp_fastopen', 'sysctlTcpFastopen', 0, INT_MAX],
  ['tcp_workaround_signed_windows', 'sysctlTcpWorkaroundSignedWindows', 0, 255],
  ['tcp_shrink_window', 'sysctlTcpShrinkWindow', 0, 1],
  ['tcp_base_mss', 'sysctlTcpBaseMss', 0, INT_MAX],
  ['tcp_min_snd_mss', 'sysctlTcpMinSndMss', 48, 65535],
  ['tcp_mtu_probing', 'sysctlTcpMtuProbing', 0, 255],
  ['tcp_mtu_probe_floor', 'sysctlTcpMtuProbeFloor', 48, 65535],
  ['tcp_probe_threshold', 'sysctlTcpProbeThreshold', 0, INT_MAX],
  ['tcp_probe_interval', 'sysctlTcpProbeInterval', 0, INT_MAX],
  ['tcp_max_syn_backlog', 'sysctlTcpMaxSynBacklog', 0, INT_MAX],
  ['tcp_max_orphans', 'sysctlTcpMaxOrphans', 0, INT_MAX],
  ['tcp_reflect_tos', 'sysctlTcpReflectTos', 0, 1],
  ['tcp_migrate_req', 'sysctlTcpMigrateReq', 0, 1],
  ['tcp_backlog_ack_defer', 'sysctlTcpBacklogAckDefer', 0, 1],
  ['tcp_rto_min_us', 'sysctlTcpRtoMinUs', 1, INT_MAX],
  ['tcp_rto_max_ms', 'sysctlTcpRtoMaxMs', 1000, 120_000],
];

/** Seconds outside, jiffies inside. */
const jiffiesRows: readonly Row[] = [
  ['tcp_fin_timeout', 'sysctlTcpFinTimeout', 0, 2_000_000],
  ['tcp_keepalive_time', 'sysctlTcpKeepaliveTime', 0, 2_000_000],
  ['tcp_keepalive_intvl', 'sysctlTcpKeepaliveIntvl', 0, 2_000_000],
];

function writeFastopenKey(net: Net, value: CtlValue): number {
  const keys = typeof value === 'string' ? tcpFastopenParseKeys(value) : null;
  if (keys === null) return -EINVAL;
  net.tcp.fastopenKeys = keys;
  return 0;
}

/** A new timeout: what was seen before counts no more. */
function writeFastopenBlackhole(net: Net): number {
  net.tcp.tfoActiveDisableTimes = 0;
  return 0;
}

function writeCongestionControl(net: Net, value: CtlValue): number {
  if (typeof value !== 'string') return -EINVAL;
  return tcpSetDefaultCongestionControl(net, value) < 0 ? -ENOENT : 0;
}

/** Names of congestion controls, made when they are read. */
function tcpCongestionNames(tcp: NetnsTcp): { current: string; readonly available: string; fastopenKey: string } {
  return {
    get fastopenKey(): string {
      return tcpFastopenFormatKeys(tcp.net);
    },
    set fastopenKey(_keys: string) {
      // writeFastopenKey has already done it.
    },
    get current(): string {
      return tcp.congestionDefault.name;
    },
    set current(_name: string) {
      // writeCongestionControl has already done it.
    },
    get available(): string {
      return tcpGetAvailableCongestionControl(tcp.net);
    },
  };
}

/** All rows for a Net. */
export function tcpSysctlRows(tcp: NetnsTcp): CtlTable[] {
  const names = tcpCongestionNames(tcp);
  const rows: CtlTable[] = [];
  for (const [name, field, min, max] of intRows) rows.push(ctlRow(`net.ipv4.${name}`, tcp, field, 'int', { min, max }));
  for (const [name, field, min, max] of jiffiesRows) rows.push(ctlRow(`net.ipv4.${name}`, tcp, field, 'jiffies', { min, max }));
  rows.push(
    ctlRow('net.ipv4.tcp_mem', tcp.mem, 'sysctlMem', 'intvec', { min: 0 }),
    ctlRow('net.ipv4.tcp_rmem', tcp.mem, 'sysctlRmem', 'intvec', { min: 1 }),
    ctlRow('net.ipv4.tcp_wmem', tcp.mem, 'sysctlWmem', 'intvec', { min: 1 }),
    ctlRow('net.ipv4.tcp_max_tw_buckets', tcp.hashinfo, 'sysctlMaxTwBuckets', 'int', { min: 0 }),
    ctlRow('net.ipv4.tcp_congestion_control', names, 'current', 'string', { write: writeCongestionControl }),
    ctlRow('net.ipv4.tcp_fastopen_key', names, 'fastopenKey', 'string', { write: writeFastopenKey }),
    ctlRow('net.ipv4.tcp_fastopen_blackhole_timeout_sec', tcp, 'sysctlTcpFastopenBlackholeTimeout', 'int', { min: 0, max: INT_MAX, write: writeFastopenBlackhole }),
    ctlRow('net.ipv4.tcp_available_congestion_control', names, 'available', 'string', { readOnly: true }),
  );
  return rows;
}
