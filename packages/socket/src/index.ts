/* Numbers of the socket API, of files, poll and epoll */
export {
  AF_INET, AF_INET6, AF_MAX, AF_PACKET, AF_UNIX, AF_UNSPEC, FIONBIO, FIONREAD, IPPROTO_ICMP, IPPROTO_IP, IPPROTO_RAW, IPPROTO_TCP,
  IPPROTO_UDP, MSG_CONFIRM, MSG_CTRUNC, MSG_DONTROUTE, MSG_DONTWAIT, MSG_EOR, MSG_ERRQUEUE, MSG_FASTOPEN, MSG_MORE, MSG_NOSIGNAL, MSG_OOB,
  MSG_PEEK, MSG_PROBE, MSG_SENDPAGE_NOTLAST, MSG_SPLICE_READ, MSG_TRUNC, MSG_WAITALL, MSG_WAITFORONE, MSG_ZEROCOPY, PF_INET, PF_PACKET, SCM_TIMESTAMP, SCM_TIMESTAMPING,
  SCM_TIMESTAMPING_OPT_STATS, SCM_TIMESTAMPNS,
  SHUT_RD, SHUT_RDWR, SHUT_WR, SIOCATMARK, SIOCGSTAMP, SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_MAX, SOCK_NONBLOCK,
  SOCK_PACKET, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM, SOCK_TYPE_MASK, SOL_IP, SOL_PACKET, SOL_RAW, SOL_SOCKET, SOL_TCP, SOL_UDP, SOMAXCONN,
  SO_ACCEPTCONN, SO_ATTACH_FILTER,
  SO_BINDTODEVICE, SO_BINDTOIFINDEX, SO_BROADCAST, SO_BUSY_POLL, SO_COOKIE, SO_DEBUG, SO_DETACH_FILTER, SO_DOMAIN, SO_DONTROUTE, SO_ERROR, SO_INCOMING_CPU,
  SO_KEEPALIVE, SO_LINGER, SO_LOCK_FILTER, SO_MARK, SO_MAX_PACING_RATE, SO_MEMINFO, SO_NO_CHECK, SO_OOBINLINE, SO_PEEK_OFF, SO_PRIORITY, SO_PROTOCOL,
  SO_RCVBUF, SO_RCVBUFFORCE, SO_RCVLOWAT, SO_RCVTIMEO, SO_REUSEADDR, SO_REUSEPORT, SO_RXQ_OVFL, SO_SNDBUF, SO_SNDBUFFORCE, SO_SNDLOWAT,
  SO_SNDTIMEO, SO_TIMESTAMP, SO_TIMESTAMPING, SO_TIMESTAMPNS, SO_TYPE, SO_ZEROCOPY, TIOCOUTQ,
} from './uapi-socket.ts';
export {
  EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLMSG, EPOLLNVAL, EPOLLONESHOT, EPOLLOUT, EPOLLPRI, EPOLLRDBAND, EPOLLRDHUP,
  EPOLLRDNORM, EPOLLWAKEUP, EPOLLWRBAND, EPOLLWRNORM, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, FD_CLOEXEC, FMODE_READ, FMODE_WRITE,
  F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_SETFD, F_SETFL, O_ACCMODE, O_APPEND, O_CLOEXEC, O_CREAT, O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY,
  POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDBAND, POLLRDHUP, POLLRDNORM, POLLWRBAND, POLLWRNORM,
} from './uapi-fs.ts';

/* Messages, and copies between them and packets */
export { Cmsg, Iovec, Linger, makeMsgHdr, MsgHdr, msgFaults, msgInit, ScmTimestamping, SockAddr, Timespec, Timeval } from './msghdr.ts';
export {
  copyFromIter, copyToIter, csumAndCopyFromIter, iovIterAdvance, iovIterRevert, iovIterSegLeft, skbCopyDatagramMsg, skbDoCopyDataNocache,
} from './iov-iter.ts';

/* Sock, and what a transport protocol is */
export {
  OptInt, ProtoAcceptArg, ProtoMem, RCV_SHUTDOWN, SEND_SHUTDOWN, SHUTDOWN_MASK, SK_CAN_REUSE, SK_FORCE_REUSE,
  SK_NO_REUSE, SK_PACING_FQ, SK_PACING_NEEDED, SK_PACING_NONE, SK_PACING_UNLIMITED, Sock, SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK, SOCK_BROADCAST, SOCK_DBG, SOCK_DEAD, SOCK_DESTROY,
  SOCK_DONE, SOCK_FILTER_LOCKED, SOCK_KEEPOPEN, SOCK_LINGER, SOCK_LOCALROUTE, SOCK_MEMALLOC, SOCK_RCVBUF_LOCK, SOCK_RCVTSTAMP, SOCK_RCVTSTAMPNS, SOCK_RXQ_OVFL,
  SOCK_SNDBUF_LOCK, SOCK_TIMESTAMP, SOCK_URGINLINE, SOCK_USE_WRITE_QUEUE, SOCK_ZAPPED, SOCK_ZEROCOPY, sockFlag,
  sockResetFlag, sockSetFlag, sockValboolFlag, TCP_CLOSE, TCP_CLOSE_WAIT, TCP_CLOSING, TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2,
  TCP_LAST_ACK, TCP_LISTEN, TCP_NEW_SYN_RECV, TCP_SYN_RECV, TCP_SYN_SENT, TCP_TIME_WAIT,
} from './sock-struct.ts';
export type { Proto, SockOptValue } from './sock-struct.ts';
export {
  skAlloc, skCloneLock, skCommonRelease, skDstReset, skFree, sockGraft, sockHold, sockInitData, sockOrphan, sockPut,
} from './sock-alloc.ts';
export { sockDefErrorReport, sockDefReadable, sockDefWakeup, sockDefWriteSpace, sockShutdownEvents } from './sock-callbacks.ts';
export {
  lockSock, releaseSock, skAddBacklog, skBacklogRcv, skFlushBacklog, sockAllocSendSkb, sockError, sockNoAccept, sockNoBind,
  sockNoConnect, sockNoListen, sockNoPoll, sockNoRecvmsg, sockNoSendmsg, sockNoShutdown, sockNoSocketpair, sockOwnedByUser, sockQueueRcvSkb,
  sockRcvlowat,
} from './sock.ts';
export {
  skbSetOwnerR, skbSetOwnerW, skEnterMemoryPressure, skForcedMemSchedule, skLeaveMemoryPressure, SK_MEM_QUANTUM,
  SK_MEM_RECV, SK_MEM_SEND, skMemCharge, skMemReclaim, skMemSchedule, skMemUncharge, skRmemSchedule, skSetRcvbuf, skSetSndbuf,
  skSocketsAllocatedDec, skSocketsAllocatedInc, skStreamModerateSndbuf, skUnderMemoryPressure, skWmemFreeSkb, skWmemSchedule,
  SOCK_MIN_RCVBUF, SOCK_MIN_SNDBUF, sockRfree, sockWfree, sockWriteable,
} from './sock-mem.ts';
export {
  __skStreamIsWriteable, __skStreamMemoryFree, skbPageFragRefill, skPageFrag, skPageFragRefill, skStreamError, skStreamIsWriteable, skStreamKillQueues,
  skStreamMemoryFree, skStreamMinWspace, skStreamWriteSpace, skStreamWspace,
} from './stream.ts';

/* Socket, File, Task */
export {
  NetnsSocket, PageFrag, Socket, SS_CONNECTED, SS_CONNECTING, SS_DISCONNECTING, SS_FREE, SS_UNCONNECTED,
} from './net-struct.ts';
export type { NetProtoFamily, ProtoOps } from './net-struct.ts';
export { File, Kiocb, pollWait } from './file.ts';
export type { FileOperations, PollTable } from './file.ts';
export { Task } from './task.ts';
export { createTask, exitTask } from './exit.ts';
export { allocFd, fdInstall, fget } from './fdtable.ts';
export { installSocket } from './install.ts';
export { sockSetRef } from './net-ref.ts';

/* What families and protocols are made of */
export {
  __sockRecvmsg, __sockSendmsg, sockCommonGetsockopt, sockCommonRecvmsg, sockCommonSetsockopt, sockCreate, sockFromFile, sockfdLookup,
  sockPollWait, sockRegister, sockRecvmsg, sockSendmsg, sockUnregister,
} from './socket.ts';
export { skIoctl } from './ioctl.ts';
export { skFilterTrimCap, skRunFilter } from './filter.ts';
export type { SockFilter } from './filter.ts';
export { datagramPoll, skbFreeDatagram, skbRecvDatagram } from './datagram.ts';
export { __sockCmsgSend, putCmsg, sockCmsgSend, SockcmCookie, sockcmInit, sockRecvCmsgs, sockRecvErrTimestamp, sockRecvTimestampOf, sockStampSkb } from './scm.ts';
export {
  skbExterr, skbSetExterr, SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6, SO_EE_ORIGIN_LOCAL, SO_EE_ORIGIN_NONE, SO_EE_ORIGIN_TIMESTAMPING,
  SO_EE_ORIGIN_ZEROCOPY, sockDequeueErrSkb, SockExtendedErr, sockQueueErrSkb,
} from './errqueue.ts';
export { msgZerocopyEnd, msgZerocopyRealloc, SO_EE_CODE_ZEROCOPY_COPIED, skbZcopySet } from './zerocopy.ts';
export {
  skbCompleteTxTimestamp, SCM_TSTAMP_ACK, SCM_TSTAMP_SCHED, SCM_TSTAMP_SND, SOF_TIMESTAMPING_OPT_CMSG, SOF_TIMESTAMPING_OPT_ID, SOF_TIMESTAMPING_OPT_ID_TCP,
  SOF_TIMESTAMPING_OPT_RX_FILTER, SOF_TIMESTAMPING_OPT_STATS, SOF_TIMESTAMPING_OPT_TSONLY, SOF_TIMESTAMPING_RX_SOFTWARE, SOF_TIMESTAMPING_SOFTWARE, SOF_TIMESTAMPING_TX_ACK, SOF_TIMESTAMPING_TX_RECORD_MASK, SOF_TIMESTAMPING_TX_SCHED,
  SOF_TIMESTAMPING_TX_SOFTWARE, sockTxFlags,
} from './tx-timestamp.ts';
export type { SkTstampOps } from './tx-timestamp.ts';
export { skMeminfo } from './sock-opt.ts';
export type { SkMeminfo } from './sock-opt.ts';

/* System calls */
export {
  sysBind, sysGetpeername, sysGetsockname, sysGetsockopt, sysListen, sysSetsockopt, sysShutdown, sysSocket, sysSocketpair,
} from './sys-socket.ts';
export { sysAccept, sysConnect } from './sys-connect.ts';
export { sysRecv, sysRecvfrom, sysRecvmsg, sysSend, sysSendmsg, sysSendto } from './sys-message.ts';
export { sysRead, sysReadv, sysWrite, sysWritev } from './read-write.ts';
export { sysOpen, sysSendfile, sysUnlink } from './shmem.ts';
export { sysPipe } from './pipe.ts';
export { SPLICE_F_MORE, SPLICE_F_NONBLOCK, sysSplice } from './splice.ts';
export { sysClose, sysDup, sysDup2, sysFcntl, sysIoctl } from './sys-file.ts';
export { PollFd, sysPoll } from './select.ts';
export { sysEpollCreate, sysEpollCtl, sysEpollWait } from './eventpoll.ts';
export { EpollEvent } from './eventpoll-struct.ts';
export type { SysOptions } from './sleep.ts';
export { sysCall } from './sys-call.ts';
