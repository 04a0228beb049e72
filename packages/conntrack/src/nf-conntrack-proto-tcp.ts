/*
 * Tracking TCP (net/netfilter/nf_conntrack_proto_tcp.c).
 *
 *   tcpError (header, checksum, flags) -> tcpPacket: tcpNew for the first segment; the table of states; what the next state asks
 *   (a SYN that opens again, a segment to ignore, a reset to check) -> tcpInWindow -> tcpFinish: new state and timeout
 *
 * Read first: RFC 9293 §3.3.2, RFC 5961 §3 and §4 (resets and SYNs that may be forged), RFC 5382 (what NAT owes TCP).
 */
import { IPPROTO_TCP } from '@stack/ip';
import { NF_ACCEPT, NF_REPEAT } from '@stack/netfilter';
import type { NfHookState } from '@stack/netfilter';
import { pskbMayPull } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { IPS_ASSURED, IPS_SEEN_REPLY, nfCtIsConfirmed, nfCtRefresh } from './nf-conn.ts';
import type { NetnsCt, NfConn, NfConntrackL4proto } from './nf-conn.ts';
import { nfCtDelete } from './nf-conntrack-hash.ts';
import { nfCtChecksumBad, nfCtInvertPorts, nfCtPorts } from './nf-conntrack-proto-udp.ts';
import {
  IP_CT_TCP_FLAG_BE_LIBERAL, IP_CT_TCP_FLAG_CLOSE_INIT, IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED, IP_CT_TCP_FLAG_MAXACK_SET, IpCtTcp,
  TCP_ACK_SET, TCP_CONNTRACK_CLOSE, TCP_CONNTRACK_CLOSE_WAIT, TCP_CONNTRACK_ESTABLISHED, TCP_CONNTRACK_FIN_WAIT, TCP_CONNTRACK_IGNORE,
  TCP_CONNTRACK_LAST_ACK, TCP_CONNTRACK_MAX, TCP_CONNTRACK_NONE, TCP_CONNTRACK_SYN_RECV, TCP_CONNTRACK_SYN_SENT, TCP_CONNTRACK_TIME_WAIT,
  TCP_FIN_SET, TCP_NONE_SET, TCP_RST_SET, TCP_SYNACK_SET, TCP_SYN_SET, tcpConntracks,
} from './nf-conntrack-tcp-state.ts';
import type { TcpSegment } from './nf-conntrack-tcp-state.ts';
import {
  TCP_HDR_LEN, TH_ACK, TH_FIN, TH_RST, TH_SYN, tcpHdrLen, tcpInWindow, tcpInitSyn, tcpReadSegment, tcpSynOptions,
} from './nf-conntrack-tcp-window.ts';
import { CTINFO2DIR, IP_CT_DIR_ORIGINAL } from './nf-conntrack-tuple.ts';

/** The flags that a segment may have together; PSH, URG, ECE and CWR go with any (but a bare ACK-less FIN or nothing at all is none). */
function tcpFlagsValid(flags: number): boolean {
  switch (flags & (TH_SYN | TH_FIN | TH_RST | TH_ACK)) {
    case TH_SYN:
    case TH_SYN | TH_ACK:
    case TH_RST:
    case TH_RST | TH_ACK:
    case TH_FIN | TH_ACK:
    case TH_ACK:
      return true;
    default:
      return false;
  }
}

/** What the segment is to the table of states. */
function tcpIndex(flags: number): number {
  if ((flags & TH_RST) !== 0) return TCP_RST_SET;
  if ((flags & TH_SYN) !== 0) return (flags & TH_ACK) !== 0 ? TCP_SYNACK_SET : TCP_SYN_SET;
  if ((flags & TH_FIN) !== 0) return TCP_FIN_SET;
  return (flags & TH_ACK) !== 0 ? TCP_ACK_SET : TCP_NONE_SET;
}

function tcpError(skb: SkBuff, dataoff: number, state: NfHookState): number {
  if (!pskbMayPull(skb, dataoff + TCP_HDR_LEN)) return -NF_ACCEPT;
  const at = skb.data + dataoff;
  const hlen = tcpHdrLen(skb, at);
  if (hlen < TCP_HDR_LEN || hlen > skb.len - dataoff) return -NF_ACCEPT;
  if (nfCtChecksumBad(skb, dataoff, IPPROTO_TCP, state)) return -NF_ACCEPT;
  return tcpFlagsValid(skb.view.getUint8(at + 13)) ? NF_ACCEPT : -NF_ACCEPT;
}

/** The first segment: a SYN, or, when net.netfilter.nf_conntrack_tcp_loose says so, one from the middle. Null if it may not be. */
function tcpNew(cn: NetnsCt, seg: TcpSegment, skb: SkBuff, dataoff: number): IpCtTcp | null {
  const next = tcpConntracks[IP_CT_DIR_ORIGINAL]![tcpIndex(seg.flags)]![TCP_CONNTRACK_NONE]!;
  if (next >= TCP_CONNTRACK_MAX) return null;
  const tcp = new IpCtTcp();
  const [sender, receiver] = tcp.seen;
  if (next === TCP_CONNTRACK_SYN_SENT) {
    tcpInitSyn(seg, skb, dataoff, sender, receiver);
    return tcp;
  }
  if (cn.sysctlTcpLoose === 0) return null;
  // Windows and their scale are unknown: until both ends have spoken nothing can be refused.
  sender.tdEnd = seg.end;
  sender.tdMaxwin = Math.max(seg.win, 1);
  sender.tdMaxend = (seg.end + sender.tdMaxwin) | 0;
  sender.flags = IP_CT_TCP_FLAG_BE_LIBERAL;
  receiver.flags = IP_CT_TCP_FLAG_BE_LIBERAL;
  return tcp;
}

/** A SYN for a connection that has ended: may it begin again (RFC 9293 §3.6.1)? */
function tcpMayReopen(tcp: IpCtTcp, dir: number): boolean {
  const other = tcp.seen[dir === IP_CT_DIR_ORIGINAL ? 1 : 0];
  return (other.flags & IP_CT_TCP_FLAG_CLOSE_INIT) !== 0 || (tcp.lastDir === dir && tcp.lastIndex === TCP_RST_SET);
}

/**
 * A segment that changes nothing: the end it goes to knows whether it is right. If a SYN that was passed over so is answered by a
 * SYN-ACK, the ends had forgotten this connection and we had not: it begins with these two.
 */
function tcpIgnored(cn: NetnsCt, tcp: IpCtTcp, seg: TcpSegment, skb: SkBuff, dataoff: number, dir: number, index: number): boolean {
  if (index === TCP_SYNACK_SET && tcp.lastIndex === TCP_SYN_SET && tcp.lastDir !== dir && seg.ack === tcp.lastEnd) {
    const asked = tcp.seen[dir === IP_CT_DIR_ORIGINAL ? 1 : 0];
    const answers = tcp.seen[dir === IP_CT_DIR_ORIGINAL ? 0 : 1];
    asked.tdEnd = tcp.lastEnd;
    asked.tdMaxend = tcp.lastEnd;
    asked.tdMaxwin = Math.max(tcp.lastWin, 1);
    asked.tdScale = tcp.lastWscale;
    asked.flags = tcp.lastFlags;
    answers.tdMaxwin = 0;
    answers.flags = 0;
    return false;
  }
  tcp.lastIndex = index;
  tcp.lastDir = dir;
  tcp.lastSeq = seg.seq;
  tcp.lastEnd = seg.end;
  tcp.lastWin = seg.win;
  if (index === TCP_SYN_SET) {
    tcpSynOptions(skb, dataoff, cn.tcpScratch);
    tcp.lastWscale = cn.tcpScratch.tdScale;
    tcp.lastFlags = cn.tcpScratch.flags;
  }
  return true;
}

/** What a reset does: its next state; TCP_CONNTRACK_MAX if it is forged; TCP_CONNTRACK_IGNORE if it closes without a look at the window. */
function tcpReset(ct: NfConn, tcp: IpCtTcp, seg: TcpSegment, dir: number): number {
  // Of a connection that is ending the ends may have begun another already.
  if (tcpCanEarlyDrop(ct)) return TCP_CONNTRACK_IGNORE;
  const other = tcp.seen[dir === IP_CT_DIR_ORIGINAL ? 1 : 0];
  let next = TCP_CONNTRACK_CLOSE;
  if ((other.flags & IP_CT_TCP_FLAG_MAXACK_SET) !== 0 && tcp.lastIndex !== TCP_SYN_SET) {
    const stands = tcp.state === TCP_CONNTRACK_ESTABLISHED;
    if (seg.seq === 0 && !stands) return next; // most likely in answer to a SYN
    if (((seg.seq - other.tdMaxack) | 0) < 0 && ct.net.ct.sysctlTcpIgnoreInvalidRst === 0) return TCP_CONNTRACK_MAX;
    // RFC 5961 §3: only one that is exact ends the connection; the end may challenge another.
    const exact = seg.seq === other.tdMaxack || (tcp.lastIndex === TCP_ACK_SET && tcp.lastDir === dir && seg.seq === tcp.lastEnd);
    if (exact || !stands) return next;
    next = TCP_CONNTRACK_ESTABLISHED;
  }
  // In answer to a SYN, or to an ACK from the middle, that was let through.
  const seen = (ct.status & IPS_SEEN_REPLY) !== 0;
  const assured = (ct.status & IPS_ASSURED) !== 0;
  const answers = (seen && tcp.lastIndex === TCP_SYN_SET) || (!assured && tcp.lastIndex === TCP_ACK_SET);
  return answers && seg.ack === tcp.lastEnd ? TCP_CONNTRACK_IGNORE : next;
}

/** How long it is kept in its new state. */
function tcpTimeout(cn: NetnsCt, tcp: IpCtTcp, state: number): number {
  const t = cn.tcpTimeouts;
  const full = tcpStateTimeout(cn, state);
  if ((tcp.retrans >= cn.sysctlTcpMaxRetrans || tcp.lastWin === 0) && full > t.maxRetrans) return t.maxRetrans;
  const unacked = ((tcp.seen[0].flags | tcp.seen[1].flags) & IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED) !== 0;
  return unacked && full > t.unacknowledged ? t.unacknowledged : full;
}

function tcpStateTimeout(cn: NetnsCt, state: number): number {
  const t = cn.tcpTimeouts;
  switch (state) {
    case TCP_CONNTRACK_SYN_RECV: return t.synRecv;
    case TCP_CONNTRACK_ESTABLISHED: return t.established;
    case TCP_CONNTRACK_FIN_WAIT: return t.finWait;
    case TCP_CONNTRACK_CLOSE_WAIT: return t.closeWait;
    case TCP_CONNTRACK_LAST_ACK: return t.lastAck;
    case TCP_CONNTRACK_TIME_WAIT: return t.timeWait;
    case TCP_CONNTRACK_CLOSE: return t.close;
    default: return t.synSent; // SYN_SENT and SYN_SENT2
  }
}

/** The segment counts: new state, timeout, and whether the connection is assured. */
function tcpFinish(ct: NfConn, tcp: IpCtTcp, old: number, next: number, dir: number, index: number): number {
  const cn = ct.net.ct;
  tcp.lastIndex = index;
  tcp.lastDir = dir;
  tcp.state = next;
  if (old !== next && next === TCP_CONNTRACK_FIN_WAIT) tcp.seen[dir === IP_CT_DIR_ORIGINAL ? 0 : 1].flags |= IP_CT_TCP_FLAG_CLOSE_INIT;
  const seenReply = (ct.status & IPS_SEEN_REPLY) !== 0;
  if (!seenReply && index === TCP_RST_SET && nfCtIsConfirmed(ct)) {
    // Nobody has answered, and nobody will.
    nfCtDelete(ct);
    return NF_ACCEPT;
  }
  if (seenReply && next === TCP_CONNTRACK_ESTABLISHED && (old === TCP_CONNTRACK_SYN_RECV || old === TCP_CONNTRACK_ESTABLISHED)) {
    ct.status |= IPS_ASSURED;
  }
  nfCtRefresh(ct, tcpTimeout(cn, tcp, next));
  return NF_ACCEPT;
}

function tcpPacket(ct: NfConn, skb: SkBuff, dataoff: number, ctinfo: number): number {
  const cn = ct.net.ct;
  const seg = cn.segment;
  tcpReadSegment(seg, skb, dataoff);
  const tcp = ct.tcp ?? tcpNew(cn, seg, skb, dataoff);
  if (tcp === null) return -NF_ACCEPT;
  ct.tcp = tcp;
  const dir = CTINFO2DIR(ctinfo);
  const index = tcpIndex(seg.flags);
  let old = tcp.state;
  let next = tcpConntracks[dir]![index]![old]!;
  if (next === TCP_CONNTRACK_MAX) return -NF_ACCEPT;
  if (next === TCP_CONNTRACK_SYN_SENT && old >= TCP_CONNTRACK_TIME_WAIT) {
    if (tcpMayReopen(tcp, dir)) {
      nfCtDelete(ct);
      return -NF_REPEAT;
    }
    next = TCP_CONNTRACK_IGNORE;
  }
  if (next === TCP_CONNTRACK_IGNORE) {
    if (tcpIgnored(cn, tcp, seg, skb, dataoff, dir, index)) return NF_ACCEPT;
    old = TCP_CONNTRACK_SYN_SENT;
    next = TCP_CONNTRACK_SYN_RECV;
  } else if (next === TCP_CONNTRACK_CLOSE && index === TCP_RST_SET) {
    next = tcpReset(ct, tcp, seg, dir);
    if (next === TCP_CONNTRACK_MAX) return -NF_ACCEPT;
    if (next === TCP_CONNTRACK_IGNORE) return tcpFinish(ct, tcp, old, TCP_CONNTRACK_CLOSE, dir, index);
  }
  if (!tcpInWindow(ct, tcp, seg, skb, dataoff, dir, index)) return -NF_ACCEPT;
  return tcpFinish(ct, tcp, old, next, dir, index);
}

/** Connections that are ending may go when the table is nearly full. */
function tcpCanEarlyDrop(ct: NfConn): boolean {
  return ct.tcp !== null && ct.tcp.state >= TCP_CONNTRACK_FIN_WAIT && ct.tcp.state <= TCP_CONNTRACK_CLOSE;
}

export const nfConntrackL4protoTcp: NfConntrackL4proto = {
  l4proto: IPPROTO_TCP, name: 'tcp', pktToTuple: nfCtPorts, invertTuple: nfCtInvertPorts, packet: tcpPacket, error: tcpError,
  canEarlyDrop: tcpCanEarlyDrop,
};
