// Names and addresses
export { gethostbyaddr, gethostbyname, lookup, nssFilesGethostbyname } from './gethostbyname.ts';
export { HOST_NOT_FOUND, hstrerror, lookupException, NO_DATA, NO_RECOVERY, TRY_AGAIN, type Hostent, type LookupError } from './netdb.ts';

// The resolver
export { NAMESERVER_PORT, parseHosts, resNinit, resSetservers, ResState, type HostsFile, type ResolvConf } from './res-state.ts';
export { resNquery, resNsearch } from './res-query.ts';
export { resNsend, resUdpLimit } from './res-send.ts';

// Messages of DNS
export {
  BADVERS, C_IN, DnsMessage, DnsQuestion, DnsRecord, Edns, FORMERR, MxData, NOERROR, NOTIMP, NS_AA, NS_CD, NS_EDNSSZ, NS_HFIXEDSZ, NS_MAXMSG,
  NS_OPCODE, NS_PACKETSZ, NS_QR, NS_RA, NS_RCODE, NS_RD, NS_TC, NXDOMAIN, nsRcode, REFUSED, SERVFAIL, SoaData, SrvData, T_A, T_AAAA, T_ANY,
  T_AXFR, T_CNAME, T_HINFO, T_IXFR, T_MX, T_NS, T_OPT, T_PTR, T_SOA, T_SRV, T_TXT, type Rdata,
} from './nameser.ts';
export { nsBuild } from './ns-build.ts';
export { nsParse } from './ns-parse.ts';
export { nsCanonical, nsLower, nsNameLabels, nsNameText, nsReverseName, nsSameName } from './ns-name.ts';
