// Install
export { installIp } from './install.ts';
export { NetnsIpv4 } from './netns-ipv4.ts';

// What a user configures and sees
export { ipAddrAdd, ipAddrDel, parseIpv4Prefix } from './ip-addr.ts';
export type { IpAddrOptions } from './ip-addr.ts';
export { ipNeighAdd, ipNeighDel } from './ip-neigh.ts';
export type { IpNeighSpec } from './ip-neigh.ts';
export { ipRouteAdd, ipRouteDel } from './ip-route.ts';
export type { IpNexthopSpec, IpRouteSpec } from './ip-route.ts';
export { ipRuleAdd, ipRuleDel, ipRuleShow } from './ip-rule.ts';
export type { IpRuleSpec, RuleRow } from './ip-rule.ts';
export { ipAddrShow, ipRouteGet, ipRouteShow, neighShow } from './show.ts';
export type { AddrInfo, AddrRow, NexthopRow, RouteGetRow, RouteRow } from './show.ts';

// Transports: how IP calls them
export {
  INET_PROTO_ICMP_STRICT, INET_PROTO_NO_POLICY, inetAddOffload, inetAddPingOps, inetAddProtocol, inetAddRawOps, inetAddXfrmOps, inetDelOffload,
  inetDelPingOps, inetDelProtocol, inetDelRawOps, inetDelXfrmOps,
} from './protocol.ts';
export type { InetProtocol, NetOffload, PingOps, RawOps, XfrmOps } from './protocol.ts';

// Transports: sending
export {
  devLoopbackXmit, ipBuildAndSendPkt, ipFinishOutput, ipFinishOutput2, ipLocalOut, ipMcOutput, ipOutput, ipQueueXmit, ipSendUnicastReply,
  skDstCheck,
} from './ip-output.ts';
export { ipDontFragment, ipSelectTtl, ipSkUsePmtu } from './ip-sock.ts';
export { skDstSet, skSetupCaps } from './sk-route.ts';
export { ipIfnameToIndex } from './ifname.ts';
export {
  IpcmCookie, ipAppendData, ipFinishSkb, ipFlushPendingFrames, ipGenericGetfrag, ipMakeSkb, ipPushPendingFrames, ipSendSkb, ipcmInitSk,
} from './ip-append.ts';
export type { GetFrag } from './ip-append.ts';
export { __ipSelectIdent, ipSelectIdent, ipSelectIdentSegs } from './ip-ident.ts';

// Transports: errors and socket options
export { __ip4DatagramConnect, ip4DatagramConnect, ip4DatagramDisconnect } from './datagram.ts';
export { ipIcmpError, ipLocalError, ipRecvError } from './ip-recverr.ts';
export { icmpErrCode, icmpErrType } from './icmp.ts';
export { icmpErrConvert, icmpErrFatal } from './icmp-err.ts';
export { ipv4Redirect, ipv4SkRedirect, ipv4SkUpdatePmtu, ipv4UpdatePmtu } from './ip-pmtu.ts';
export { ipGetsockopt, ipSetsockopt, ipSockSetTos } from './ip-sockglue.ts';
export { ipCmsgRecv, ipCmsgSend, ipv4PktinfoPrepare } from './ip-cmsg.ts';
export { IpMcSocklist, ipMcDropSocket, ipMcJoinGroup, ipMcLeaveGroup, ipMcSfAllow } from './ip-mc-sock.ts';
export {
  IP_ADD_MEMBERSHIP, IP_ADD_SOURCE_MEMBERSHIP, IP_BIND_ADDRESS_NO_PORT, IP_BLOCK_SOURCE, IP_CMSG_ORIGDSTADDR, IP_CMSG_PKTINFO, IP_CMSG_RECVFRAGSIZE, IP_CMSG_RECVOPTS,
  IP_CMSG_RETOPTS, IP_CMSG_TOS, IP_CMSG_TTL, IP_DROP_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP, IP_MSFILTER, IP_FREEBIND, IP_HDRINCL, IP_LOCAL_PORT_RANGE, IP_MINTTL, IP_MTU,
  IP_MTU_DISCOVER, IP_MULTICAST_ALL, IP_MULTICAST_IF, IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IP_NODEFRAG, IP_OPTIONS, IP_PKTINFO,
  IP_PROTOCOL, IP_RECVERR, IP_RECVFRAGSIZE, IP_RECVOPTS, IP_RECVORIGDSTADDR, IP_RECVTOS, IP_RECVTTL, IP_RETOPTS, IP_ROUTER_ALERT, IP_TOS, IP_TRANSPARENT,
  IP_TTL, IP_UNBLOCK_SOURCE, IP_UNICAST_IF, InPktinfo, IpMreqSource, IpMreqn, IpMsfilter,
} from './ip-uapi.ts';

// Input and forwarding
export { ipLocalDeliver, ipLocalDeliverFinish, ipPacketType, ipRcv, ipRcvFinish } from './ip-input.ts';
export { ipForward, ipForwardFinish } from './ip-forward.ts';
export { IpRaChain, ipRaControl } from './ip-ra.ts';
export { ipDefrag } from './ip-fragment.ts';
export { IP_DEFRAG_CONNTRACK_IN, IP_DEFRAG_CONNTRACK_OUT, IP_DEFRAG_LOCAL_DELIVER } from './inet-fragment.ts';
export { ipcbFlags, ipcbFragMaxSize, ipcbIif, ipcbInit, ipcbOptlen, ipcbSetFlag } from './ip-cb.ts';
export { inetGroMergeable, inetGroSameFlow, inetGsoSegment } from './ip-offload.ts';
export {
  MAX_IPOPTLEN, ipOptionsCompile, IpOptions, IPOPT_END, IPOPT_LSRR, IPOPT_NOOP, IPOPT_RA, IPOPT_RR, IPOPT_SSRR, IPOPT_TIMESTAMP,
} from './ip-options.ts';
export { ipOptionsEcho } from './ip-options-path.ts';

// Routes
export { FLOWI_FLAG_ANYSRC, Flowi4, RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_NOWHERE, RT_SCOPE_SITE, RT_SCOPE_UNIVERSE, flowi4InitOutput } from './flow.ts';
export { RTCF_BROADCAST, RTCF_DOREDIRECT, RTCF_LOCAL, RTCF_MULTICAST, RouteCache, Rtable } from './rtable.ts';
export { ipMtuLocked, ipv4DstOps, skbRtable } from './route.ts';
export { ipRouteInput } from './route-input.ts';
export { ipRouteOutputFlow, ipRouteOutputKey } from './route-output.ts';
export { rtCacheFlush } from './rt-cache.ts';
export {
  FibAlias, FibInfo, FibNh, FibResult, FibTable, RTNH_F_DEAD, RTNH_F_LINKDOWN, RTNH_F_ONLINK, RTN_BLACKHOLE, RTN_BROADCAST, RTN_LOCAL,
  RTN_MULTICAST, RTN_PROHIBIT, RTN_THROW, RTN_UNICAST, RTN_UNREACHABLE, RTPROT_BOOT, RTPROT_DHCP, RTPROT_KERNEL, RTPROT_STATIC,
  RT_TABLE_DEFAULT, RT_TABLE_LOCAL, RT_TABLE_MAIN,
} from './fib.ts';
export { FR_ACT_BLACKHOLE, FR_ACT_PROHIBIT, FR_ACT_TO_TBL, FR_ACT_UNREACHABLE, FibRule, fibRuleAdd, fibRuleDel } from './fib-rules.ts';
export { fibLookup, inetAddrType, inetDevAddrType } from './fib-lookup.ts';
export { fibTableDump, fibTableFind, fibTableInsert, fibTableLookup, fibTableRemove } from './fib-trie.ts';
export { fibComputeSpecDst } from './fib-frontend.ts';

// Addresses
export { IFA_F_SECONDARY, InDevice, InIfaddr, Ipv4Devconf } from './inetdevice.ts';
export { inetAddrOnlink, inetConfirmAddr, inetLookupIfaddr, inetSelectAddr } from './ifaddr.ts';
export { inetDelIfa, inetInsertIfa } from './devinet.ts';
export { ipCheckMc, ipMcDecGroup, ipMcIncGroup } from './igmp.ts';
export { MCAST_EXCLUDE, MCAST_INCLUDE } from './igmp-group.ts';

// ARP
export { arpPacketType, arpRcv, arpTableOps } from './arp.ts';
export { arpAnnounce, arpCreate, arpSend } from './arp-send.ts';
export {
  ARPH_HLN, ARPH_HRD, ARPH_OP, ARPH_PLN, ARPH_PRO, ARPH_SHA, ARPOP_REPLY, ARPOP_REQUEST, NF_ARP_IN, NF_ARP_OUT, arpHdrLen, arphSip, arphTip,
} from './arp-header.ts';

// ICMP
export { icmpProtocol, icmpRcv } from './icmp.ts';
export { icmpOutCount, icmpSend } from './icmp-send.ts';
export {
  ICMPH_CHECKSUM, ICMPH_CODE, ICMPH_ID, ICMPH_SEQUENCE, ICMPH_TYPE, ICMP_DEST_UNREACH, ICMP_ECHO, ICMP_ECHOREPLY, ICMP_EXC_FRAGTIME, ICMP_EXC_TTL, ICMP_FRAG_NEEDED, ICMP_HDR_LEN, ICMP_HOST_UNREACH,
  ICMP_NET_UNREACH, ICMP_PARAMETERPROB, ICMP_PKT_FILTERED, ICMP_PORT_UNREACH, ICMP_PROT_UNREACH, ICMP_REDIRECT, ICMP_SOURCE_QUENCH,
  ICMP_SR_FAILED, ICMP_TIMESTAMP, ICMP_TIMESTAMPREPLY, ICMP_TIME_EXCEEDED, NR_ICMP_UNREACH,
} from './icmp-types.ts';

// The header
export {
  INET_ECN_CE, INET_ECN_ECT_0, INET_ECN_ECT_1, INET_ECN_MASK, INET_ECN_NOT_ECT, IPH_DADDR, IPH_FRAG_OFF, IPH_ID, IPH_PROTOCOL, IPH_SADDR,
  IPH_TOS, IPH_TOT_LEN, IPH_TTL, IPPROTO_ICMP, IPPROTO_IGMP, IPPROTO_RAW, IPPROTO_TCP, IPPROTO_UDP, IPTOS_RT_MASK, IPV4_MIN_MTU, IP_DF,
  IP_HDR_LEN, IP_MAX_HDR_LEN, IP_MAX_MTU, IP_MF, IP_OFFSET, ipHdrDaddr, ipHdrFragOff, ipHdrProtocol, ipHdrSaddr, ipHdrTos, ipHdrTotLen,
  ipHdrTtl, ipHdrlen, ipIsFragment, ipSendCheck,
} from './ip-header.ts';

// Counters
export {
  ICMP_MIB_INERRORS, ICMP_MIB_INMSGS, ICMP_MIB_OUTMSGS, ICMP_MIB_RATELIMITGLOBAL, ICMP_MIB_RATELIMITHOST, IPSTATS_MIB_INDELIVERS,
  IPSTATS_MIB_INDISCARDS, IPSTATS_MIB_INHDRERRORS, IPSTATS_MIB_INPKTS, IPSTATS_MIB_OUTDISCARDS, IPSTATS_MIB_OUTNOROUTES,
  IPSTATS_MIB_OUTREQUESTS,
} from './snmp-names.ts';
