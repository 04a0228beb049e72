/*
 * Fast Open, the server: a SYN with a good cookie makes its child at once, in SYN-RECEIVED, with the SYN's data to read.
 *
 * Order of calls: tcpConnRequest → tcpTryFastopen → tcpFastopenCreateChild; the child's SYN-ACK is sent again by
 * tcpFastopenSynackTimer; its ACK: tcpRcvStateProcess → tcpFastopenCheckReq → tcpRcvSynrecvStateFastopen →
 * reqskFastopenRemove. Read first: RFC 7413 §4.1.2, §4.2.1, §4.2.2 (server), §5.
 */
import { ICSK_TIME_RETRANS, inetCskAcceptQueue, inetRtxSynAck, reqskFree } from '@stack/inet-sock';
import { EINVAL, HZ, SiphashKey, siphashKeyInit, timeAfter } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { __skbPull, dstClone, skbClone, skbDstDrop } from '@stack/skbuff';
import type { DstEntry, SkBuff } from '@stack/skbuff';
import { TCP_LISTEN, skForcedMemSchedule, skbSetOwnerR, sockStampSkb } from '@stack/socket';
import { tcpClockMs } from './tcp-clock.ts';
import { TCP_TIMEOUT_INIT, TFO_SERVER_COOKIE_NOT_REQD, TFO_SERVER_ENABLE, TFO_SERVER_WO_SOCKOPT1 } from './tcp-consts.ts';
import type { TcpFastopenCookie } from './tcp-fastopen-cookie.ts';
import { thHdrLen, thWindow } from './tcp-hdr.ts';
import { tcpAddReceiveQueue, tcpFin } from './tcp-input-data.ts';
import { tcpEnterLoss } from './tcp-input-recovery.ts';
import { tcpTryUndoRecovery } from './tcp-input-undo.ts';
import { tcpInitTransfer } from './tcp-input-transfer.ts';
import {
  LINUX_MIB_TCPFASTOPENCOOKIEREQD, LINUX_MIB_TCPFASTOPENLISTENOVERFLOW, LINUX_MIB_TCPFASTOPENPASSIVE,
  LINUX_MIB_TCPFASTOPENPASSIVEALTKEY, LINUX_MIB_TCPFASTOPENPASSIVEFAIL,
} from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpRearmRto, tcpResetXmitTimer } from './tcp-output-timer.ts';
import type { TcpRequestSock } from './tcp-request-sock.ts';
import { TCPHDR_FIN, TCPHDR_SYN, tcbEndSeq, tcbSeq, tcbSetSeq, tcbSetTcpFlags, tcbTcpFlags } from './tcp-skb-cb.ts';
import { TCP_CA_Loss, tcpSk, tcpTfo, tcpTfoOf } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpSegsIn } from './tcp-segs-in.ts';

/** How long a child that was reset counts, jiffies. */
const TFO_RST_HOLD = 60 * HZ;

// --- Cookies --------------------------------------------------------------------------------------------------

/** The host's keys of cookies, the first for new ones; drawn when nobody has set them. */
function fastopenNetKeys(net: Net): readonly SiphashKey[] {
  net.tcp.fastopenKeys ??= [siphashKeyInit(net.world)];
  return net.tcp.fastopenKeys;
}

/** The keys of a listener: its own (TCP_FASTOPEN_KEY), or the host's. */
function fastopenKeys(sk: TcpSock): readonly SiphashKey[] {
  const own = sk.icskAcceptQueue === null ? null : sk.icskAcceptQueue.fastopenKeys;
  return own ?? fastopenNetKeys(sk.skNet);
}

const TCP_FASTOPEN_KEY_LENGTH = 16;

/** setsockopt(TCP_FASTOPEN_KEY): one key of 16 octets, or two, of which the second is the one before (RFC 7413 §4.1.2). 0 or -EINVAL. */
export function tcpFastopenResetCipher(sk: TcpSock, octets: Uint8Array): number {
  if (octets.length !== TCP_FASTOPEN_KEY_LENGTH && octets.length !== 2 * TCP_FASTOPEN_KEY_LENGTH) return -EINVAL;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  const keys: SiphashKey[] = [];
  for (let at = 0; at < octets.length; at += TCP_FASTOPEN_KEY_LENGTH) {
    const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = [0, 4, 8, 12].map((i) => view.getInt32(at + i, true));
    keys.push(new SiphashKey(k0, k1, k2, k3));
  }
  inetCskAcceptQueue(sk).fastopenKeys = keys;
  return 0;
}

/** getsockopt(TCP_FASTOPEN_KEY): the octets of the keys that the listener uses. */
export function tcpFastopenGetCipher(sk: TcpSock): Uint8Array {
  const keys = fastopenKeys(sk);
  const octets = new Uint8Array(keys.length * TCP_FASTOPEN_KEY_LENGTH);
  const view = new DataView(octets.buffer);
  keys.forEach((key, i) => {
    [key.k0, key.k1, key.k2, key.k3].forEach((word, j) => view.setInt32(i * TCP_FASTOPEN_KEY_LENGTH + j * 4, word, true));
  });
  return octets;
}

/** Reads net.ipv4.tcp_fastopen_key: one or two keys of four hexadecimal words. Null if it is none. */
export function tcpFastopenParseKeys(text: string): SiphashKey[] | null {
  const keys = text.split(',').map((key) => /^([0-9a-f]{1,8})-([0-9a-f]{1,8})-([0-9a-f]{1,8})-([0-9a-f]{1,8})$/i.exec(key.trim()));
  if (keys.length > 2 || keys.some((key) => key === null)) return null;
  return keys.map((key) => {
    const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = (key ?? []).slice(1).map((word) => parseInt(word, 16));
    return new SiphashKey(k0, k1, k2, k3);
  });
}

/** The keys as net.ipv4.tcp_fastopen_key shows them. */
export function tcpFastopenFormatKeys(net: Net): string {
  const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
  return fastopenNetKeys(net).map((key) => [key.k0, key.k1, key.k2, key.k3].map(hex).join('-')).join(',');
}

function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}

/** The cookie of a SYN by key `i`; null if the carrier makes none. */
function fastopenCookie(sk: TcpSock, req: TcpRequestSock, syn: SkBuff, i: number): Uint8Array | null {
  const key = fastopenKeys(sk)[i];
  const make = req.afSpecific.fastopenCookie;
  return key === undefined || make === null ? null : make(syn, key);
}

/** Which key made the cookie: 1, 2, or 0 for none. */
function fastopenCookieCheck(sk: TcpSock, req: TcpRequestSock, syn: SkBuff, cookie: Uint8Array): number {
  for (let i = 0; i < 2; i++) {
    const made = fastopenCookie(sk, req, syn, i);
    if (made !== null && sameOctets(made, cookie)) return i + 1;
  }
  return 0;
}

// --- The SYN --------------------------------------------------------------------------------------------------

/** How many connections in SYN-RECEIVED a listener may have: TCP_FASTOPEN's, or the backlog if the sysctl says so. */
function fastopenMaxQlen(sk: TcpSock): number {
  const max = inetCskAcceptQueue(sk).fastopenMaxQlen;
  if (max >= 0) return max;
  return (sk.skNet.tcp.sysctlTcpFastopen & TFO_SERVER_WO_SOCKOPT1) !== 0 ? sk.skMaxAckBacklog : 0;
}

function fastopenQueueCheck(sk: TcpSock): boolean {
  const max = fastopenMaxQlen(sk);
  if (max === 0) return false;
  const queue = inetCskAcceptQueue(sk);
  if (queue.fastopenQlen < max) return true;
  const [until] = queue.fastopenRst;
  if (until !== undefined && !timeAfter(until, sk.skNet.world.jiffies)) {
    queue.fastopenRst.shift();
    queue.fastopenQlen--;
    return true;
  }
  netIncStats(sk.skNet, LINUX_MIB_TCPFASTOPENLISTENOVERFLOW);
  return false;
}

/** Queues the data of a SYN, of which the child gets a clone. */
function tcpFastopenAddSkb(child: TcpSock, syn: SkBuff): void {
  if (tcbEndSeq(syn) === child.rcvNxt) return;
  const skb = skbClone(syn);
  if (skb === null) return;
  skbDstDrop(skb);
  sockStampSkb(child, skb);
  child.segsIn = 0;
  tcpSegsIn(child, skb);
  __skbPull(skb, thHdrLen(skb));
  skForcedMemSchedule(child, skb.truesize);
  skbSetOwnerR(skb, child);
  const flags = tcbTcpFlags(skb) & ~TCPHDR_SYN;
  tcbSetSeq(skb, tcbSeq(skb) + 1);
  tcbSetTcpFlags(skb, flags);
  child.rcvNxt = tcbEndSeq(skb);
  child.bytesReceived = skb.len;
  tcpAddReceiveQueue(child, skb);
  tcpTfo(child).synDataAcked = true;
  if ((flags & TCPHDR_FIN) !== 0) tcpFin(child);
}

/** The child of a SYN, in SYN-RECEIVED, with a reference of the caller's besides the queue's; or null. */
function tcpFastopenCreateChild(sk: TcpSock, syn: SkBuff, req: TcpRequestSock, dst: DstEntry | null): TcpSock | null {
  const sock = sk.afSpecific.synRecvSock(sk, syn, req, dst === null ? null : dstClone(dst), null);
  if (sock === null) return null;
  const child = tcpSk(sock);
  inetCskAcceptQueue(sk).fastopenQlen++;
  tcpTfo(child).fastopenRsk = req;
  tcpTfo(child).synFastopenChild = true;
  req.tfoListener = true;
  // RFC 7323 §2.2: the window of a SYN is not scaled.
  child.sndWnd = thWindow(syn);
  child.maxWindow = child.sndWnd;
  req.timeout = TCP_TIMEOUT_INIT;
  tcpResetXmitTimer(child, ICSK_TIME_RETRANS, req.timeout);
  tcpInitTransfer(child);
  child.rcvNxt = (tcbSeq(syn) + 1) | 0;
  tcpFastopenAddSkb(child, syn);
  req.rcvNxt = child.rcvNxt;
  child.rcvWup = child.rcvNxt;
  return child;
}

/**
 * A SYN with data or with the option, for listener sk.
 * @param foc its option; on return the SYN-ACK's
 * @returns the child, or null: the handshake goes its three ways
 */
export function tcpTryFastopen(sk: TcpSock, syn: SkBuff, req: TcpRequestSock, foc: TcpFastopenCookie, dst: DstEntry | null): TcpSock | null {
  const net = sk.skNet;
  const asked = foc.val;
  foc.val = null;
  if (asked !== null && asked.length === 0) netIncStats(net, LINUX_MIB_TCPFASTOPENCOOKIEREQD);
  const data = tcbEndSeq(syn) !== ((tcbSeq(syn) + 1) | 0);
  if ((net.tcp.sysctlTcpFastopen & TFO_SERVER_ENABLE) === 0 || (!data && asked === null) || !fastopenQueueCheck(sk)) return null;
  const free = sk.opts.fastopenNoCookie || (net.tcp.sysctlTcpFastopen & TFO_SERVER_COOKIE_NOT_REQD) !== 0;
  if (!free && asked === null) return null;
  const key = free || asked === null || asked.length === 0 ? 0 : fastopenCookieCheck(sk, req, syn, asked);
  if (!free && asked !== null && asked.length > 0 && key === 0) netIncStats(net, LINUX_MIB_TCPFASTOPENPASSIVEFAIL);
  const child = free || key !== 0 ? tcpFastopenCreateChild(sk, syn, req, dst) : null;
  if (child !== null) {
    // By the old key: the client gets a cookie of the new one.
    if (key === 2) {
      foc.val = fastopenCookie(sk, req, syn, 0);
      netIncStats(net, LINUX_MIB_TCPFASTOPENPASSIVEALTKEY);
    }
    netIncStats(net, LINUX_MIB_TCPFASTOPENPASSIVE);
    return child;
  }
  if (free || key !== 0) netIncStats(net, LINUX_MIB_TCPFASTOPENPASSIVEFAIL);
  if (asked !== null) foc.val = fastopenCookie(sk, req, syn, 0);
  return null;
}

// --- The child, until its handshake is complete -----------------------------------------------------------------

/** The request of a child whose handshake is not complete; null: none. */
export function tcpFastopenRsk(sk: TcpSock): TcpRequestSock | null {
  const tfo = tcpTfoOf(sk);
  return tfo === null ? null : tfo.fastopenRsk;
}

/**
 * The child no longer needs its request: the handshake is complete, or has failed. `reset`: by a reset; then an accepted child counts for
 * the queue for a minute more, so that SYNs with a stolen cookie fill it (RFC 7413 §5.1).
 */
export function reqskFastopenRemove(sk: TcpSock, req: TcpRequestSock, reset: boolean): void {
  tcpTfo(sk).fastopenRsk = null;
  req.tfoListener = false;
  const listener = req.rskListener;
  const listens = listener !== null && listener.skState === TCP_LISTEN;
  const queue = listens ? inetCskAcceptQueue(listener) : null;
  if (queue !== null) queue.fastopenQlen--;
  // Accepted already: then nobody else has it.
  if (req.sk !== null) return;
  if (queue !== null && reset) {
    queue.fastopenRst.push((sk.skNet.world.jiffies + TFO_RST_HOLD) | 0);
    queue.fastopenQlen++;
  }
  reqskFree(req);
}

/** SYN-RECEIVED, and the SYN-ACK is acknowledged. */
export function tcpRcvSynrecvStateFastopen(sk: TcpSock, req: TcpRequestSock): void {
  if (sk.icskCaState === TCP_CA_Loss && sk.packetsOut === 0) tcpTryUndoRecovery(sk);
  sk.icskRetransmits = 0;
  reqskFastopenRemove(sk, req, false);
  // Data may have been sent, under the SYN-ACK's timer.
  tcpRearmRto(sk);
}

/** The SYN-ACK of a child is due again. @returns false if it has been sent often enough */
export function tcpFastopenSynackTimer(sk: TcpSock, req: TcpRequestSock): boolean {
  req.rskOps.synAckTimeout(req);
  const retries = sk.opts.synRetries !== 0 ? sk.opts.synRetries : sk.skNet.tcp.sysctlTcpSynackRetries + 1;
  if (req.numTimeout >= retries) return false;
  if (sk.icskRetransmits === 1) tcpEnterLoss(sk);
  // Whatever it returns: the child may have been accepted, and does not give up easily.
  inetRtxSynAck(sk, req);
  req.numTimeout++;
  sk.icskRetransmits++;
  if (sk.retransStamp === 0) sk.retransStamp = tcpClockMs(sk.skNet);
  tcpResetXmitTimer(sk, ICSK_TIME_RETRANS, req.timeout * 2 ** req.numTimeout);
  return true;
}
