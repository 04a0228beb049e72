/*
 * What setsockopt changes of a connection, in one struct that a listener's children and all socks without options of
 * their own share: it is copied when one of them writes (tcpOwnOpts).
 *
 * Deviation: Linux keeps them in tcp_sock itself. Few sockets set any; a million of them must fit.
 * Order of calls: tcpSetsockopt → tcpOwnOpts; tcpCreateOpenreqChild → tcpShareOpts. Read first: tcp(7), socket options.
 */

/** Options of a TcpSock; 0 takes the host's value (the sysctl's) unless said. Times are jiffies unless said. */
export class TcpSockOpts {
  /** More than one sock has this struct: it must not be written. */
  shared: boolean;
  keepaliveTime: number;
  keepaliveIntvl: number;
  keepaliveProbes: number;
  /** How long an orphan stays in FIN_WAIT2; < 0: not at all. */
  linger2: number;
  /** Bytes. */
  notsentLowat: number;
  /** TCP_USER_TIMEOUT in milliseconds, 0 for none. */
  userTimeout: number;
  synRetries: number;
  rtoMin: number;
  rtoMax: number;
  delackMax: number;
  /** TCP_CONGESTION chose the congestion control: children have it too. */
  caSetsockopt: boolean;
  /** TCP_INQ: recvmsg tells in a control message how many bytes wait. */
  recvmsgInq: boolean;
  thinLto: boolean;
  /** TCP_SAVE_SYN: 0, 1, or 2 for the link header too. */
  saveSyn: number;
  /** TCP_FASTOPEN_CONNECT: the SYN waits for the first write if the peer is known to take data in it. */
  fastopenConnect: boolean;
  /** TCP_FASTOPEN_NO_COOKIE. */
  fastopenNoCookie: boolean;

  constructor() {
    this.shared = false;
    this.keepaliveTime = 0;
    this.keepaliveIntvl = 0;
    this.keepaliveProbes = 0;
    this.linger2 = 0;
    this.notsentLowat = 0;
    this.userTimeout = 0;
    this.synRetries = 0;
    this.rtoMin = 0;
    this.rtoMax = 0;
    this.delackMax = 0;
    this.caSetsockopt = false;
    this.recvmsgInq = false;
    this.thinLto = false;
    this.saveSyn = 0;
    this.fastopenConnect = false;
    this.fastopenNoCookie = false;
  }
}
