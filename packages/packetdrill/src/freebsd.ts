/*
 * What scripts that were written for FreeBSD say in its words: its sysctls as Linux's where Linux has the thing, its modules and
 * its options of sockets as nothing, with a note.
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
  syncookies: flag('tcp_syncookies'),
  syncookies_only: (value) => (value === 0 ? [] : [['net.ipv4.tcp_syncookies', '2']]),
  'syncache.rexmtlimit': ipv4('tcp_synack_retries'),
  rexmit_min: (value) => [['net.ipv4.tcp_rto_min_us', String(value * 1000)]],
};

/** What is to be set on Linux where a script sets `name`; what is passed over leaves a note. */
export function linuxSettings(name: string, word: string, notes: string[]): readonly Setting[] {
  if (!/^(?:kern|net\.inet6?|net\.isr|hw|security)\./.test(name)) return [[name, word]];
  const translate = name.startsWith('net.inet.tcp.') ? sysctls[name.slice('net.inet.tcp.'.length)] : undefined;
  if (translate === undefined) notes.push(`# sysctl ${name}=${word}: Linux has nothing of the kind; passed over`);
  return translate?.(Number(word), word) ?? [];
}

/** Where FreeBSD's own options of TCP begin among `symbols`: Linux has other options under their numbers. */
export const FREEBSD_OPTIONS = 0x10000;

/** Which stack of FreeBSD's, and its log: to set them does nothing here. */
export const freebsdSymbols: Readonly<Record<string, number>> = {
  TCP_LOG: FREEBSD_OPTIONS + 34, TCP_LOGBUF: FREEBSD_OPTIONS + 35, TCP_LOGID: FREEBSD_OPTIONS + 36, TCP_LOGDUMP: FREEBSD_OPTIONS + 37,
  TCP_LOGDUMPID: FREEBSD_OPTIONS + 38, TCP_LOGID_CNT: FREEBSD_OPTIONS + 46, TCP_LOG_TAG: FREEBSD_OPTIONS + 47, TCP_FUNCTION_BLK: FREEBSD_OPTIONS + 8192,
  TCP_LOG_STATE_OFF: 0, TCP_LOG_STATE_TAIL: 1, TCP_LOG_STATE_HEAD: 2, TCP_LOG_STATE_HEAD_AUTO: 3, TCP_LOG_STATE_CONTINUOUS: 4, TCP_LOG_STATE_TAIL_AUTO: 5,
};
