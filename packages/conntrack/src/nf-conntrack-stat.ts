/*
 * What tracking counts, by the names of /proc/net/stat/nf_conntrack; in host.show.counters() with `NfConntrack` in front.
 */

/** A tuple was in the table. */
export const NF_CT_STAT_FOUND = 0;
/** A packet that no connection could take or begin. */
export const NF_CT_STAT_INVALID = 1;
/** A packet that had its connection already: of the loopback device, or an error of ours. */
export const NF_CT_STAT_IGNORE = 2;
export const NF_CT_STAT_INSERT = 3;
/** A connection whose tuple another had taken meanwhile. */
export const NF_CT_STAT_INSERT_FAILED = 4;
/** A packet dropped because the table was full, or its connection could not be. */
export const NF_CT_STAT_DROP = 5;
/** A connection ended to make room. */
export const NF_CT_STAT_EARLY_DROP = 6;
/** An ICMP error that could not be tracked. */
export const NF_CT_STAT_ICMP_ERROR = 7;
export const NF_CT_STAT_DELETE = 8;

export const nfConntrackStatNames: readonly string[] = [
  'Found', 'Invalid', 'Ignore', 'Insert', 'InsertFailed', 'Drop', 'EarlyDrop', 'IcmpError', 'Delete',
];
