/*
 * struct socket, proto_ops and net_proto_family (include/linux/net.h), and what the socket layer keeps per Net.
 * A Socket is what a file descriptor means; `ops` is its family's table for its type, `sk` the network's side of it.
 */
import { WaitQueueHead } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import type { Page } from '@stack/skbuff';
import type { File, PollTable } from './file.ts';
import type { MsgHdr, SockAddr } from './msghdr.ts';
import type { ProtoAcceptArg, Sock, SockOptValue } from './sock-struct.ts';
import type { Task } from './task.ts';
import { AF_MAX, SOMAXCONN } from './uapi-socket.ts';
import type { ShmemInode } from './shmem.ts';

/* Values of Socket.state. */
export const SS_FREE = 0;
export const SS_UNCONNECTED = 1;
export const SS_CONNECTING = 2;
export const SS_CONNECTED = 3;
export const SS_DISCONNECTING = 4;

/** struct socket. */
export class Socket {
  net: Net;
  state: number;
  type: number;
  ops: ProtoOps | null;
  sk: Sock | null;
  file: File | null;
  /** Those who wait for anything that happens to this socket: sleeping calls, poll and epoll. */
  wq: WaitQueueHead;

  constructor(net: Net) {
    this.net = net;
    this.state = SS_UNCONNECTED;
    this.type = 0;
    this.ops = null;
    this.sk = null;
    this.file = null;
    this.wq = new WaitQueueHead();
  }
}

/**
 * struct proto_ops: a family's sockets of one type, as the system calls see them (sock.ops). Nothing here sleeps: see
 * `Proto` for what -EAGAIN and -EINPROGRESS mean. A family without an operation uses sockNoAccept and its like.
 */
export interface ProtoOps {
  readonly family: number;
  /** The last file reference is gone. 0, or -EAGAIN while it lingers (called again, see Proto.close). */
  readonly release: (sock: Socket) => number;
  readonly bind: (sock: Socket, addr: SockAddr) => number;
  /** 0; -EINPROGRESS: begun; -EALREADY: still going on, begun by an earlier call. `flags`: O_NONBLOCK. */
  readonly connect: (sock: Socket, addr: SockAddr, flags: number) => number;
  readonly socketpair: (sock1: Socket, sock2: Socket) => number;
  /** Grafts the next connection to `newsock`. */
  readonly accept: (sock: Socket, newsock: Socket, arg: ProtoAcceptArg) => number;
  /** Fills `addr` with the own address, or with the peer's. 0 or -ENOTCONN. */
  readonly getname: (sock: Socket, addr: SockAddr, peer: boolean) => number;
  /** Events that are true now; registers with `wait` if that is not null. */
  readonly poll: (file: File, sock: Socket, wait: PollTable | null) => number;
  readonly ioctl: (sock: Socket, cmd: number, arg: SockOptValue) => number;
  readonly listen: (sock: Socket, backlog: number) => number;
  readonly shutdown: (sock: Socket, how: number) => number;
  readonly setsockopt: (sock: Socket, level: number, name: number, value: SockOptValue) => number;
  readonly getsockopt: (sock: Socket, level: number, name: number) => number | object;
  readonly sendmsg: (sock: Socket, msg: MsgHdr, len: number) => number;
  readonly recvmsg: (sock: Socket, msg: MsgHdr, len: number, flags: number) => number;
}

/** struct net_proto_family: how socket(2) makes a socket of an address family; `sockRegister` installs one. */
export interface NetProtoFamily {
  readonly family: number;
  /** Sets sock.ops and sock.sk. 0 or -errno. */
  readonly create: (net: Net, sock: Socket, protocol: number) => number;
}

/**
 * struct page_frag: the page that sendmsg copies into (net.socket.taskFrag). `offset` is where its unused part begins
 * and `size` where it ends, both into page.buf. The PageFrag holds one reference; each fragment made of it its own.
 */
export class PageFrag {
  page: Page | null;
  offset: number;
  size: number;

  constructor() {
    this.page = null;
    this.offset = 0;
    this.size = 0;
  }
}

/** What the socket layer owns in one Net (`net.socket`). */
export class NetnsSocket {
  families: (NetProtoFamily | null)[];
  tasks: Set<Task>;
  /** Every Sock that is not freed yet (linked by skAllNext), oldest first: for show and for leak reports. */
  sockFirst: Sock | null;
  sockLast: Sock | null;
  socksInUse: number;
  /** Whether open sockets and sleeping calls keep the process alive (sockSetRef), and how many there are. */
  refd: boolean;
  refCount: number;
  /** One page for all sendmsg calls of the Net. */
  taskFrag: PageFrag;
  /** Finds a device by name, 0 if there is none: set by whoever installs devices for sockets (SO_BINDTODEVICE). */
  ifnameToIndex: ((net: Net, name: string) => number) | null;
  nextPid: number;
  /** Wall clock at World time 0, whole ms since 1970: what receive times are counted from. */
  wallOffset: number;
  sysctlSomaxconn: number;
  sysctlWmemDefault: number;
  sysctlRmemDefault: number;
  sysctlWmemMax: number;
  sysctlRmemMax: number;
  sysctlOptmemMax: number;
  /** Files in memory by path. */
  files: Map<string, ShmemInode>;

  constructor() {
    this.families = new Array<NetProtoFamily | null>(AF_MAX).fill(null);
    this.tasks = new Set();
    this.sockFirst = null;
    this.sockLast = null;
    this.socksInUse = 0;
    this.refd = true;
    this.refCount = 0;
    this.taskFrag = new PageFrag();
    this.ifnameToIndex = null;
    this.nextPid = 1;
    this.wallOffset = 0;
    this.sysctlSomaxconn = SOMAXCONN;
    this.sysctlWmemDefault = 212992;
    this.sysctlRmemDefault = 212992;
    this.sysctlWmemMax = 212992;
    this.sysctlRmemMax = 212992;
    this.sysctlOptmemMax = 131072;
    this.files = new Map();
  }
}

declare module '@stack/kernel' {
  interface NetLinks {
    socket: NetnsSocket;
  }
}
