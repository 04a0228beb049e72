/*
 * Whether a TCP segment fits the windows of a connection (tcp_in_window in net/netfilter/nf_conntrack_proto_tcp.c).
 *
 * After "Real Stateful TCP Packet Filtering in IP Filter" (van Rooij, 2000): from what has passed in the middle it is known how
 * far each end may have sent (tdMaxend, by the other's window) and how far back an acknowledgement may lie (the other's tdEnd
 * less its window). What breaks these bounds is no part of the connection.
 */
import { pskbMayPull } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import type { NfConn } from './nf-conn.ts';
import {
  IP_CT_TCP_FLAG_BE_LIBERAL, IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED, IP_CT_TCP_FLAG_MAXACK_SET, IP_CT_TCP_FLAG_SACK_PERM,
  IP_CT_TCP_FLAG_WINDOW_SCALE, TCP_ACK_SET, TCP_CONNTRACK_SYN_RECV, TCP_CONNTRACK_SYN_SENT,
} from './nf-conntrack-tcp-state.ts';
import type { IpCtTcp, IpCtTcpState, TcpSegment } from './nf-conntrack-tcp-state.ts';
import { IP_CT_DIR_ORIGINAL, IP_CT_DIR_REPLY } from './nf-conntrack-tuple.ts';

/** Flags, as they stand in the header's 14th octet. */
export const TH_FIN = 0x01;
export const TH_SYN = 0x02;
export const TH_RST = 0x04;
export const TH_ACK = 0x10;

export const TCP_HDR_LEN = 20;
const TCPOPT_EOL = 0;
const TCPOPT_NOP = 1;
const TCPOPT_WINDOW = 3;
const TCPOPT_SACK_PERM = 4;
const TCPOPT_SACK = 5;
const TCP_MAX_WSCALE = 14;
/** An acknowledgement may lie this far back at least: windows may have shrunk. */
const MAXACKWINCONST = 66000;

function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** Octets of the TCP header at `at`. */
export function tcpHdrLen(skb: SkBuff, at: number): number {
  return (skb.view.getUint8(at + 12) >> 4) << 2;
}

/** Reads the segment whose header, in the linear area, begins `dataoff` from skb.data. */
export function tcpReadSegment(seg: TcpSegment, skb: SkBuff, dataoff: number): void {
  const at = skb.data + dataoff;
  const { view } = skb;
  seg.flags = view.getUint8(at + 13);
  seg.seq = view.getInt32(at + 4);
  seg.ack = view.getInt32(at + 8);
  seg.sack = seg.ack;
  seg.win = view.getUint16(at + 14);
  const counted = ((seg.flags & TH_SYN) !== 0 ? 1 : 0) + ((seg.flags & TH_FIN) !== 0 ? 1 : 0);
  seg.end = (seg.seq + skb.len - dataoff - tcpHdrLen(skb, at) + counted) | 0;
}

/** Where the first option of this kind is, which has at least `least` octets: its offset in the slab; -1 if there is none. */
function tcpFindOption(skb: SkBuff, dataoff: number, kind: number, least: number): number {
  const hlen = tcpHdrLen(skb, skb.data + dataoff);
  if (hlen <= TCP_HDR_LEN || !pskbMayPull(skb, dataoff + hlen)) return -1;
  const { view } = skb;
  const end = skb.data + dataoff + hlen;
  for (let at = skb.data + dataoff + TCP_HDR_LEN; at < end; ) {
    const found = view.getUint8(at);
    if (found === TCPOPT_EOL) return -1;
    if (found === TCPOPT_NOP) {
      at++;
      continue;
    }
    const len = at + 1 < end ? view.getUint8(at + 1) : 0;
    if (len < 2 || at + len > end) return -1;
    if (found === kind) return len >= least ? at : -1;
    at += len;
  }
  return -1;
}

/** What a SYN offers: scaling and selective acknowledgements. */
export function tcpSynOptions(skb: SkBuff, dataoff: number, state: IpCtTcpState): void {
  state.tdScale = 0;
  state.flags = 0;
  if (tcpFindOption(skb, dataoff, TCPOPT_SACK_PERM, 2) >= 0) state.flags |= IP_CT_TCP_FLAG_SACK_PERM;
  const window = tcpFindOption(skb, dataoff, TCPOPT_WINDOW, 3);
  if (window < 0) return;
  state.tdScale = Math.min(skb.view.getUint8(window + 2), TCP_MAX_WSCALE);
  state.flags |= IP_CT_TCP_FLAG_WINDOW_SCALE;
}

/** The highest octet that is acknowledged selectively, if that is beyond `ack`. */
function tcpSack(skb: SkBuff, dataoff: number, ack: number): number {
  const option = tcpFindOption(skb, dataoff, TCPOPT_SACK, 10);
  if (option < 0) return ack;
  const end = option + skb.view.getUint8(option + 1);
  let sack = ack;
  for (let edge = option + 6; edge + 4 <= end; edge += 8) {
    const right = skb.view.getInt32(edge);
    if (before(sack, right)) sack = right;
  }
  return sack;
}

/** The first segment of this end: where its window begins. Returns whether that settles it (a SYN alone in the other direction). */
function tcpInitSender(seg: TcpSegment, skb: SkBuff, dataoff: number, sender: IpCtTcpState, receiver: IpCtTcpState): boolean {
  sender.tdEnd = seg.end;
  if ((seg.flags & TH_SYN) !== 0) {
    tcpInitSyn(seg, skb, dataoff, sender, receiver);
    // Simultaneous open: the windows are known with the next segment.
    return (seg.flags & TH_ACK) === 0;
  }
  const swin = seg.win << sender.tdScale;
  sender.tdMaxwin = Math.max(swin, 1);
  sender.tdMaxend = (seg.end + sender.tdMaxwin) | 0;
  if (receiver.tdMaxwin === 0) {
    receiver.tdEnd = seg.sack;
    receiver.tdMaxend = seg.sack;
  } else if (seg.sack === ((receiver.tdEnd + 1) | 0)) {
    // We came in at a keepalive, which is one octet back.
    receiver.tdEnd = (receiver.tdEnd + 1) | 0;
  }
  return false;
}

/** A SYN says where this end begins, and what it offers; scaling holds if both have offered it (RFC 7323 §2.2). */
export function tcpInitSyn(seg: TcpSegment, skb: SkBuff, dataoff: number, sender: IpCtTcpState, receiver: IpCtTcpState): void {
  sender.tdEnd = seg.end;
  sender.tdMaxend = seg.end;
  sender.tdMaxwin = Math.max(seg.win, 1);
  tcpSynOptions(skb, dataoff, sender);
  if ((seg.flags & TH_ACK) === 0) return;
  if ((sender.flags & receiver.flags & IP_CT_TCP_FLAG_WINDOW_SCALE) !== 0) return;
  sender.tdScale = 0;
  receiver.tdScale = 0;
}

/** RFC 9293 §3.10.7.4, seen from the middle: the segment lies in the window, and acknowledges what may be acknowledged. */
function tcpInBounds(seg: TcpSegment, sender: IpCtTcpState, receiver: IpCtTcpState): boolean {
  const reach = Math.max(sender.tdMaxwin, MAXACKWINCONST);
  const inWindow = receiver.tdMaxwin === 0 || before((sender.tdEnd - receiver.tdMaxwin - 1) | 0, seg.end);
  return inWindow && before(seg.seq, (sender.tdMaxend + 1) | 0) && before(seg.sack, (receiver.tdEnd + 1) | 0) &&
    before((receiver.tdEnd - reach - 1) | 0, seg.sack);
}

/** Takes from a segment that is in bounds what it says of both ends. */
function tcpUpdateEnds(seg: TcpSegment, sender: IpCtTcpState, receiver: IpCtTcpState): void {
  const win = (seg.flags & TH_SYN) !== 0 ? seg.win : seg.win << sender.tdScale;
  const swin = win + ((seg.sack - seg.ack) | 0);
  if (sender.tdMaxwin < swin) sender.tdMaxwin = swin;
  if (before(sender.tdEnd, seg.end)) {
    sender.tdEnd = seg.end;
    sender.flags |= IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED;
  }
  if ((seg.flags & TH_ACK) !== 0 && ((sender.flags & IP_CT_TCP_FLAG_MAXACK_SET) === 0 || before(sender.tdMaxack, seg.ack))) {
    sender.tdMaxack = seg.ack;
    sender.flags |= IP_CT_TCP_FLAG_MAXACK_SET;
  }
  if (receiver.tdMaxwin !== 0 && before(sender.tdMaxend, seg.end)) receiver.tdMaxwin += (seg.end - sender.tdMaxend) | 0;
  if (before((receiver.tdMaxend - 1) | 0, (seg.sack + win) | 0)) {
    // A window of 0 may be probed with one octet.
    receiver.tdMaxend = (seg.sack + win + (win === 0 ? 1 : 0)) | 0;
  }
  if (seg.ack === receiver.tdEnd) receiver.flags &= ~IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED;
}

/** Counts how often the same ACK or data came: nobody answers, so the connection is kept less long. */
function tcpCountRetrans(tcp: IpCtTcp, seg: TcpSegment, dir: number, index: number): void {
  if (index !== TCP_ACK_SET) return;
  if (tcp.lastDir === dir && tcp.lastSeq === seg.seq && tcp.lastAck === seg.ack && tcp.lastEnd === seg.end && tcp.lastWin === seg.win) {
    tcp.retrans++;
    return;
  }
  tcp.lastDir = dir;
  tcp.lastSeq = seg.seq;
  tcp.lastAck = seg.ack;
  tcp.lastEnd = seg.end;
  tcp.lastWin = seg.win;
  tcp.retrans = 0;
}

/** An acknowledgement where the segment has none, or a useless one, is taken to be right. */
function tcpMendAck(seg: TcpSegment, tcp: IpCtTcp, sender: IpCtTcpState, receiver: IpCtTcpState): void {
  const bare = (seg.flags & TH_ACK) === 0;
  if (bare || ((seg.flags & TH_RST) !== 0 && seg.ack === 0)) {
    seg.ack = receiver.tdEnd;
    seg.sack = receiver.tdEnd;
  }
  // RFC 9293 §3.5.2: a reset in answer to a SYN has sequence number 0.
  if ((seg.flags & TH_RST) !== 0 && seg.seq === 0 && tcp.state === TCP_CONNTRACK_SYN_SENT) {
    seg.seq = sender.tdEnd;
    seg.end = sender.tdEnd;
  }
}

/** Whether the segment (read, header in the linear area) fits what has been seen of the connection; takes note of it if so. */
export function tcpInWindow(ct: NfConn, tcp: IpCtTcp, seg: TcpSegment, skb: SkBuff, dataoff: number, dir: number, index: number): boolean {
  const sender = tcp.seen[dir === IP_CT_DIR_ORIGINAL ? 0 : 1];
  const receiver = tcp.seen[dir === IP_CT_DIR_ORIGINAL ? 1 : 0];
  if ((receiver.flags & IP_CT_TCP_FLAG_SACK_PERM) !== 0) seg.sack = tcpSack(skb, dataoff, seg.ack);
  if (sender.tdMaxwin === 0) {
    if (tcpInitSender(seg, skb, dataoff, sender, receiver)) return true;
  } else if ((seg.flags & TH_SYN) !== 0 && tcpBeginsAgain(tcp, dir)) {
    tcpInitSyn(seg, skb, dataoff, sender, receiver);
  }
  tcpMendAck(seg, tcp, sender, receiver);
  if (!tcpInBounds(seg, sender, receiver)) {
    return (sender.flags & IP_CT_TCP_FLAG_BE_LIBERAL) !== 0 || ct.net.ct.sysctlTcpBeLiberal !== 0;
  }
  tcpUpdateEnds(seg, sender, receiver);
  tcpCountRetrans(tcp, seg, dir, index);
  return true;
}

/** A SYN that may be another than the last one: before the connection stands its sender may have begun anew. */
function tcpBeginsAgain(tcp: IpCtTcp, dir: number): boolean {
  return (tcp.state === TCP_CONNTRACK_SYN_SENT && dir === IP_CT_DIR_ORIGINAL) || (tcp.state === TCP_CONNTRACK_SYN_RECV && dir === IP_CT_DIR_REPLY);
}
