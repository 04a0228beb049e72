/*
 * What is gathered while one ACK is processed: the kernel's tcp_sacktag_state, rate_sample and ack_sample, which are
 * on tcp_ack's stack there. Here there is one per Net, reused: tcpAck is never entered twice at a time in a Net.
 *
 * Order of calls: tcpAck → tcpSacktagInit → what it calls fills and reads it. Read first: RFC 6675 §3 (scoreboard).
 */

/** What an ACK says of the segments it took from the retransmission queue (ack_sample). */
export class AckSample {
  /** Segments newly acknowledged, cumulatively or by SACK. */
  pktsAcked: number;
  /** Round-trip time in µs, -1 = none to be had (Karn). */
  rttUs: number;
  /** Bytes in flight when the newest of them was sent. */
  inFlight: number;

  constructor() {
    this.pktsAcked = 0;
    this.rttUs = -1;
    this.inFlight = 0;
  }
}

/** What is known of the delivery rate over the last sampled flight (rate_sample). Times in µs. */
export class RateSample {
  /** sk.deliveredMstamp when the sampled segment was sent. */
  priorMstamp: number;
  /** sk.delivered when the sampled segment was sent; 0 = no sample. */
  priorDelivered: number;
  priorDeliveredCe: number;
  /** Segments delivered over the interval; -1 = invalid. */
  delivered: number;
  deliveredCe: number;
  /** Length of the sampling interval; -1 = invalid. */
  intervalUs: number;
  /** Its two halves: the time to send, the time to be acknowledged. */
  sndIntervalUs: number;
  rcvIntervalUs: number;
  /** RTT of the newest segment of this ACK, -1 = none. */
  rttUs: number;
  /** Segments newly marked lost by this ACK. */
  losses: number;
  /** Segments newly acknowledged or SACKed by this ACK. */
  ackedSacked: number;
  /** Segments in flight before this ACK. */
  priorInFlight: number;
  /** End of the newest segment delivered. */
  lastEndSeq: number;
  /** Number of its transmission. */
  lastSerial: number;
  isAppLimited: boolean;
  /** The sampled segment had been retransmitted. */
  isRetrans: boolean;
  /** The ACK was likely delayed by the receiver. */
  isAckDelayed: boolean;

  constructor() {
    this.priorMstamp = 0;
    this.priorDelivered = 0;
    this.priorDeliveredCe = 0;
    this.delivered = -1;
    this.deliveredCe = 0;
    this.intervalUs = -1;
    this.sndIntervalUs = 0;
    this.rcvIntervalUs = 0;
    this.rttUs = -1;
    this.losses = 0;
    this.ackedSacked = 0;
    this.priorInFlight = 0;
    this.lastEndSeq = 0;
    this.lastSerial = 0;
    this.isAppLimited = false;
    this.isRetrans = false;
    this.isAckDelayed = false;
  }
}

/** The state of tcpAck and its helpers (tcp_sacktag_state, and the two values that tcp_ack passes by reference). */
export class TcpSacktagState {
  /** FLAG_*: what the ACK did. */
  flag: number;
  /** REXMIT_*: what to send once the window is settled. */
  rexmit: number;
  /** Lowest sequence number that reordering was seen at. */
  reord: number;
  /** Send times of the first and last segment newly SACKed and never retransmitted, µs; valid if sacktValid. */
  firstSackt: number;
  lastSackt: number;
  sacktValid: boolean;
  /** The same for segments that are acknowledged cumulatively. */
  firstAckt: number;
  lastAckt: number;
  acktValid: boolean;
  /** Segments delivered, as SACK says. */
  sackDelivered: number;
  mssNow: number;
  rate: RateSample;
  ack: AckSample;
  /** SACK blocks of the ACK in order of sequence, as start/end pairs: room for four. */
  sp: Int32Array;

  constructor() {
    this.flag = 0;
    this.rexmit = 0;
    this.reord = 0;
    this.firstSackt = 0;
    this.lastSackt = 0;
    this.sacktValid = false;
    this.firstAckt = 0;
    this.lastAckt = 0;
    this.acktValid = false;
    this.sackDelivered = 0;
    this.mssNow = 0;
    this.rate = new RateSample();
    this.ack = new AckSample();
    this.sp = new Int32Array(8);
  }
}

/** Begins an ACK. @param flag FLAG_* that the caller knows already */
export function tcpSacktagInit(st: TcpSacktagState, flag: number): void {
  const rs = st.rate;
  st.flag = flag;
  st.rexmit = 0;
  st.firstSackt = 0;
  st.lastSackt = 0;
  st.sacktValid = false;
  st.sackDelivered = 0;
  rs.priorMstamp = 0;
  rs.priorDelivered = 0;
  rs.priorDeliveredCe = 0;
  rs.lastEndSeq = 0;
  rs.isAppLimited = false;
  rs.isRetrans = false;
  rs.isAckDelayed = false;
  rs.rttUs = -1;
}
