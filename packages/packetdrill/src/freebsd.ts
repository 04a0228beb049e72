/*
 * What scripts that were written for FreeBSD say in its words: its sysctls as Linux's where Linux has the thing, its modules,
 * commands and options of sockets as nothing, with a note.
 * Read first: tcp(4) of FreeBSD; Documentation/networking/ip-sysctl.rst of Linux.
 */

/** A sysctl of Linux's, set. */
export type Setting = readonly [name: string, value: string];

type Translate = (value: number, word: string) => readonly Setting[];

const ipv4 = (name: string): Translate => (value) => [[`net.ipv4.${name}`, String(value)]];
const seconds = (name: string): Translate => (value) => [[`net.ipv4.${name}`, String(Math.max(1, Math.round(value / 1000)))]];
const flag = (name: string): Translate => (value) => [[`net.ipv4.${name}`, value === 0 ? '0' : '1']];

/** By what follows `net.inet.tcp.`; FreeBSD's times are milliseconds. */
const sysctls: Readonly<Record<string, Translate>> = {
  'sack.enable': flag('tcp_sack'),
  // 1: both extensions of RFC 1323; 2: the window's scale alone; 3: timestamps alone.
  rfc1323: (value) => [['net.ipv4.tcp_window_scaling', value === 1 || value === 2 ? '1' : '0'], ['net.ipv4.tcp_timestamps', value === 1 || value === 3 ? '1' : '0']],
  'ecn.enable': (value) => [['net.ipv4.tcp_ecn', String(Math.min(value, 2))]],
  'cc.algorithm': (_value, word) => [['net.ipv4.tcp_congestion_control', word === 'newreno' ? 'reno' : word]],
  keepidle: seconds('tcp_keepalive_time'),
  keepintvl: seconds('tcp_keepalive_intvl'),
  keepcnt: ipv4('tcp_keepalive_probes'),
  finwait2_timeout: seconds('tcp_fin_timeout'),
  path_mtu_discovery: (value) => [['net.ipv4.ip_no_pmtu_disc', value === 0 ? '1' : '0']],
  pmtud_blackhole_detection: flag('tcp_mtu_probing'),
  'fastopen.client_enable': (value) => (value === 0 ? [] : [['net.ipv4.tcp_fastopen', '3']]),
  'fastopen.server_enable': (value) => (value === 0 ? [] : [['net.ipv4.tcp_fastopen', '3']]),
  recvbuf_auto: flag('tcp_moderate_rcvbuf'),
  syncookies: flag('tcp_syncookies'),
  syncookies_only: (value) => (value === 0 ? [] : [['net.ipv4.tcp_syncookies', '2']]),
  'syncache.rexmtlimit': ipv4('tcp_synack_retries'),
  rexmit_min: (value) => [['net.ipv4.tcp_rto_min_us', String(value * 1000)]],
};

/** What is to be set on Linux where a script sets `name`; what is passed over leaves a note. */
export function linuxSettings(name: string, word: string, notes: string[]): readonly Setting[] {
  if (!/^(?:kern\.(?:timecounter|ipc|features|eventtimer|hz)|net\.inet6?|net\.isr|net\.bpf|net\.link|hw|security|vfs|debug|machdep)\b/.test(name)) return [[name, word]];
  const translate = name.startsWith('net.inet.tcp.') ? sysctls[name.slice('net.inet.tcp.'.length)] : undefined;
  if (translate === undefined) notes.push(`# sysctl ${name}=${word}: Linux has nothing of the kind; passed over`);
  return translate?.(Number(word), word) ?? [];
}

/** Commands that FreeBSD alone has: to run them does nothing here. */
export const FREEBSD_COMMANDS: ReadonlySet<string> = new Set(['kldload', 'kldunload', 'kldstat', 'ipfw', 'pfctl', 'sockstat', 'tcpdrop', 'procstat', 'siftr', 'tcpsso']);

/** Where FreeBSD's own options of sockets begin among `symbols`: Linux has other options under their numbers. */
export const FREEBSD_OPTIONS = 0x10000;

const options = [
  'TCP_LOG', 'TCP_LOGBUF', 'TCP_LOGID', 'TCP_LOGDUMP', 'TCP_LOGDUMPID', 'TCP_LOGID_CNT', 'TCP_LOG_TAG', 'TCP_LOG_LIMIT', 'TCP_FUNCTION_BLK', 'TCP_FUNCTION_ALIAS',
  'TCP_NOOPT', 'TCP_NOPUSH', 'TCP_DELACK', 'TCP_CCALGOOPT', 'TCP_KEEPINIT', 'TCP_MAXUNACKTIME', 'TCP_MAXPEAKRATE', 'TCP_PCAP_OUT', 'TCP_PCAP_IN', 'TCP_STATS',
  'TCP_REMOTE_UDP_ENCAPS_PORT', 'TCP_REUSPORT_LB_NUMA', 'TCP_TXTLS_ENABLE', 'TCP_RXTLS_ENABLE', 'TCP_IDLE_REDUCE', 'TCP_FAST_RSM_HACK', 'TCP_HDWR_RATE_CAP', 'TCP_DEFER_OPTIONS',
  'TCP_RACK_TLP_REDUCE', 'TCP_RACK_PACE_ALWAYS', 'TCP_RACK_PRR_SENDALOT', 'TCP_RACK_MIN_TO', 'TCP_RACK_EARLY_SEG', 'TCP_RACK_REORD_THRESH', 'TCP_RACK_REORD_FADE',
  'TCP_RACK_TLP_THRESH', 'TCP_RACK_PKT_DELAY', 'TCP_RACK_TLP_INC_VAR', 'TCP_RACK_TLP_USE', 'TCP_RACK_IDLE_REDUCE_HIGH', 'TCP_RACK_MIN_PACE', 'TCP_RACK_MIN_PACE_SEG',
  'TCP_RACK_PACE_MAX_SEG', 'TCP_RACK_FORCE_MSEG', 'TCP_RACK_DO_DETECTION', 'TCP_BBR_RACK_RTT_USE', 'TCP_BBR_STARTUP_LOSS_EXIT', 'TCP_USER_LOG', 'TCP_DATA_AFTER_CLOSE',
  'SO_SETFIB', 'SO_NOSIGPIPE', 'SO_NO_OFFLOAD', 'SO_NO_DDP', 'SO_REUSEPORT_LB', 'SO_LISTENQLIMIT', 'SO_LISTENQLEN', 'SO_LISTENINCQLEN', 'SO_USELOOPBACK', 'SO_TS_CLOCK',
  'SO_USER_COOKIE', 'SO_ACCEPTFILTER', 'IP_DONTFRAG',
];

/** FreeBSD's names of TCP's states, as numbers of Linux's. */
const states: Readonly<Record<string, number>> = {
  TCPS_CLOSED: 7, TCPS_LISTEN: 10, TCPS_SYN_SENT: 2, TCPS_SYN_RECEIVED: 3, TCPS_ESTABLISHED: 1, TCPS_CLOSE_WAIT: 8, TCPS_FIN_WAIT_1: 4, TCPS_CLOSING: 11,
  TCPS_LAST_ACK: 9, TCPS_FIN_WAIT_2: 5, TCPS_TIME_WAIT: 6,
};

/** Its options, which do nothing here; its flags, of which Linux has some under other names. */
export const freebsdSymbols: Readonly<Record<string, number>> = {
  ...Object.fromEntries(options.map((name, i) => [name, FREEBSD_OPTIONS + i])), ...states,
  TCP_LOG_STATE_OFF: 0, TCP_LOG_STATE_TAIL: 1, TCP_LOG_STATE_HEAD: 2, TCP_LOG_STATE_HEAD_AUTO: 3, TCP_LOG_STATE_CONTINUOUS: 4, TCP_LOG_STATE_TAIL_AUTO: 5,
  TCP_FASTOPEN_PSK_LEN: 16, MSG_EOF: 0, MSG_NBIO: 0x40, AF_INET6: 10, PF_INET: 2, PF_INET6: 10, FIONBIO: 0x5421, FIONWRITE: 0x5411, SIOCATMARK: 0x8905, SOMAXCONN: 4096,
};
