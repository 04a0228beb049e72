// What @stack/conntrack exports.

// Setting up, in this order; then installIpTables
export { installConntrack } from './nf-conntrack-install.ts';
export { installNat } from './nf-nat-install.ts';

// The connection of a packet
export { IPS_ASSURED, IPS_CONFIRMED, IPS_DST_NAT, IPS_SEEN_REPLY, IPS_SRC_NAT, NetnsCt, NfConn, nfCtGet } from './nf-conn.ts';
export type { NfConntrackL4proto, NfConntrackTupleHash } from './nf-conn.ts';
export {
  CTINFO2DIR, IP_CT_DIR_ORIGINAL, IP_CT_DIR_REPLY, IP_CT_ESTABLISHED, IP_CT_ESTABLISHED_REPLY, IP_CT_NEW, IP_CT_RELATED, IP_CT_RELATED_REPLY,
  IP_CT_UNTRACKED, NfConntrackTuple,
} from './nf-conntrack-tuple.ts';

// What is tracked, and what was counted
export { conntrackFlush, conntrackFormat, conntrackShow, conntrackStat } from './nf-conntrack-show.ts';
export type { ConntrackRow, ConntrackTuple } from './nf-conntrack-show.ts';

// The rule tables
export {
  installIpTables, iptAppend, iptDelete, iptDeleteChain, iptFlush, iptInsert, iptNewChain, iptPolicy, iptShow, iptZero,
} from './ip-tables.ts';
export type { IptChainShow, IptRuleShow } from './ip-tables.ts';
export type { IptCtState, IptRejectWith, IptRule, IptTableName, IptVerdict } from './ipt-rule.ts';

// NAT without rules: a lookup of one's own
export { NF_NAT_MANIP_DST, NF_NAT_MANIP_SRC, NF_NAT_RANGE_MAP_IPS, NF_NAT_RANGE_PROTO_SPECIFIED, NetnsNat, NfNatRange } from './nf-nat.ts';
export type { NfNatLookup } from './nf-nat.ts';
export { nfNatSetupInfo } from './nf-nat-core.ts';
