// The World and its hosts
export {
  createWorld, getRandomBytes, siphashKeyInit, World, worldNextId, worldNow, worldRef, worldUnref,
} from './world.ts';
export type { WorldOptions } from './world.ts';
export {
  createNet, destroyNet, destroyWorld, Net, netAtExit, requireNet, requireNoNet,
} from './net.ts';
export type { NetExit, NetOptions } from './net.ts';
export {
  NET_GONE, NET_STOPPING, NET_UP,
} from './net-state.ts';
export {
  absent,
} from './link.ts';
export type { NetLink, NetLinks, WorldLink, WorldLinks } from './link.ts';
export type { Owner } from './owner.ts';
export {
  formatPanic, netFault, netPanic,
} from './panic.ts';
export type { PanicReport } from './panic.ts';
export {
  formatOpen, openReport, registerReporter,
} from './report.ts';
export type { OpenItem, Reporter } from './report.ts';

// Entering and leaving; what runs then
export {
  interrupt, worldCrossing, worldEnter, worldLeave,
} from './enter.ts';
export {
  ACTION_CHARGE, BLOCK_SOFTIRQ, HI_SOFTIRQ, HRTIMER_SOFTIRQ, IRQ_POLL_SOFTIRQ, NET_RX_SOFTIRQ, NET_TX_SOFTIRQ,
  NR_SOFTIRQS, openSoftirq, raiseSoftirq, RCU_SOFTIRQ, SCHED_SOFTIRQ, softirqCharge, softirqShare, softirqSpent, TASKLET_SOFTIRQ,
  TIMER_SOFTIRQ,
} from './softirq.ts';
export type { SoftirqAction } from './softirq.ts';
export {
  Tasklet, taskletKill, taskletSchedule, taskletSetup,
} from './tasklet.ts';
export type { TaskletFunction } from './tasklet.ts';
export {
  cancelWork, initWork, scheduleWork, Work,
} from './work.ts';
export type { WorkFunction } from './work.ts';

// Time
export {
  virtualClock,
} from './virtual-clock.ts';
export type { VirtualClockOptions } from './virtual-clock.ts';
export type { Clock, HostLoop, VirtualClock, VirtualTime } from './clock.ts';
export {
  HZ, INITIAL_JIFFIES, jiffiesAt, jiffiesToMsecs, jiffiesToNsecs, jiffiesToUsecs, MAX_JIFFY_OFFSET,
  MAX_SCHEDULE_TIMEOUT, msecsToJiffies, NSEC_PER_JIFFY, NSEC_PER_MSEC, NSEC_PER_SEC, NSEC_PER_USEC, nsecsToJiffies,
  timeAfter, timeAfterEq, timeBefore, timeBeforeEq, timeInRange, usecsToJiffies,
} from './jiffies.ts';
export {
  addTimer, delTimer, modTimer, TIMER_DEFERRABLE, TimerList, timerPending, timerSetup,
} from './timer.ts';
export type { TimerFunction } from './timer.ts';
export {
  Hrtimer, HRTIMER_DEFERRABLE, hrtimerActive, hrtimerCancel, hrtimerForward, hrtimerSetup, hrtimerStart,
} from './hrtimer.ts';
export type { HrtimerFunction } from './hrtimer.ts';
export {
  idle, sleep,
} from './sleep.ts';
export type { Signal } from './sleep.ts';

// Sleeping and waking
export {
  addWaitQueue, addWaitQueueExclusive, EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLMSG, EPOLLNVAL, EPOLLOUT, EPOLLPRI,
  EPOLLRDBAND, EPOLLRDHUP, EPOLLRDNORM, EPOLLWRBAND, EPOLLWRNORM, removeWaitQueue, WaitQueueEntry, WaitQueueHead,
  waitqueueActive, wakeUp, wakeUpAll, WQ_FLAG_EXCLUSIVE,
} from './wait.ts';
export type { WaitQueueFunction } from './wait.ts';

// Random numbers and keyed hashes
export {
  Random, randomBelow, randomChance, randomFill, randomRange, randomU32, randomUnit,
} from './random.ts';
export {
  hsiphash1u32, hsiphash2u32, siphash2u32High, hsiphash3u32, hsiphash4u32, siphash1u32, siphash2u32, siphash3u32, siphash4u32,
  SiphashKey, siphashKeyFrom,
} from './siphash.ts';

// What is seen from outside: sysctls, counters, traces, drop reasons
export {
  ctlRow, registerSysctlTable, sysctlList, sysctlRead, SysctlRegistry, sysctlWrite, unregisterSysctlTable,
} from './sysctl.ts';
export type { CtlKind, CtlTable, CtlValue, SysctlInfo } from './sysctl.ts';
export {
  registerMib, snmpAdd, snmpDec, snmpInc, SnmpMib, snmpSnapshot, unregisterMib,
} from './snmp.ts';
export {
  formatTrace, traceNet,
} from './trace.ts';
export type { TracedPacket, TraceRecord, Tracer } from './trace.ts';
export {
  SKB_CONSUMED, SKB_DROP_REASON_NOT_SPECIFIED, SKB_DROP_REASON_NO_SOCKET, SKB_DROP_REASON_SOCKET_CLOSE,
  SKB_DROP_REASON_SOCKET_FILTER, SKB_DROP_REASON_SOCKET_RCVBUFF, SKB_DROP_REASON_PKT_TOO_SMALL,
  SKB_DROP_REASON_TCP_CSUM, SKB_DROP_REASON_UDP_CSUM, SKB_DROP_REASON_NETFILTER_DROP, SKB_DROP_REASON_OTHERHOST,
  SKB_DROP_REASON_IP_CSUM, SKB_DROP_REASON_IP_INHDR, SKB_DROP_REASON_IP_RPFILTER,
  SKB_DROP_REASON_UNICAST_IN_L2_MULTICAST, SKB_DROP_REASON_XFRM_POLICY, SKB_DROP_REASON_IP_NOPROTO,
  SKB_DROP_REASON_PROTO_MEM, SKB_DROP_REASON_TCP_AUTH_HDR, SKB_DROP_REASON_TCP_MD5NOTFOUND,
  SKB_DROP_REASON_TCP_MD5UNEXPECTED, SKB_DROP_REASON_TCP_MD5FAILURE, SKB_DROP_REASON_TCP_AONOTFOUND,
  SKB_DROP_REASON_TCP_AOUNEXPECTED, SKB_DROP_REASON_TCP_AOKEYNOTFOUND, SKB_DROP_REASON_TCP_AOFAILURE,
  SKB_DROP_REASON_SOCKET_BACKLOG, SKB_DROP_REASON_TCP_FLAGS, SKB_DROP_REASON_TCP_ABORT_ON_DATA,
  SKB_DROP_REASON_TCP_ZEROWINDOW, SKB_DROP_REASON_TCP_OLD_DATA, SKB_DROP_REASON_TCP_OVERWINDOW,
  SKB_DROP_REASON_TCP_OFOMERGE, SKB_DROP_REASON_TCP_RFC7323_PAWS, SKB_DROP_REASON_TCP_RFC7323_PAWS_ACK,
  SKB_DROP_REASON_TCP_OLD_SEQUENCE, SKB_DROP_REASON_TCP_INVALID_SEQUENCE, SKB_DROP_REASON_TCP_INVALID_END_SEQUENCE,
  SKB_DROP_REASON_TCP_INVALID_ACK_SEQUENCE, SKB_DROP_REASON_TCP_RESET, SKB_DROP_REASON_TCP_INVALID_SYN,
  SKB_DROP_REASON_TCP_CLOSE, SKB_DROP_REASON_TCP_FASTOPEN, SKB_DROP_REASON_TCP_OLD_ACK,
  SKB_DROP_REASON_TCP_TOO_OLD_ACK, SKB_DROP_REASON_TCP_ACK_UNSENT_DATA, SKB_DROP_REASON_TCP_OFO_QUEUE_PRUNE,
  SKB_DROP_REASON_TCP_OFO_DROP, SKB_DROP_REASON_IP_OUTNOROUTES, SKB_DROP_REASON_BPF_CGROUP_EGRESS,
  SKB_DROP_REASON_IPV6DISABLED, SKB_DROP_REASON_NEIGH_CREATEFAIL, SKB_DROP_REASON_NEIGH_FAILED,
  SKB_DROP_REASON_NEIGH_QUEUEFULL, SKB_DROP_REASON_NEIGH_DEAD, SKB_DROP_REASON_NEIGH_HH_FILLFAIL,
  SKB_DROP_REASON_TC_EGRESS, SKB_DROP_REASON_SECURITY_HOOK, SKB_DROP_REASON_QDISC_DROP,
  SKB_DROP_REASON_QDISC_OVERLIMIT, SKB_DROP_REASON_QDISC_CONGESTED, SKB_DROP_REASON_CPU_BACKLOG, SKB_DROP_REASON_XDP,
  SKB_DROP_REASON_TC_INGRESS, SKB_DROP_REASON_UNHANDLED_PROTO, SKB_DROP_REASON_SKB_CSUM, SKB_DROP_REASON_SKB_GSO_SEG,
  SKB_DROP_REASON_SKB_UCOPY_FAULT, SKB_DROP_REASON_DEV_HDR, SKB_DROP_REASON_DEV_READY, SKB_DROP_REASON_FULL_RING,
  SKB_DROP_REASON_NOMEM, SKB_DROP_REASON_HDR_TRUNC, SKB_DROP_REASON_TAP_FILTER, SKB_DROP_REASON_TAP_TXFILTER,
  SKB_DROP_REASON_ICMP_CSUM, SKB_DROP_REASON_INVALID_PROTO, SKB_DROP_REASON_IP_INADDRERRORS,
  SKB_DROP_REASON_IP_INNOROUTES, SKB_DROP_REASON_IP_LOCAL_SOURCE, SKB_DROP_REASON_IP_INVALID_SOURCE,
  SKB_DROP_REASON_IP_LOCALNET, SKB_DROP_REASON_IP_INVALID_DEST, SKB_DROP_REASON_PKT_TOO_BIG, SKB_DROP_REASON_DUP_FRAG,
  SKB_DROP_REASON_FRAG_REASM_TIMEOUT, SKB_DROP_REASON_FRAG_TOO_FAR, SKB_DROP_REASON_TCP_MINTTL,
  SKB_DROP_REASON_IPV6_BAD_EXTHDR, SKB_DROP_REASON_QUEUE_PURGE, SKB_DROP_REASON_PACKET_SOCK_ERROR,
  SKB_DROP_REASON_MAC_INVALID_SOURCE, SKB_DROP_REASON_LOCAL_MAC, SKB_DROP_REASON_BRIDGE_INGRESS_STP_STATE,
  SKB_DROP_REASON_VLAN_FILTER,
  SKB_DROP_REASON_NO_TX_TARGET, SKB_DROP_REASON_TCP_RFC7323_TW_PAWS, SKB_DROP_REASON_TCP_LISTEN_OVERFLOW,
  SKB_DROP_REASON_MAC_IEEE_MAC_CONTROL, SKB_DROP_REASON_NO_IN_DEVICE, SKB_DROP_REASON_ARP_INVALID_HEADER,
  SKB_DROP_REASON_ARP_INVALID_ADDR, SKB_DROP_REASON_ARP_GRATUITOUS, SKB_DROP_REASON_IGMP_CSUM,
  SKB_DROP_REASON_IP_NOT_FORWARDED, SKB_DROP_REASON_IP_RT_BUG, SKB_DROP_REASON_FRAG_INVALID,
  SKB_DROP_REASON_FRAG_OVERLAP, SKB_DROP_REASON_FRAG_ECN, SKB_DROP_REASON_TCP_NOT_UNICAST,
  SKB_DROP_REASON_TCP_DEFER_ACCEPT, SKB_DROP_REASON_TCP_SYNCOOKIE, SKB_DROP_REASON_TCP_TIME_WAIT,
  SKB_DROP_REASON_TCP_AFTER_FIN, SKB_DROP_REASON_GRO_HEADER, SKB_DROP_REASON_DST_DISCARD,
  SKB_DROP_REASON_FAULT_INJECTED,
  SKB_NOT_DROPPED_YET, SKB_DROP_REASON_MAX, dropReasonName, dropReasonNames,
} from './drop-reason.ts';

// Errors
export {
  EPERM, ENOENT, ESRCH, EINTR, EIO, ENXIO, E2BIG, EBADF, EAGAIN, ENOMEM, EACCES, EFAULT, EBUSY, EEXIST, EXDEV, ENODEV,
  ENOTDIR, EINVAL, ENFILE, EMFILE, ENOTTY, EFBIG, ENOSPC, ESPIPE, EROFS, EPIPE, EDOM, ERANGE, ENAMETOOLONG, ENOSYS,
  ELOOP, ENOMSG, ENODATA, ENONET, ETIME, EPROTO, EBADMSG, EOVERFLOW, ENOTUNIQ, EILSEQ, EUSERS, ENOTSOCK, EDESTADDRREQ,
  EMSGSIZE, EPROTOTYPE, ENOPROTOOPT, EPROTONOSUPPORT, ESOCKTNOSUPPORT, EOPNOTSUPP, EPFNOSUPPORT, EAFNOSUPPORT,
  EADDRINUSE, EADDRNOTAVAIL, ENETDOWN, ENETUNREACH, ENETRESET, ECONNABORTED, ECONNRESET, ENOBUFS, EISCONN, ENOTCONN,
  ESHUTDOWN, ETOOMANYREFS, ETIMEDOUT, ECONNREFUSED, EHOSTDOWN, EHOSTUNREACH, EALREADY, EINPROGRESS, ESTALE, EDQUOT,
  ECANCELED, EWOULDBLOCK, ERESTARTSYS, ENOIOCTLCMD, errnoException, errnoName,
} from './errno.ts';
export type { ErrnoException } from './errno.ts';
