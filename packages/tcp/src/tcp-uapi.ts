/*
 * The numbers of TCP's socket options and control messages (linux/tcp.h), and their structs.
 *
 * Order of calls: none, data alone. Read first: tcp(7).
 */
import type { SockAddr } from '@stack/socket';

export const TCP_NODELAY = 1;
export const TCP_MAXSEG = 2;
export const TCP_CORK = 3;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_SYNCNT = 7;
export const TCP_LINGER2 = 8;
export const TCP_DEFER_ACCEPT = 9;
export const TCP_WINDOW_CLAMP = 10;
export const TCP_INFO = 11;
export const TCP_QUICKACK = 12;
export const TCP_CONGESTION = 13;
export const TCP_MD5SIG = 14;
export const TCP_THIN_LINEAR_TIMEOUTS = 16;
export const TCP_USER_TIMEOUT = 18;
export const TCP_TIMESTAMP = 24;
export const TCP_NOTSENT_LOWAT = 25;
export const TCP_FASTOPEN = 23;
export const TCP_FASTOPEN_CONNECT = 30;
export const TCP_MD5SIG_EXT = 32;
export const TCP_FASTOPEN_KEY = 33;
export const TCP_FASTOPEN_NO_COOKIE = 34;
export const TCP_CC_INFO = 26;
export const TCP_SAVE_SYN = 27;
export const TCP_SAVED_SYN = 28;
export const TCP_INQ = 36;
export const TCP_CM_INQ = TCP_INQ;
export const TCP_RTO_MAX_MS = 44;
export const TCP_RTO_MIN_US = 45;
export const TCP_DELACK_MAX_US = 46;

/** Limits of the options. */
export const MAX_TCP_KEEPIDLE = 32767;
export const MAX_TCP_KEEPINTVL = 32767;
export const MAX_TCP_KEEPCNT = 127;
export const MAX_TCP_SYNCNT = 127;

/** struct tcp_md5sig: the value of TCP_MD5SIG and TCP_MD5SIG_EXT. */
export class TcpMd5sig {
  /** Whose key it is; the port does not count. */
  tcpmAddr: SockAddr;
  /** At most TCP_MD5SIG_MAXKEYLEN bytes; none: the key is taken away. */
  tcpmKey: Uint8Array;
  /** TCP_MD5SIG_FLAG_*, with TCP_MD5SIG_EXT. */
  tcpmFlags: number;
  tcpmPrefixlen: number;
  tcpmIfindex: number;

  constructor(tcpmAddr: SockAddr, tcpmKey: Uint8Array, tcpmFlags = 0, tcpmPrefixlen = 0, tcpmIfindex = 0) {
    this.tcpmAddr = tcpmAddr;
    this.tcpmKey = tcpmKey;
    this.tcpmFlags = tcpmFlags;
    this.tcpmPrefixlen = tcpmPrefixlen;
    this.tcpmIfindex = tcpmIfindex;
  }
}

export const TCP_MD5SIG_MAXKEYLEN = 80;
export const TCP_MD5SIG_FLAG_PREFIX = 0x1;
export const TCP_MD5SIG_FLAG_IFINDEX = 0x2;
