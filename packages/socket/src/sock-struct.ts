/*
 * struct sock and struct proto (include/net/sock.h): the part of a socket that the network sees, and the table through
 * which the socket layer calls a transport protocol. InetSock, InetConnectionSock, TcpSock, UdpSock extend Sock, as the
 * kernel's structs begin with one; behaviour is in sock.ts, sock-mem.ts, sock-opt.ts, datagram.ts and stream.ts.
 */
import { MAX_SCHEDULE_TIMEOUT } from '@stack/kernel';
import type { Net, WaitQueueHead } from '@stack/kernel';
import { SkBuffHead } from '@stack/skbuff';
import type { DstEntry, SkBuff } from '@stack/skbuff';
import type { File, PollTable } from './file.ts';
import type { SockFilter } from './filter.ts';
import type { MsgHdr, SockAddr } from './msghdr.ts';
import type { Socket } from './net-struct.ts';
import type { SkTstampOps } from './tx-timestamp.ts';

/* Values of skState that every protocol shares; TCP's states (tcp_states.h) use the same numbers. */
export const TCP_ESTABLISHED = 1;
export const TCP_SYN_SENT = 2;
export const TCP_SYN_RECV = 3;
export const TCP_FIN_WAIT1 = 4;
export const TCP_FIN_WAIT2 = 5;
export const TCP_TIME_WAIT = 6;
export const TCP_CLOSE = 7;
export const TCP_CLOSE_WAIT = 8;
export const TCP_LAST_ACK = 9;
export const TCP_LISTEN = 10;
export const TCP_CLOSING = 11;
export const TCP_NEW_SYN_RECV = 12;

/* Bits of skShutdown. */
export const RCV_SHUTDOWN = 1;
export const SEND_SHUTDOWN = 2;
export const SHUTDOWN_MASK = 3;

/* Bits of skUserlocks: what the user has fixed, and autotuning leaves alone. */
export const SOCK_SNDBUF_LOCK = 1;
export const SOCK_RCVBUF_LOCK = 2;
export const SOCK_BINDADDR_LOCK = 4;
export const SOCK_BINDPORT_LOCK = 8;

/* Values of skReuse. */
export const SK_NO_REUSE = 0;
export const SK_CAN_REUSE = 1;
export const SK_FORCE_REUSE = 2;

/* Bit numbers of skFlags, for sockFlag, sockSetFlag and sockResetFlag. */
export const SOCK_DEAD = 0;
export const SOCK_DONE = 1;
export const SOCK_URGINLINE = 2;
export const SOCK_KEEPOPEN = 3;
export const SOCK_LINGER = 4;
export const SOCK_DESTROY = 5;
export const SOCK_BROADCAST = 6;
export const SOCK_TIMESTAMP = 7;
export const SOCK_ZAPPED = 8;
export const SOCK_USE_WRITE_QUEUE = 9;
export const SOCK_DBG = 10;
export const SOCK_RCVTSTAMP = 11;
export const SOCK_RCVTSTAMPNS = 12;
export const SOCK_LOCALROUTE = 13;
export const SOCK_MEMALLOC = 14;
export const SOCK_RXQ_OVFL = 16;
export const SOCK_ZEROCOPY = 17;
export const SOCK_FILTER_LOCKED = 18;
export const SOCK_TIMESTAMPING_RX_SOFTWARE = 19;

/** skMaxPacingRate and skPacingRate, octets per second, while nothing limits them: the kernel's ~0. */
export const SK_PACING_UNLIMITED = 2 ** 64;
/** Who paces (skPacingStatus): nobody, the sock's own engine, or an fq below it (which finds these numbers in netdev). */
export const SK_PACING_NONE = 0;
export const SK_PACING_NEEDED = 1;
export const SK_PACING_FQ = 2;

/** What the sockets of one protocol in one Net may use together (proto.memory_allocated, sysctl_tcp_mem …). */
export class ProtoMem {
  /** Quanta (of SK_MEM_QUANTUM bytes) that socks have taken. */
  memoryAllocated: number;
  memoryPressure: boolean;
  /** Jiffies when it began. */
  pressureStamp: number;
  socketsAllocated: number;
  /** In quanta: below [0] never pressure, above [1] pressure, above [2] refused. */
  sysctlMem: Int32Array;
  /** In bytes: minimum, default, maximum of a receive and of a send buffer. */
  sysctlRmem: Int32Array;
  sysctlWmem: Int32Array;

  constructor(sysctlMem: Int32Array, sysctlRmem: Int32Array, sysctlWmem: Int32Array) {
    this.memoryAllocated = 0;
    this.memoryPressure = false;
    this.pressureStamp = 0;
    this.socketsAllocated = 0;
    this.sysctlMem = sysctlMem;
    this.sysctlRmem = sysctlRmem;
    this.sysctlWmem = sysctlWmem;
  }
}

/** struct proto_accept_arg: the flags of the call go in, an errno comes out with a null Sock. */
export class ProtoAcceptArg {
  flags: number;
  err: number;

  constructor() {
    this.flags = 0;
    this.err = 0;
  }
}

/** The value of an integer option that is negative: a bare negative number would be an errno. */
export class OptInt {
  value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** What a caller hands to setsockopt. */
export type SockOptValue = number | string | Uint8Array | object;

/**
 * struct proto: a transport protocol as the socket layer calls it (sk.skProt). Every member takes the Sock first and
 * NEVER SLEEPS. Integers returned are ≥ 0 or -errno.
 * sendmsg, recvmsg, accept: -EAGAIN means that everything possible was done (how far: msg.msgCopied and the iterator) and
 * that the operation wants to be called again when the sock's queue is woken; the system call layer does so unless the
 * call is non-blocking (MSG_DONTWAIT in the flags), in which case the protocol returns a partial count instead of
 * -EAGAIN if there is one. `len` is the length of the whole message, also when it is called again. connect: -EINPROGRESS
 * likewise.
 */
export interface Proto {
  readonly name: string;
  /** Makes the Sock, all fields at their defaults (`new TcpSock(net, family, prot)`). */
  readonly objCreate: (net: Net, family: number, prot: Proto) => Sock;
  /** The memory account that all socks of this protocol in the Sock's Net share, or null for none. */
  readonly mem: ((sk: Sock) => ProtoMem) | null;
  /** Protocol's part of creation. 0 or -errno. */
  readonly init: ((sk: Sock) => number) | null;
  /** Protocol's part of the last moments: frees what it holds. Called once, before the Sock is freed. */
  readonly destroy: ((sk: Sock) => void) | null;
  /**
   * The user lets go of the sock; `timeout` in jiffies is SO_LINGER's. Returns 0, or -EAGAIN while it lingers: all was
   * done but waiting for the peer, and close wants to be called again when woken, or with timeout 0 when the time is over.
   */
  readonly close: (sk: Sock, timeout: number) => number;
  readonly connect: ((sk: Sock, addr: SockAddr) => number) | null;
  readonly disconnect: ((sk: Sock, flags: number) => number) | null;
  /** The next established child, its reference passing to the caller; or null and arg.err. */
  readonly accept: ((sk: Sock, arg: ProtoAcceptArg) => Sock | null) | null;
  /** FIONREAD, SIOCOUTQ …: the value, or -ENOIOCTLCMD. */
  readonly ioctl: ((sk: Sock, cmd: number) => number) | null;
  readonly shutdown: ((sk: Sock, how: number) => void) | null;
  readonly setsockopt: ((sk: Sock, level: number, name: number, value: SockOptValue) => number) | null;
  /** The value (OptInt if it is a negative integer), or -errno. */
  readonly getsockopt: ((sk: Sock, level: number, name: number) => number | object) | null;
  /** Takes at most `len` bytes from the message; the flags are msg.msgFlags. */
  readonly sendmsg: (sk: Sock, msg: MsgHdr, len: number) => number;
  /** Gives at most `len` bytes; fills msg.msgName, msgNamelen, msgControl and or-s MSG_TRUNC and the like to msgFlags. */
  readonly recvmsg: (sk: Sock, msg: MsgHdr, len: number, flags: number) => number;
  readonly bind: ((sk: Sock, addr: SockAddr) => number) | null;
  /** Handles one packet from the backlog; owns the sk_buff. */
  readonly backlogRcv: ((sk: Sock, skb: SkBuff) => number) | null;
  /** Called by releaseSock before the sock is free again: what interrupts left to do. */
  readonly releaseCb: ((sk: Sock) => void) | null;
  readonly hash: ((sk: Sock) => number) | null;
  readonly unhash: ((sk: Sock) => void) | null;
  /** Binds to local port `snum`, 0 = choose one. 0, or 1 (or -errno) if it is taken. */
  readonly getPort: ((sk: Sock, snum: number) => number) | null;
  readonly putPort: ((sk: Sock) => void) | null;
  /** True while a stream's write queue may take more (TCP_NOTSENT_LOWAT); null: skSndbuf alone decides. */
  readonly streamMemoryFree: ((sk: Sock, wake: number) => boolean) | null;
  /** The protocol is short of memory from now on; no longer. */
  readonly enterMemoryPressure: ((sk: Sock) => void) | null;
  readonly leaveMemoryPressure: ((sk: Sock) => void) | null;
  /** Events that are true now, registering with `wait` (sockPollWait first); null: datagramPoll. */
  readonly poll: ((file: File, sock: Socket, wait: PollTable | null) => number) | null;
  /** SO_RCVLOWAT, where there is more to do than store it. */
  readonly setRcvlowat: ((sk: Sock, value: number) => number) | null;
  /** SO_KEEPALIVE is switched. */
  readonly keepalive: ((sk: Sock, on: boolean) => void) | null;
  /** The local address or device of a hashed sock has changed. */
  readonly rehash: ((sk: Sock) => void) | null;
}

/** struct sock. Sizes are bytes, times are jiffies unless said, null means absent. */
export class Sock {
  skNet: Net;
  skFamily: number;
  skType: number;
  skProtocol: number;
  skState: number;
  skProt: Proto;
  skSocket: Socket | null;
  /** The socket's wait queue while a Socket owns this Sock (`sockGraft`), else null. */
  skWq: WaitQueueHead | null;
  skRefcnt: number;
  /* Identity in the protocol's tables. */
  skReuse: number;
  skReuseport: boolean;
  skBoundDevIf: number;
  skHash: number;
  skNext: Sock | null;
  skPrev: Sock | null;
  /** Neighbours in the list of all socks of the Net. */
  skAllNext: Sock | null;
  skAllPrev: Sock | null;
  /* Queues. */
  skReceiveQueue: SkBuffHead;
  skWriteQueue: SkBuffHead;
  skErrorQueue: SkBuffHead | null;
  skBacklog: SkBuffHead;
  /** truesize of what waits in skBacklog. */
  skBacklogLen: number;
  skLockOwned: boolean;
  /* Memory. */
  skRcvbuf: number;
  skSndbuf: number;
  skRmemAlloc: number;
  /** Bytes in flight below this sock, plus 1 for the sock itself. */
  skWmemAlloc: number;
  skWmemQueued: number;
  /** truesize of notifications that wait to be read (net.core.optmem_max limits it). */
  skOmemAlloc: number;
  skForwardAlloc: number;
  skDrops: number;
  /* State that the user sees. */
  skErr: number;
  skErrSoft: number;
  skShutdown: number;
  skFlags: number;
  skUserlocks: number;
  skRcvlowat: number;
  skRcvtimeo: number;
  skSndtimeo: number;
  skLingertime: number;
  skMark: number;
  skPriority: number;
  skNoCheckTx: boolean;
  /** Offset of the next MSG_PEEK, -1: SO_PEEK_OFF is off. */
  skPeekOff: number;
  /** Number of the next send with MSG_ZEROCOPY. */
  skZckey: number;
  /** SO_TIMESTAMPING; the number that OPT_ID counts from, and what the protocol does for it (null: it has no stamps). */
  skTsflags: number;
  skTskey: number;
  skTstampOps: SkTstampOps | null;
  /** Receive time of the packet that was read last, World time in ns; 0: none was (SIOCGSTAMP). */
  skStamp: number;
  skAckBacklog: number;
  skMaxAckBacklog: number;
  /* The way out. */
  skDstCache: DstEntry | null;
  skRxDst: DstEntry | null;
  skRxDstIfindex: number;
  skRouteCaps: number;
  skGsoType: number;
  skGsoMaxSize: number;
  skGsoMaxSegs: number;
  skPacingRate: number;
  skMaxPacingRate: number;
  /** SK_PACING_* */
  skPacingStatus: number;
  skPacingShift: number;
  skTxHash: number;
  skDstPendingConfirm: boolean;
  skUserData: object | null;
  /** SO_ATTACH_FILTER: which packets are queued, and how much of each. */
  skFilter: SockFilter | null;
  /* What happens to the sock (softirq side); each may be replaced. */
  skStateChange: (sk: Sock) => void;
  skDataReady: (sk: Sock) => void;
  skWriteSpace: (sk: Sock) => void;
  skErrorReport: (sk: Sock) => void;
  skBacklogRcv: ((sk: Sock, skb: SkBuff) => number) | null;
  skDestruct: ((sk: Sock) => void) | null;

  /** Defaults that mean nothing yet: `skAlloc` and `sockInitData` give the values. */
  constructor(net: Net, family: number, prot: Proto) {
    this.skNet = net;
    this.skFamily = family;
    this.skType = 0;
    this.skProtocol = 0;
    this.skState = TCP_CLOSE;
    this.skProt = prot;
    this.skSocket = null;
    this.skWq = null;
    this.skRefcnt = 1;
    this.skReuse = SK_NO_REUSE;
    this.skReuseport = false;
    this.skBoundDevIf = 0;
    this.skHash = 0;
    this.skNext = null;
    this.skPrev = null;
    this.skAllNext = null;
    this.skAllPrev = null;
    this.skReceiveQueue = new SkBuffHead();
    this.skWriteQueue = new SkBuffHead();
    this.skErrorQueue = null;
    this.skBacklog = new SkBuffHead();
    this.skBacklogLen = 0;
    this.skLockOwned = false;
    this.skRcvbuf = 0;
    this.skSndbuf = 0;
    this.skRmemAlloc = 0;
    this.skWmemAlloc = 1;
    this.skWmemQueued = 0;
    this.skOmemAlloc = 0;
    this.skForwardAlloc = 0;
    this.skDrops = 0;
    this.skErr = 0;
    this.skErrSoft = 0;
    this.skShutdown = 0;
    this.skFlags = 0;
    this.skUserlocks = 0;
    this.skRcvlowat = 1;
    this.skRcvtimeo = MAX_SCHEDULE_TIMEOUT;
    this.skSndtimeo = MAX_SCHEDULE_TIMEOUT;
    this.skLingertime = 0;
    this.skMark = 0;
    this.skPriority = 0;
    this.skNoCheckTx = false;
    this.skPeekOff = -1;
    this.skZckey = 0;
    this.skTsflags = 0;
    this.skTskey = 0;
    this.skTstampOps = null;
    this.skStamp = 0;
    this.skAckBacklog = 0;
    this.skMaxAckBacklog = 0;
    this.skDstCache = null;
    this.skRxDst = null;
    this.skRxDstIfindex = 0;
    this.skRouteCaps = 0;
    this.skGsoType = 0;
    this.skGsoMaxSize = 0;
    this.skGsoMaxSegs = 0;
    this.skPacingRate = SK_PACING_UNLIMITED;
    this.skMaxPacingRate = SK_PACING_UNLIMITED;
    this.skPacingStatus = SK_PACING_NONE;
    this.skPacingShift = 10;
    this.skTxHash = 0;
    this.skDstPendingConfirm = false;
    this.skUserData = null;
    this.skFilter = null;
    this.skStateChange = sockNoop;
    this.skDataReady = sockNoop;
    this.skWriteSpace = sockNoop;
    this.skErrorReport = sockNoop;
    this.skBacklogRcv = null;
    this.skDestruct = null;
  }
}

function sockNoop(_sk: Sock): void {}

declare module '@stack/skbuff' {
  interface SkbLinks {
    sk: Sock;
  }
}

/** Is bit `flag` (SOCK_…) of skFlags set? */
export function sockFlag(sk: Sock, flag: number): boolean {
  return (sk.skFlags & (1 << flag)) !== 0;
}

export function sockSetFlag(sk: Sock, flag: number): void {
  sk.skFlags |= 1 << flag;
}

export function sockResetFlag(sk: Sock, flag: number): void {
  sk.skFlags &= ~(1 << flag);
}

export function sockValboolFlag(sk: Sock, flag: number, valbool: boolean): void {
  if (valbool) sockSetFlag(sk, flag);
  else sockResetFlag(sk, flag);
}
