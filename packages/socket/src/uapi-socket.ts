/*
 * The numbers of the socket API (include/linux/socket.h, asm-generic/socket.h, linux/sockios.h), Linux's own values on
 * x86-64, so that what a user reads in socket(7), or in a strace, is what is found here.
 */

/* Address and protocol families. */
export const AF_UNSPEC = 0;
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_PACKET = 17;
export const AF_MAX = 46;
export const PF_INET = AF_INET;
export const PF_PACKET = AF_PACKET;

/* Socket types, and the flags that may be or-ed to them in socket(2) and accept4(2). */
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_SEQPACKET = 5;
export const SOCK_PACKET = 10;
export const SOCK_MAX = 11;
export const SOCK_TYPE_MASK = 0xf;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;

/* IP protocols that have sockets here (in.h). */
export const IPPROTO_IP = 0;
export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_RAW = 255;

/* Levels of setsockopt(2). */
export const SOL_IP = 0;
export const SOL_SOCKET = 1;
export const SOL_TCP = 6;
export const SOL_UDP = 17;
export const SOL_RAW = 255;
export const SOL_PACKET = 263;

/* Options at SOL_SOCKET. */
export const SO_DEBUG = 1;
export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
export const SO_ERROR = 4;
export const SO_DONTROUTE = 5;
export const SO_BROADCAST = 6;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_OOBINLINE = 10;
export const SO_NO_CHECK = 11;
export const SO_PRIORITY = 12;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const SO_RCVLOWAT = 18;
export const SO_SNDLOWAT = 19;
export const SO_RCVTIMEO = 20;
export const SO_SNDTIMEO = 21;
export const SO_BINDTODEVICE = 25;
export const SO_ATTACH_FILTER = 26;
export const SO_DETACH_FILTER = 27;
export const SO_TIMESTAMP = 29;
export const SCM_TIMESTAMP = SO_TIMESTAMP;
export const SO_ACCEPTCONN = 30;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const SO_TIMESTAMPNS = 35;
export const SCM_TIMESTAMPNS = SO_TIMESTAMPNS;
export const SO_MARK = 36;
export const SO_TIMESTAMPING = 37;
export const SCM_TIMESTAMPING = SO_TIMESTAMPING;
export const SCM_TIMESTAMPING_OPT_STATS = 54;
export const SO_PROTOCOL = 38;
export const SO_DOMAIN = 39;
export const SO_RXQ_OVFL = 40;
export const SO_PEEK_OFF = 42;
export const SO_LOCK_FILTER = 44;
export const SO_BUSY_POLL = 46;
export const SO_MAX_PACING_RATE = 47;
export const SO_INCOMING_CPU = 49;
export const SO_MEMINFO = 55;
export const SO_COOKIE = 57;
export const SO_ZEROCOPY = 60;
export const SO_BINDTOIFINDEX = 62;

/* Flags of send(2) and recv(2), and of msghdr.msg_flags. */
export const MSG_OOB = 0x1;
export const MSG_PEEK = 0x2;
export const MSG_DONTROUTE = 0x4;
export const MSG_CTRUNC = 0x8;
export const MSG_PROBE = 0x10;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_EOR = 0x80;
export const MSG_WAITALL = 0x100;
export const MSG_CONFIRM = 0x800;
export const MSG_ERRQUEUE = 0x2000;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_MORE = 0x8000;
export const MSG_WAITFORONE = 0x10000;
export const MSG_SENDPAGE_NOTLAST = 0x20000;
export const MSG_ZEROCOPY = 0x4000000;
/** Inside the kernel alone: the reader is splice(2), which never passes urgent data. */
export const MSG_SPLICE_READ = 0x8000000;
export const MSG_FASTOPEN = 0x20000000;

/* How of shutdown(2). */
export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;

export const SOMAXCONN = 4096;

/* Socket ioctls. */
export const FIONREAD = 0x541b;
export const SIOCINQ = FIONREAD;
export const TIOCOUTQ = 0x5411;
export const SIOCOUTQ = TIOCOUTQ;
export const SIOCOUTQNSD = 0x894b;
export const SIOCATMARK = 0x8905;
export const SIOCGSTAMP = 0x8906;
export const FIONBIO = 0x5421;
