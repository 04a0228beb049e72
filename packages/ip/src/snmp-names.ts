/*
 * The counters of IP and ICMP: index constants and names, as /proc/net/snmp and /proc/net/netstat
 * have them (RFC 4293, RFC 2011). The full name is the group's prefix and the name: `IpInReceives`.
 */

/* Group Ip. */
export const IPSTATS_MIB_FORWARDING = 0;
export const IPSTATS_MIB_DEFAULTTTL = 1;
export const IPSTATS_MIB_INPKTS = 2;
export const IPSTATS_MIB_INHDRERRORS = 3;
export const IPSTATS_MIB_INADDRERRORS = 4;
export const IPSTATS_MIB_OUTFORWDATAGRAMS = 5;
export const IPSTATS_MIB_INUNKNOWNPROTOS = 6;
export const IPSTATS_MIB_INDISCARDS = 7;
export const IPSTATS_MIB_INDELIVERS = 8;
export const IPSTATS_MIB_OUTREQUESTS = 9;
export const IPSTATS_MIB_OUTDISCARDS = 10;
export const IPSTATS_MIB_OUTNOROUTES = 11;
export const IPSTATS_MIB_REASMTIMEOUT = 12;
export const IPSTATS_MIB_REASMREQDS = 13;
export const IPSTATS_MIB_REASMOKS = 14;
export const IPSTATS_MIB_REASMFAILS = 15;
export const IPSTATS_MIB_FRAGOKS = 16;
export const IPSTATS_MIB_FRAGFAILS = 17;
export const IPSTATS_MIB_FRAGCREATES = 18;
export const IPSTATS_MIB_OUTPKTS = 19;

export const ipMibNames: readonly string[] = [
  'Forwarding', 'DefaultTTL', 'InReceives', 'InHdrErrors', 'InAddrErrors', 'ForwDatagrams', 'InUnknownProtos', 'InDiscards',
  'InDelivers', 'OutRequests', 'OutDiscards', 'OutNoRoutes', 'ReasmTimeout', 'ReasmReqds', 'ReasmOKs', 'ReasmFails',
  'FragOKs', 'FragFails', 'FragCreates', 'OutTransmits',
];

/* Group IpExt. */
export const IPSTATS_MIB_INNOROUTES = 0;
export const IPSTATS_MIB_INTRUNCATEDPKTS = 1;
export const IPSTATS_MIB_INMCASTPKTS = 2;
export const IPSTATS_MIB_OUTMCASTPKTS = 3;
export const IPSTATS_MIB_INBCASTPKTS = 4;
export const IPSTATS_MIB_OUTBCASTPKTS = 5;
export const IPSTATS_MIB_INOCTETS = 6;
export const IPSTATS_MIB_OUTOCTETS = 7;
export const IPSTATS_MIB_INMCASTOCTETS = 8;
export const IPSTATS_MIB_OUTMCASTOCTETS = 9;
export const IPSTATS_MIB_INBCASTOCTETS = 10;
export const IPSTATS_MIB_OUTBCASTOCTETS = 11;
export const IPSTATS_MIB_CSUMERRORS = 12;
/** InNoECTPkts; those of ECT(1), ECT(0) and CE follow in the order of the field's value. */
export const IPSTATS_MIB_NOECTPKTS = 13;
export const IPSTATS_MIB_REASM_OVERLAPS = 17;

export const ipExtMibNames: readonly string[] = [
  'InNoRoutes', 'InTruncatedPkts', 'InMcastPkts', 'OutMcastPkts', 'InBcastPkts', 'OutBcastPkts', 'InOctets', 'OutOctets',
  'InMcastOctets', 'OutMcastOctets', 'InBcastOctets', 'OutBcastOctets', 'InCsumErrors', 'InNoECTPkts', 'InECT1Pkts',
  'InECT0Pkts', 'InCEPkts', 'ReasmOverlaps',
];

/* Group Icmp. */
export const ICMP_MIB_INMSGS = 0;
export const ICMP_MIB_INERRORS = 1;
export const ICMP_MIB_CSUMERRORS = 2;
export const ICMP_MIB_INDESTUNREACHS = 3;
export const ICMP_MIB_INTIMEEXCDS = 4;
export const ICMP_MIB_INPARMPROBS = 5;
export const ICMP_MIB_INSRCQUENCHS = 6;
export const ICMP_MIB_INREDIRECTS = 7;
export const ICMP_MIB_INECHOS = 8;
export const ICMP_MIB_INECHOREPS = 9;
export const ICMP_MIB_INTIMESTAMPS = 10;
export const ICMP_MIB_INTIMESTAMPREPS = 11;
export const ICMP_MIB_INADDRMASKS = 12;
export const ICMP_MIB_INADDRMASKREPS = 13;
export const ICMP_MIB_OUTMSGS = 14;
export const ICMP_MIB_OUTERRORS = 15;
export const ICMP_MIB_RATELIMITGLOBAL = 16;
export const ICMP_MIB_RATELIMITHOST = 17;
export const ICMP_MIB_OUTDESTUNREACHS = 18;
export const ICMP_MIB_OUTTIMEEXCDS = 19;
export const ICMP_MIB_OUTPARMPROBS = 20;
export const ICMP_MIB_OUTSRCQUENCHS = 21;
export const ICMP_MIB_OUTREDIRECTS = 22;
export const ICMP_MIB_OUTECHOS = 23;
export const ICMP_MIB_OUTECHOREPS = 24;
export const ICMP_MIB_OUTTIMESTAMPS = 25;
export const ICMP_MIB_OUTTIMESTAMPREPS = 26;
export const ICMP_MIB_OUTADDRMASKS = 27;
export const ICMP_MIB_OUTADDRMASKREPS = 28;

export const icmpMibNames: readonly string[] = [
  'InMsgs', 'InErrors', 'InCsumErrors', 'InDestUnreachs', 'InTimeExcds', 'InParmProbs', 'InSrcQuenchs', 'InRedirects',
  'InEchos', 'InEchoReps', 'InTimestamps', 'InTimestampReps', 'InAddrMasks', 'InAddrMaskReps', 'OutMsgs', 'OutErrors',
  'OutRateLimitGlobal', 'OutRateLimitHost', 'OutDestUnreachs', 'OutTimeExcds', 'OutParmProbs', 'OutSrcQuenchs',
  'OutRedirects', 'OutEchos', 'OutEchoReps', 'OutTimestamps', 'OutTimestampReps', 'OutAddrMasks', 'OutAddrMaskReps',
];

/** Group IcmpMsg: one counter per type received (0–255) and sent (256–511). */
export const icmpMsgMibNames: readonly string[] = Array.from(
  { length: 512 }, (_unused, i) => (i < 256 ? `InType${i}` : `OutType${i - 256}`),
);
