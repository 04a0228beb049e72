/*
 * TCP as tracking sees it: the states, what leads from one to the next, and the window of each end
 * (include/uapi/linux/netfilter/nf_conntrack_tcp.h).
 *
 * The states are of a connection seen from the middle: SYN_RECV says that both SYNs have passed, CLOSE_WAIT that the first FIN
 * has been acknowledged. Read first: RFC 9293 §3.3.2.
 */

export const TCP_CONNTRACK_NONE = 0;
export const TCP_CONNTRACK_SYN_SENT = 1;
export const TCP_CONNTRACK_SYN_RECV = 2;
export const TCP_CONNTRACK_ESTABLISHED = 3;
export const TCP_CONNTRACK_FIN_WAIT = 4;
export const TCP_CONNTRACK_CLOSE_WAIT = 5;
export const TCP_CONNTRACK_LAST_ACK = 6;
export const TCP_CONNTRACK_TIME_WAIT = 7;
export const TCP_CONNTRACK_CLOSE = 8;
/** Both ends have sent a SYN. */
export const TCP_CONNTRACK_SYN_SENT2 = 9;
/** No state: the packet is no part of the connection. */
export const TCP_CONNTRACK_MAX = 10;
/** No state: the packet changes nothing; the answer to it will show what it was. */
export const TCP_CONNTRACK_IGNORE = 11;

/** Names of the states, as `conntrack -L` has them. */
export const tcpConntrackNames: readonly string[] = [
  'NONE', 'SYN_SENT', 'SYN_RECV', 'ESTABLISHED', 'FIN_WAIT', 'CLOSE_WAIT', 'LAST_ACK', 'TIME_WAIT', 'CLOSE', 'SYN_SENT2',
];

/** What a segment is to the table below. */
export const TCP_SYN_SET = 0;
export const TCP_SYNACK_SET = 1;
export const TCP_FIN_SET = 2;
export const TCP_ACK_SET = 3;
export const TCP_RST_SET = 4;
export const TCP_NONE_SET = 5;

const states: Readonly<Record<string, number>> = {
  NO: TCP_CONNTRACK_NONE, SS: TCP_CONNTRACK_SYN_SENT, SR: TCP_CONNTRACK_SYN_RECV, ES: TCP_CONNTRACK_ESTABLISHED, FW: TCP_CONNTRACK_FIN_WAIT,
  CW: TCP_CONNTRACK_CLOSE_WAIT, LA: TCP_CONNTRACK_LAST_ACK, TW: TCP_CONNTRACK_TIME_WAIT, CL: TCP_CONNTRACK_CLOSE,
  S2: TCP_CONNTRACK_SYN_SENT2, iv: TCP_CONNTRACK_MAX, ig: TCP_CONNTRACK_IGNORE,
};

function row(text: string): readonly number[] {
  return text.split(' ').map((name) => states[name]!);
}

/** The next state, at [direction][segment][state]. */
export const tcpConntracks: readonly (readonly (readonly number[])[])[] = [
  [ //  from NO SS SR ES FW CW LA TW CL S2
    row('SS SS ig ig ig ig ig SS SS S2'), // SYN: begins, or opens again what has ended
    row('iv iv SR iv iv iv iv iv iv SR'), // SYN-ACK: only of a simultaneous open
    row('iv iv FW FW LA LA LA TW CL iv'), // FIN
    row('ES iv ES ES CW CW TW TW CL iv'), // ACK: of nothing known, we came in late
    row('iv CL CL CL CL CL CL CL CL CL'), // RST
    row('iv iv iv iv iv iv iv iv iv iv'), // none of these
  ],
  [ //  from NO SS SR ES FW CW LA TW CL S2
    row('iv S2 iv iv iv iv iv SS iv S2'),
    row('iv SR ig ig ig ig ig ig ig SR'),
    row('iv iv FW FW LA LA LA TW CL iv'),
    row('iv ig SR ES CW CW TW TW CL ig'),
    row('iv CL CL CL CL CL CL CL CL CL'),
    row('iv iv iv iv iv iv iv iv iv iv'),
  ],
];

/** IpCtTcpState.flags: it has offered window scaling. */
export const IP_CT_TCP_FLAG_WINDOW_SCALE = 0x01;
/** It has offered selective acknowledgements. */
export const IP_CT_TCP_FLAG_SACK_PERM = 0x02;
/** It has sent the first FIN. */
export const IP_CT_TCP_FLAG_CLOSE_INIT = 0x04;
/** Its window is not known well enough to refuse anything. */
export const IP_CT_TCP_FLAG_BE_LIBERAL = 0x08;
/** It has sent data that is not acknowledged. */
export const IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED = 0x10;
/** tdMaxack holds. */
export const IP_CT_TCP_FLAG_MAXACK_SET = 0x20;

/** What has been seen of one end. */
export class IpCtTcpState {
  /** The highest sequence number it has sent, one further. */
  tdEnd: number;
  /** The highest that the other end's window allows. */
  tdMaxend: number;
  /** The largest window it has offered; 0: nothing has been seen of it. */
  tdMaxwin: number;
  /** The highest acknowledgement it has sent. */
  tdMaxack: number;
  tdScale: number;
  /** IP_CT_TCP_FLAG_* */
  flags: number;

  constructor() {
    this.tdEnd = 0;
    this.tdMaxend = 0;
    this.tdMaxwin = 0;
    this.tdMaxack = 0;
    this.tdScale = 0;
    this.flags = 0;
  }
}

/** What TCP knows of a connection. */
export class IpCtTcp {
  /** The ends, at [the direction they send in]. */
  seen: readonly [IpCtTcpState, IpCtTcpState];
  /** TCP_CONNTRACK_* */
  state: number;
  /* The last segment: its direction, what it was, and its numbers; and how often it came again. */
  lastDir: number;
  lastIndex: number;
  lastSeq: number;
  lastAck: number;
  lastEnd: number;
  lastWin: number;
  lastWscale: number;
  lastFlags: number;
  retrans: number;

  constructor() {
    this.seen = [new IpCtTcpState(), new IpCtTcpState()];
    this.state = TCP_CONNTRACK_NONE;
    this.lastDir = 0;
    this.lastIndex = TCP_NONE_SET;
    this.lastSeq = 0;
    this.lastAck = 0;
    this.lastEnd = 0;
    this.lastWin = 0;
    this.lastWscale = 0;
    this.lastFlags = 0;
    this.retrans = 0;
  }
}

/** A segment's numbers, read once. One is kept for the packet path. */
export class TcpSegment {
  seq: number;
  ack: number;
  /** The highest octet that it acknowledges, selectively too. */
  sack: number;
  /** Behind its last octet, SYN and FIN counted. */
  end: number;
  /** As in the header, not scaled. */
  win: number;
  /** TH_* (nf-conntrack-tcp-window.ts) */
  flags: number;

  constructor() {
    this.seq = 0;
    this.ack = 0;
    this.sack = 0;
    this.end = 0;
    this.win = 0;
    this.flags = 0;
  }
}
