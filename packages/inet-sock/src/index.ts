// Structs
export { InetCork, InetSock } from './inet-sock.ts';
export type { SockCommon } from './inet-sock.ts';
export { IcskMtup, InetConnectionSock, inetCsk } from './inet-connection-sock.ts';
export type { InetConnectionSockAfOps } from './inet-connection-sock.ts';
export { InetBindBucket } from './inet-bind-bucket.ts';
export { RequestSock, RequestSockQueue } from './request-sock.ts';
export type { RequestSockOps } from './request-sock.ts';
export { InetTimewaitSock } from './inet-timewait-sock.ts';
export { InetHashinfo } from './inet-hashinfo.ts';
export type { IcskTimerOps, InetTwskOps } from './inet-hashinfo.ts';
export { NetnsInetSock, installInetSock } from './inet-port-range.ts';

// InetSock: flags
export {
  INET_FLAGS_BIND_ADDRESS_NO_PORT, INET_FLAGS_DEFER_CONNECT, INET_FLAGS_FREEBIND, INET_FLAGS_HDRINCL, INET_FLAGS_IS_ICSK,
  INET_FLAGS_MC_ALL, INET_FLAGS_MC_LOOP, INET_FLAGS_NODEFRAG, INET_FLAGS_RECVERR, INET_FLAGS_RECVERR_RFC4884,
  INET_FLAGS_TRANSPARENT, IP_PMTUDISC_DO, IP_PMTUDISC_DONT, IP_PMTUDISC_INTERFACE, IP_PMTUDISC_OMIT, IP_PMTUDISC_PROBE,
  IP_PMTUDISC_WANT, SK_IN_EHASH, SK_IN_LHASH, SK_UNHASHED, inetAssignBit, inetTestBit,
} from './inet-sock.ts';

// Timers and delayed ACKs of a connection
export {
  ICSK_ACK_NOMEM, ICSK_ACK_NOW, ICSK_ACK_PUSHED, ICSK_ACK_PUSHED2, ICSK_ACK_SCHED, ICSK_ACK_TIMER, ICSK_TIME_DACK,
  ICSK_TIME_LOSS_PROBE, ICSK_TIME_PROBE0, ICSK_TIME_REO_TIMEOUT, ICSK_TIME_RETRANS,
} from './inet-connection-sock.ts';
export {
  TCP_PINGPONG_THRESH, inetCskAckScheduled, inetCskArmDelack, inetCskArmRetransmit, inetCskClearXmitTimer, inetCskClearXmitTimers, inetCskDelackInit,
  inetCskDeleteKeepaliveTimer, inetCskEnterPingpongMode, inetCskExitPingpongMode, inetCskInPingpongMode,
  inetCskIncPingpongCnt, inetCskResetKeepaliveTimer, inetCskResetXmitTimer, inetCskRtoBackoff,
  inetCskScheduleAck,
} from './inet-csk-timer.ts';

// Listeners: requests, accept queue
export {
  reqskQueueAdded, reqskQueueEmpty, reqskQueueLen, reqskQueueLenYoung, reqskQueueRemoved,
} from './request-sock.ts';
export {
  REQSK_TIMEOUT_MAX, inetCskReqskQueueDrop, inetCskReqskQueueDropAll, inetCskReqskQueueHashAdd, inetCskReqskQueueIsFull,
  inetCskReqskQueueLen, inetCskReqskQueueRemoved, inetCskReqskQueueUnlink, inetRtxSynAck, reqskFree, reqskTimeout,
} from './inet-csk-reqsk.ts';
export {
  inetCskAccept, inetCskAcceptQueue, inetCskListenStart, inetCskListenStop, inetCskReqskQueueAdd, reqskQueueRemove,
  skAcceptqIsFull,
} from './inet-csk-listen.ts';
export { inetCskCloneLock } from './inet-csk-clone.ts';
export { inetCskDestroySock, inetCskPrepareForcedClose } from './inet-csk-destroy.ts';

// Time-wait
export {
  inetTwskAllowed, inetTwskBindUnhash, inetTwskDeschedulePut, inetTwskHashdance, inetTwskInit, inetTwskKill, inetTwskPurge,
  inetTwskReschedule, inetTwskSchedule,
} from './inet-timewait.ts';

// Tables
export {
  __inetInheritPort, inetBindBucketCreate, inetBindBucketDestroy, inetBindBucketFind, inetBindHash, inetEhashAdd,
  inetEhashDel, inetEhashInsert, inetEhashNolisten, inetHash, inetHashinfoInit, inetPutPort, inetUnhash, skHashed, skUnhashed,
} from './inet-hashtables.ts';
export {
  __inetLookup, __inetLookupEstablished, __inetLookupListener, inetCopyKey, inetEhashfn, inetRcvSaddrConflict, inetSkMatch,
  jhash3words, nextPseudoRandom32, reciprocalScale,
} from './inet-lookup.ts';

// Ports
export { inetCskGetPort, inetPortInUse } from './inet-csk-port.ts';
export { inetHashConnect } from './inet-hash-connect.ts';
export { inetIsLocalReservedPort, inetSkGetLocalPortRange } from './inet-port-range.ts';

// States
export {
  TCPF_CLOSE, TCPF_CLOSE_WAIT, TCPF_CLOSING, TCPF_ESTABLISHED, TCPF_FIN_WAIT1, TCPF_FIN_WAIT2, TCPF_LAST_ACK, TCPF_LISTEN,
  TCPF_NEW_SYN_RECV, TCPF_SYN_RECV, TCPF_SYN_SENT, TCPF_TIME_WAIT, TCP_ACTION_FIN, TCP_MAX_STATES, TCP_STATE_MASK,
  tcpStateNames,
} from './tcp-states.ts';

// Addresses
export { AF_INET, PF_INET } from '@stack/socket';
export {
  INADDR_ALLHOSTS_GROUP, INADDR_ANY, INADDR_BROADCAST, INADDR_LOOPBACK, INADDR_NONE, SockAddrIn, htonl, htons, inAton, inNtoa,
  inetMakeMask, inetMaskLen, inetPton4, ipv4IsLbcast, ipv4IsLinklocal, ipv4IsLocalMulticast, ipv4IsLoopback,
  ipv4IsMulticast, ipv4IsZeronet, ntohl, ntohs,
} from './inet-addr.ts';
