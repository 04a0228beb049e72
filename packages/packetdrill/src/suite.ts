/*
 * What Google's suite of scripts (gtests/net/tcp) is run with in IPv4 mode, besides the sysctls of its defaults.sh.
 */

/** What names in its scripts stand for: the Fast Open cookie of its key and addresses, the family's ICMP code and control messages. */
export const suiteDefines: ReadonlyMap<string, string> = new Map([
  ['TFO_COOKIE', '3021b9d889017eeb'],
  ['CODE', 'host_unreachable'],
  ['CMSG_LEVEL_IP', 'SOL_IP'],
  ['CMSG_TYPE_RECVERR', 'IP_RECVERR'],
]);
