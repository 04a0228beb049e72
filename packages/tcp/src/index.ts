// The engine of a Net
export { installTcp } from './install.ts';
export { NetnsTcp } from './netns-tcp.ts';
export { tcpMetricsFlush } from './tcp-metrics.ts';
export { tcpDiag } from './tcp-diag.ts';
export type { TcpDiagRow, TcpDiagTimer } from './tcp-diag.ts';

// Structs
export { TcpOptionsReceived, TcpSock, tcpSk } from './tcp-sock.ts';
export { TcpSockRare } from './tcp-sock-rare.ts';
export {
  TCP_SYNACK_COOKIE, TCP_SYNACK_FASTOPEN, TCP_SYNACK_NORMAL, TcpRequestSock, TcpTimewaitSock, tcpRsk, tcpTwsk,
} from './tcp-request-sock.ts';
export type { TcpRequestSockOps } from './tcp-request-sock.ts';

// Options, and what they tell
export {
  TCP_CC_INFO, TCP_CM_INQ, TCP_CONGESTION, TCP_CORK, TCP_DEFER_ACCEPT, TCP_DELACK_MAX_US, TCP_FASTOPEN, TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_KEY,
  TCP_FASTOPEN_NO_COOKIE, TCP_INFO, TCP_INQ, TCP_KEEPCNT, TCP_KEEPIDLE,
  TCP_KEEPINTVL, TCP_LINGER2, TCP_MAXSEG, TCP_MD5SIG, TCP_MD5SIG_EXT, TCP_MD5SIG_FLAG_IFINDEX, TCP_MD5SIG_FLAG_PREFIX, TCP_MD5SIG_MAXKEYLEN,
  TCP_NODELAY, TCP_NOTSENT_LOWAT, TCP_QUICKACK, TCP_RTO_MAX_MS, TCP_RTO_MIN_US, TCP_SAVED_SYN,
  TCP_SAVE_SYN, TCP_SYNCNT, TCP_THIN_LINEAR_TIMEOUTS, TCP_USER_TIMEOUT, TCP_WINDOW_CLAMP,
  TcpMd5sig,
} from './tcp-uapi.ts';
export {
  TCPI_OPT_ECN, TCPI_OPT_ECN_SEEN, TCPI_OPT_SACK, TCPI_OPT_SYN_DATA, TCPI_OPT_TFO_CHILD, TCPI_OPT_TIMESTAMPS, TCPI_OPT_WSCALE, tcpGetInfo,
} from './tcp-info.ts';
export type { TcpInfo, TcpInfoCounters } from './tcp-info.ts';
export {
  TCP_NLA_BUSY, TCP_NLA_BYTES_NOTSENT, TCP_NLA_BYTES_RETRANS, TCP_NLA_BYTES_SENT, TCP_NLA_CA_STATE, TCP_NLA_DATA_SEGS_OUT, TCP_NLA_DELIVERED,
  TCP_NLA_DELIVERED_CE, TCP_NLA_DELIVERY_RATE, TCP_NLA_DELIVERY_RATE_APP_LMT, TCP_NLA_DSACK_DUPS, TCP_NLA_MIN_RTT, TCP_NLA_PACING_RATE,
  TCP_NLA_RECUR_RETRANS, TCP_NLA_REORDERING, TCP_NLA_REORD_SEEN, TCP_NLA_RWND_LIMITED, TCP_NLA_SNDBUF_LIMITED, TCP_NLA_SNDQ_SIZE, TCP_NLA_SND_CWND,
  TCP_NLA_SND_SSTHRESH, TCP_NLA_SRTT, TCP_NLA_TOTAL_RETRANS, tcpOptStatsRead,
} from './tcp-opt-stats.ts';

// Congestion control
export {
  CA_ACK_ECE, CA_ACK_SLOWPATH, CA_ACK_WIN_UPDATE, CA_EVENT_COMPLETE_CWR, CA_EVENT_CWND_RESTART, CA_EVENT_ECN_IS_CE, CA_EVENT_ECN_NO_CE,
  CA_EVENT_LOSS, CA_EVENT_TX_START, TCP_CA_NAME_MAX, TCP_CONG_NEEDS_ECN, TCP_CONG_NON_RESTRICTED, TCP_INFINITE_SSTHRESH, tcpCaFind,
  tcpCongAvoidAi, tcpGetAvailableCongestionControl, tcpInSlowStart, tcpIsCwndLimited, tcpRegisterCongestionControl, tcpReno,
  tcpRenoCongAvoid, tcpRenoSsthresh, tcpRenoUndoCwnd, tcpSetDefaultCongestionControl, tcpSlowStart, tcpUnregisterCongestionControl,
} from './tcp-cong.ts';
export type { TcpCongestionOps } from './tcp-cong.ts';
export { cubictcp } from './tcp-cubic.ts';
export { tcpBbr, type TcpBbrInfo } from './tcp-bbr.ts';
export { TCP_CA_CWR, TCP_CA_Disorder, TCP_CA_Loss, TCP_CA_Open, TCP_CA_Recovery } from './tcp-sock.ts';
export { AckSample, RateSample } from './tcp-ack-state.ts';

// For another carrier: what its Proto is made of
export { tcpClose, tcpShutdown } from './tcp-close.ts';
export { tcpDestroySock, tcpDisconnect, tcpDone, tcpDoneWithError, tcpEnterMemoryPressure, tcpInitSock, tcpLeaveMemoryPressure, tcpSetState } from './tcp.ts';
export { tcpGetsockopt, tcpSetsockopt } from './tcp-sockopt.ts';
export { tcpIoctl, tcpPoll, tcpSetRcvlowat } from './tcp-poll.ts';
export { tcpRecvmsg } from './tcp-recvmsg.ts';
export { tcpReleaseCb } from './tcp-output-tsq.ts';
export { tcpSendmsg } from './tcp-sendmsg.ts';
export { tcpSetKeepalive } from './tcp-keepalive.ts';
export { tcpStreamMemoryFree } from './tcp-space.ts';

// For another carrier: what its af_specific calls
export { tcpDoRcv, tcpFillCb, tcpRcvDemux } from './tcp-rcv.ts';
export { tcpConnRequest } from './tcp-input-conn.ts';
export { tcpConnect } from './tcp-output-connect.ts';
export { tcpInitializeRcvMss } from './tcp-input-rcvbuf.ts';
export { tcpDstAdvmss, tcpMssClamp, tcpPathMtu, tcpSyncMss } from './tcp-output-mss.ts';
export { tcpMakeSynack, tcpRtxSynack } from './tcp-output-synack.ts';
export { tcpCreateOpenreqChild, tcpForgetChild, tcpHashChild } from './tcp-minisocks.ts';
export { tcpSimpleRetransmit } from './tcp-input-recovery.ts';
export { secureTcpSeq, secureTcpTsOff } from './secure-seq.ts';
export { cookieInitSequence, tcpCookieCheck } from './syncookies.ts';

// The header and the control block
export {
  TCPHDR_ACK, TCPHDR_CWR, TCPHDR_ECE, TCPHDR_FIN, TCPHDR_PSH, TCPHDR_RST, TCPHDR_SYN, TCPHDR_URG, after, before, between, tcbAckSeq,
  tcbEndSeq, tcbSeq, tcbTcpFlags,
} from './tcp-skb-cb.ts';
export { TCP_HDR_LEN, thAckSeq, thDest, thFlags, thHdrLen, thSeq, thSource, thWindow } from './tcp-hdr.ts';
