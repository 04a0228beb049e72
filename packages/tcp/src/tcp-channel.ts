/**
 * A carrier that is not IP: hosts are integers, segments are messages on a channel between Nets, the header is two keys.
 * The proof that the engine knows its carrier only as a table; and the simplest net to test the engine on. @stack/ip is
 * not imported.
 *
 * Order of calls: the engine → channelSpecific.queueXmit → channelSend → the wire's timer → channelRcv → tcpRcvDemux.
 * Read first: RFC 9293 §3.9.2 (what TCP asks of the level below).
 */
import {
  __inetLookup, __inetLookupListener, inetCopyKey, inetEhashfn, inetRcvSaddrConflict, inetSkMatch, jhash3words, inetHashConnect, skAcceptqIsFull,
} from '@stack/inet-sock';
import type {
  InetConnectionSock, InetConnectionSockAfOps, InetTimewaitSock, RequestSock, RequestSockOps, SockCommon,
} from '@stack/inet-sock';
import { EAGAIN, ECONNREFUSED, hrtimerSetup, hrtimerStart, randomChance } from '@stack/kernel';
import type { Hrtimer, Net, World } from '@stack/kernel';
import { allocSkb, consumeSkb, skbCopyBits, skbPut } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { SockAddr, TCP_CLOSE, TCP_LISTEN, TCP_SYN_SENT } from '@stack/socket';
import { secureTcpSeq, secureTcpTsOff } from './secure-seq.ts';
import { cookieInitSequence, tcpCookieCheck } from './syncookies.ts';
import { TCP_MSS_DEFAULT } from './tcp-consts.ts';
import { thAckSeq, thDest, thFlags, thHdrLen, thSeq, thSource } from './tcp-hdr.ts';
import { tcpConnRequest } from './tcp-input-conn.ts';
import { tcpInitializeRcvMss } from './tcp-input-rcvbuf.ts';
import { tcpSimpleRetransmit } from './tcp-input-recovery.ts';
import { LINUX_MIB_LISTENDROPS, LINUX_MIB_LISTENOVERFLOWS } from './tcp-mib.ts';
import { tcpCreateOpenreqChild, tcpHashChild } from './tcp-minisocks.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpConnect } from './tcp-output-connect.ts';
import { tcpMssClamp, tcpPathMtu, tcpSyncMss, tcpDstAdvmss } from './tcp-output-mss.ts';
import { tcpMakeSynack, tcpRtxSynack } from './tcp-output-synack.ts';
import { tcpFillCb, tcpRcvDemux } from './tcp-rcv.ts';
import { tcpRsk, tcpTwsk } from './tcp-request-sock.ts';
import type { TcpRequestSockOps } from './tcp-request-sock.ts';
import { TCPHDR_ACK, TCPHDR_FIN, TCPHDR_RST, TCPHDR_SYN } from './tcp-skb-cb.ts';
import { tcpSk } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpSetState } from './tcp.ts';

/** No number of any real family. */
export const AF_CHANNEL = 45;

/** Bytes of the carrier's header: source key, destination key. */
const CHANNEL_HDR_LEN = 8;

/** The address of a socket on a channel. */
export class SockAddrChannel extends SockAddr {
  key: number;
  port: number;

  constructor(key = 0, port = 0) {
    super(AF_CHANNEL);
    this.key = key;
    this.port = port;
  }
}

/** A segment on its way, as a test sees it. */
export class Segment {
  /** ns, when it was sent. */
  time = 0;
  from = 0;
  to = 0;
  sport = 0;
  dport = 0;
  seq = 0;
  ack = 0;
  /** TCPHDR_* */
  flags = 0;
  /** The window field as it stands. */
  win = 0;
  urg = 0;
  options: Uint8Array = new Uint8Array(0);
  data: Uint8Array = new Uint8Array(0);
}

const FLAG_LETTERS = 'FSRPAUEC';

/** A segment as one line: "1>2 SA seq 0 ack 1 win 65535 len 0", numbers as they are. */
export function segmentText(seg: Segment): string {
  let flags = '';
  for (let i = 0; i < 8; i++) if ((seg.flags & (1 << i)) !== 0) flags += FLAG_LETTERS[i];
  return `${seg.from}>${seg.to} ${flags} seq ${seg.seq >>> 0} ack ${seg.ack >>> 0} win ${seg.win} len ${seg.data.length}`;
}

/** The medium. */
export class Channel {
  world: World;
  hosts: Map<number, Net>;
  /** ns from sender to receiver. */
  delay: number;
  /** Share of segments lost. */
  loss: number;
  /** Every segment sent, if it is not null. */
  log: Segment[] | null;
  /** Looks at a segment before it travels; false drops it. */
  filter: ((seg: Segment) => boolean) | null;

  constructor(world: World, delay = 1_000_000) {
    this.world = world;
    this.hosts = new Map();
    this.delay = delay;
    this.loss = 0;
    this.log = null;
    this.filter = null;
  }
}

/** What the carrier keeps for a Net. */
export class ChannelNet {
  net: Net;
  channel: Channel;
  key: number;

  constructor(net: Net, channel: Channel, key: number) {
    this.net = net;
    this.channel = channel;
    this.key = key;
  }
}

/** By Net, which has no field for a carrier that it does not know. */
const nets = new WeakMap<Net, ChannelNet>();

export function channelNet(net: Net): ChannelNet {
  const state = nets.get(net);
  if (state === undefined) throw new Error(`${net.name} is on no channel`);
  return state;
}

/** Puts a host on the channel under a key (not 0). */
export function channelAttach(channel: Channel, net: Net, key: number): void {
  nets.set(net, new ChannelNet(net, channel, key));
  channel.hosts.set(key, net);
}

/** Writes a segment as the bytes of its TCP header and data. */
export function segmentBytes(seg: Segment): Uint8Array {
  const hdrLen = 20 + seg.options.length;
  const bytes = new Uint8Array(hdrLen + seg.data.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, seg.sport);
  view.setUint16(2, seg.dport);
  view.setInt32(4, seg.seq);
  view.setInt32(8, seg.ack);
  view.setInt32(12, (hdrLen << 26) | (seg.flags << 16) | seg.win);
  view.setUint16(18, seg.urg);
  bytes.set(seg.options, 20);
  bytes.set(seg.data, hdrLen);
  return bytes;
}

function segmentParse(bytes: Uint8Array): Segment {
  const view = new DataView(bytes.buffer);
  const hdrLen = (view.getUint8(12) >> 4) << 2;
  const seg = new Segment();
  seg.sport = view.getUint16(0);
  seg.dport = view.getUint16(2);
  seg.seq = view.getInt32(4);
  seg.ack = view.getInt32(8);
  seg.flags = view.getUint8(13);
  seg.win = view.getUint16(14);
  seg.urg = view.getUint16(18);
  seg.options = bytes.subarray(20, hdrLen);
  seg.data = bytes.subarray(hdrLen);
  return seg;
}

class Delivery {
  net: Net;
  seg: Segment;

  constructor(net: Net, seg: Segment) {
    this.net = net;
    this.seg = seg;
  }
}

/** Sends a segment from one key to another. */
export function channelSend(channel: Channel, seg: Segment): void {
  seg.time = channel.world.now;
  if (channel.log !== null) channel.log.push(seg);
  if (channel.filter !== null && !channel.filter(seg)) return;
  if (channel.loss > 0 && randomChance(channel.world.random, channel.loss)) return;
  const net = channel.hosts.get(seg.to);
  if (net === undefined) return;
  const timer = hrtimerSetup(net, channelDeliver, new Delivery(net, seg));
  hrtimerStart(timer, channel.world.now + channel.delay);
}

function channelDeliver(timer: Hrtimer): void {
  const { net, seg } = timer.data as Delivery;
  channelRcv(net, seg);
}

/** The way up: a segment arrives at a host. */
export function channelRcv(net: Net, seg: Segment): void {
  const bytes = segmentBytes(seg);
  const skb = allocSkb(net, CHANNEL_HDR_LEN + bytes.length);
  if (skb === null) return;
  const at = skbPut(skb, CHANNEL_HDR_LEN + bytes.length);
  skb.networkHeader = at;
  skb.view.setInt32(at, seg.from);
  skb.view.setInt32(at + 4, seg.to);
  skb.buf.set(bytes, at + CHANNEL_HDR_LEN);
  skb.data += CHANNEL_HDR_LEN;
  skb.len -= CHANNEL_HDR_LEN;
  skb.transportHeader = skb.data;
  skb.skbIif = 1;
  const sk = __inetLookup(net.tcp.hashinfo, seg.from, seg.sport, seg.to, seg.dport, 1);
  tcpFillCb(skb, 0);
  tcpRcvDemux(net, channelSpecific, skb, sk);
}

function fromKey(skb: SkBuff): number {
  return skb.view.getInt32(skb.networkHeader);
}

function toKey(skb: SkBuff): number {
  return skb.view.getInt32(skb.networkHeader + 4);
}

/** The way down: takes skb, data at the TCP header. */
function channelXmit(skb: SkBuff, from: number, to: number): number {
  const bytes = new Uint8Array(skb.len);
  skbCopyBits(skb, 0, bytes, 0, skb.len);
  const { net } = skb;
  consumeSkb(skb);
  const seg = segmentParse(bytes);
  seg.from = from;
  seg.to = to;
  channelSend(channelNet(net).channel, seg);
  return 0;
}

function channelQueueXmit(sk: InetConnectionSock, skb: SkBuff): number {
  return channelXmit(skb, sk.inetSaddr, sk.inetDaddr);
}

function channelConnect(sock: InetConnectionSock, uaddr: SockAddr): number {
  const sk = tcpSk(sock);
  const addr = uaddr as SockAddrChannel;
  const net = sk.skNet;
  sk.inetSaddr = channelNet(net).key;
  sk.inetRcvSaddr = sk.inetSaddr;
  sk.inetDaddr = addr.key;
  sk.inetDport = addr.port;
  sk.rxOpt.mssClamp = TCP_MSS_DEFAULT;
  sk.skGsoMaxSegs = 1;
  tcpSetState(sk, TCP_SYN_SENT);
  let err = inetHashConnect(sk);
  if (err === 0) {
    if (sk.writeSeq === 0) sk.writeSeq = channelInitSequence(sk);
    sk.tsoffset = secureTcpTsOff(net, sk.inetSaddr, sk.inetDaddr);
    err = tcpConnect(sk);
  }
  if (err !== 0) {
    tcpSetState(sk, TCP_CLOSE);
    sk.inetDport = 0;
  }
  return err;
}

function channelInitSequence(sk: SockCommon & { inetSport: number }): number {
  return secureTcpSeq(sk.skNet, sk.inetRcvSaddr, sk.inetDaddr, sk.inetSport, sk.inetDport);
}

/** An answer without a sock. */
function channelReply(skb: SkBuff, seq: number, ack: number, flags: number, win: number): void {
  const seg = new Segment();
  seg.from = toKey(skb);
  seg.to = fromKey(skb);
  seg.sport = thDest(skb);
  seg.dport = thSource(skb);
  seg.seq = seq;
  seg.ack = ack;
  seg.flags = flags;
  seg.win = win;
  channelSend(channelNet(skb.net).channel, seg);
}

function channelSendReset(_sk: SockCommon | null, skb: SkBuff): void {
  const flags = thFlags(skb);
  if ((flags & TCPHDR_RST) !== 0) return;
  if ((flags & TCPHDR_ACK) !== 0) {
    channelReply(skb, thAckSeq(skb), 0, TCPHDR_RST, 0);
    return;
  }
  const payload = skb.data > skb.transportHeader ? skb.len : skb.len - thHdrLen(skb);
  const counted = ((flags & TCPHDR_SYN) !== 0 ? 1 : 0) + ((flags & TCPHDR_FIN) !== 0 ? 1 : 0);
  channelReply(skb, 0, (thSeq(skb) + payload + counted) | 0, TCPHDR_RST | TCPHDR_ACK, 0);
}

function channelSendTimewaitAck(rest: InetTimewaitSock, skb: SkBuff): void {
  const tw = tcpTwsk(rest);
  channelReply(skb, tw.twSndNxt, tw.twRcvNxt, TCPHDR_ACK, tw.twRcvWnd >> tw.twRcvWscale);
}

function channelConnRequest(sk: InetConnectionSock, skb: SkBuff): number {
  return tcpConnRequest(channelReqOps, channelTcpReqOps, tcpSk(sk), skb);
}

function channelSynRecvSock(
  sock: InetConnectionSock, skb: SkBuff, request: RequestSock, _dst: unknown, reqUnhash: RequestSock | null,
): InetConnectionSock | null {
  const sk = tcpSk(sock);
  if (skAcceptqIsFull(sk)) {
    netIncStats(sk.skNet, LINUX_MIB_LISTENOVERFLOWS);
    netIncStats(sk.skNet, LINUX_MIB_LISTENDROPS);
    return null;
  }
  const req = tcpRsk(request);
  const child = tcpCreateOpenreqChild(sk, req, skb);
  child.inetSaddr = req.inetRcvSaddr;
  child.skGsoMaxSegs = 1;
  tcpSyncMss(child, tcpPathMtu(child));
  child.advmss = tcpMssClamp(sk, tcpDstAdvmss(child, null));
  tcpInitializeRcvMss(child);
  return tcpHashChild(sk, child, reqUnhash) ? child : null;
}

function channelCookieCheck(sk: InetConnectionSock, skb: SkBuff): InetConnectionSock | null {
  return tcpCookieCheck(tcpSk(sk), skb, fromKey(skb), toKey(skb), channelReqOps, channelTcpReqOps);
}

/** A path that has become narrower, as a test says by sk.mtuInfo. */
function channelMtuReduced(sock: InetConnectionSock): void {
  const sk = tcpSk(sock);
  if (sk.icskPmtuCookie <= sk.mtuInfo) return;
  tcpSyncMss(sk, sk.mtuInfo);
  tcpSimpleRetransmit(sk);
}

export const channelSpecific: InetConnectionSockAfOps = {
  netHeaderLen: CHANNEL_HDR_LEN,
  queueXmit: channelQueueXmit,
  sendCheck: () => undefined,
  rebuildHeader: () => 0,
  connect: channelConnect,
  connRequest: channelConnRequest,
  synRecvSock: channelSynRecvSock,
  mtuReduced: channelMtuReduced,
  sendReset: channelSendReset,
  sendTimewaitAck: channelSendTimewaitAck,
  cookieCheck: channelCookieCheck,
  lookupListener: (skb) => __inetLookupListener(skb.net.tcp.hashinfo, fromKey(skb), thSource(skb), toKey(skb), thDest(skb), 1),
  hashinfo: (net) => net.tcp.hashinfo,
  ehashfn: (sk) => inetEhashfn(sk.skNet.tcp.hashinfo, sk.inetRcvSaddr, sk.inetNum, sk.inetDaddr, sk.inetDport),
  match: inetSkMatch,
  copyKey: inetCopyKey,
  rcvSaddrConflict: inetRcvSaddrConflict,
  isLoopback: (sk) => sk.inetDaddr === sk.inetRcvSaddr,
  portOffset: (sk) => jhash3words(sk.inetSaddr, sk.inetDaddr, sk.inetDport, 1),
  initSequence: (sk) => channelInitSequence(sk),
  initTsOff: (sk) => secureTcpTsOff(sk.skNet, sk.inetSaddr, sk.inetDaddr),
  resetSaddr: (sk) => {
    sk.inetSaddr = 0;
    sk.inetRcvSaddr = 0;
  },
  recvError: () => -EAGAIN,
  metricsKey: (sk) => sk.inetDaddr,
  addrText: (sk, peer) => String(peer ? sk.inetDaddr : sk.inetRcvSaddr),
};

const channelTcpReqOps: TcpRequestSockOps = {
  fastopenCookie: null,
  mssClamp: TCP_MSS_DEFAULT,
  hasRoutes: false,
  routeReq: (_sk, skb, req) => {
    req.inetRcvSaddr = toKey(skb);
    req.inetDaddr = fromKey(skb);
    return null;
  },
  initSeq: (skb) => secureTcpSeq(skb.net, toKey(skb), fromKey(skb), thDest(skb), thSource(skb)),
  initTsOff: (net, skb) => secureTcpTsOff(net, toKey(skb), fromKey(skb)),
  cookieInitSeq: (skb, req) => cookieInitSequence(skb, fromKey(skb), toKey(skb), req),
  sendSynack: (sk, _dst, req, type) => {
    const skb = tcpMakeSynack(sk, null, req, type);
    return skb === null ? -ECONNREFUSED : channelXmit(skb, req.inetRcvSaddr, req.inetDaddr);
  },
};

const channelReqOps: RequestSockOps = {
  family: AF_CHANNEL,
  rtxSynAck: (sk, req) => tcpRtxSynack(tcpSk(sk), tcpRsk(req)),
  sendAck: (sk, skb, sock) => {
    const req = tcpRsk(sock);
    const seq = sk.skState === TCP_LISTEN ? (req.sntIsn + 1) | 0 : (sk as TcpSock).sndNxt;
    channelReply(skb, seq, req.rcvNxt, TCPHDR_ACK, Math.min(req.rskRcvWnd, 65535) >> req.rcvWscale);
  },
  sendReset: channelSendReset,
  destructor: () => undefined,
  synAckTimeout: () => undefined,
  synAckRetries: (sk) => sk.skNet.tcp.sysctlTcpSynackRetries,
};
