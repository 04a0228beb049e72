/*
 * Capturing on a host: a PF_PACKET socket of type SOCK_RAW for all protocols, bound to a device or to none, with the filter attached
 * to it, as tcpdump opens one. openCapture() opens it and begins to read; stopCapture() takes out what is queued, reads the
 * socket's counters and closes it.
 */
import { ENODEV, ENETDOWN, errnoException, type Net } from '@stack/kernel';
import { ARPHRD_ETHER, ARPHRD_LOOPBACK, ETH_P_ALL, PACKET_OUTGOING, devGetByIndex, devGetByName, type NetDevice } from '@stack/netdev';
import {
  PACKET_ADD_MEMBERSHIP, PACKET_AUXDATA, PACKET_MR_PROMISC, PACKET_STATISTICS, PacketMreq, SockAddrLl, TP_STATUS_VLAN_VALID,
  TpacketAuxdata, TpacketStats,
} from '@stack/packet';
import { EPB_INBOUND, EPB_OUTBOUND, LINKTYPE_ETHERNET, LINKTYPE_RAW } from '@stack/pcap';
import { compileFilter, FilterError, type FilterPredicate } from '@stack/pcap-filter';
import {
  MSG_DONTWAIT, MSG_TRUNC, MsgHdr, PF_PACKET, SOCK_RAW, SOL_PACKET, SOL_SOCKET, SO_ATTACH_FILTER, SO_RXQ_OVFL, SO_TIMESTAMPNS, Timespec,
  Iovec, createTask, exitTask, sysBind, sysCall, sysGetsockopt, sysRecvmsg, sysSetsockopt, sysSocket, type SockFilter, type Task,
} from '@stack/socket';
import type { PacketText } from './print/line.ts';

/** What libpcap keeps of a packet if nothing else is said. */
export const MAXIMUM_SNAPLEN = 262_144;
const CONTROL_MESSAGES = 4;
const VLAN_AT = 12;

/** A packet, wherever it comes from. */
export interface CapturedPacket extends PacketText {
  /** Null where a file has no names. */
  readonly interfaceName: string | null;
  /** EPB_*. */
  readonly flags: number;
  /** Packets lost before this one. */
  readonly dropCount: number;
  readonly comments: readonly string[];
}

export interface CaptureOptions {
  /** In the words of pcap-filter(7); empty: all. */
  readonly filter: string;
  readonly snaplen: number;
  readonly onPacket: (packet: CapturedPacket) => void;
}

/** What tcpdump says at its end. */
export interface CaptureCounts {
  readonly captured: number;
  readonly received: number;
  readonly dropped: number;
}

/** A capture that runs. */
export class Capture {
  net: Net;
  task: Task;
  fd: number;
  /** Null: on all devices. */
  dev: NetDevice | null;
  options: CaptureOptions;
  captured: number;
  drops: number;
  stopped: boolean;
  buffer: Uint8Array;

  constructor(net: Net, dev: NetDevice | null, options: CaptureOptions) {
    this.net = net;
    this.task = createTask(net, 'packet-capture');
    this.fd = -1;
    this.dev = dev;
    this.options = options;
    this.captured = 0;
    this.drops = 0;
    this.stopped = false;
    this.buffer = new Uint8Array(Math.min(options.snaplen, MAXIMUM_SNAPLEN));
  }
}

/** LINKTYPE_* of what a device's packets begin with. */
export function linkTypeOf(dev: NetDevice | null): number {
  return dev === null || dev.type === ARPHRD_ETHER || dev.type === ARPHRD_LOOPBACK ? LINKTYPE_ETHERNET : LINKTYPE_RAW;
}

/**
 * The filter as the socket wants it: how much of a packet to keep. On all devices it is compiled for each kind of link, and a packet
 * is looked at as what it is; a filter that has no meaning on bare IP selects nothing there. Throws a FilterError that points
 * at the wrong word.
 */
function socketFilter({ filter, snaplen }: CaptureOptions, dev: NetDevice | null): SockFilter {
  const { match } = compileFilter(filter, { linkType: linkTypeOf(dev) });
  if (dev !== null) return (buf, offset, length, wireLength) => (match(buf, offset, length, wireLength) ? snaplen : 0);
  const matchRaw = rawPredicate(filter);
  return (buf, offset, length, wireLength, skb) => {
    const predicate = linkTypeOf(skb.dev) === LINKTYPE_RAW ? matchRaw : match;
    return predicate(buf, offset, length, wireLength) ? snaplen : 0;
  };
}

/** A filter, known to be right for Ethernet, on bare IP: `ether host …` selects nothing. */
function rawPredicate(filter: string): FilterPredicate {
  try {
    return compileFilter(filter, { linkType: LINKTYPE_RAW }).match;
  } catch (error) {
    if (error instanceof FilterError) return () => false;
    throw error;
  }
}

/**
 * Captures on the device `name` of a host, or on all (`any`), until stopCapture(). Throws a FilterError for a bad filter, and an Error with
 * Node's fields: ENODEV, …
 */
export function openCapture(net: Net, name: string, options: CaptureOptions): Capture {
  const dev = name === 'any' ? null : devGetByName(net, name);
  if (dev === null && name !== 'any') throw errnoException(-ENODEV, 'bind', name);
  const filter = socketFilter(options, dev);
  const capture = new Capture(net, dev, options);
  const { task } = capture;
  try {
    const fd = sysCall(sysSocket(task, PF_PACKET, SOCK_RAW, 0), 'socket');
    const set = (level: number, option: number, value: number | object): void => {
      sysCall(sysSetsockopt(task, fd, level, option, value), 'setsockopt');
    };
    capture.fd = fd;
    set(SOL_SOCKET, SO_ATTACH_FILTER, filter);
    set(SOL_SOCKET, SO_TIMESTAMPNS, 1);
    set(SOL_SOCKET, SO_RXQ_OVFL, 1);
    set(SOL_PACKET, PACKET_AUXDATA, 1);
    if (dev !== null) set(SOL_PACKET, PACKET_ADD_MEMBERSHIP, new PacketMreq(dev.ifindex, PACKET_MR_PROMISC));
    sysCall(sysBind(task, fd, new SockAddrLl(ETH_P_ALL, dev === null ? 0 : dev.ifindex)), 'bind', name);
  } catch (error) {
    exitTask(task);
    throw error;
  }
  void readLoop(capture);
  return capture;
}

async function readLoop(capture: Capture): Promise<void> {
  const msg = messageOf(capture);
  while (!capture.stopped) {
    const length = await sysRecvmsg(capture.task, capture.fd, msg, MSG_TRUNC);
    if (capture.stopped) return;
    if (length >= 0) deliver(capture, msg, length);
    else if (length !== -ENETDOWN) return;
    rewind(capture, msg);
  }
}

function messageOf(capture: Capture): MsgHdr {
  const msg = new MsgHdr();
  msg.msgName = new SockAddrLl();
  msg.msgIov = [new Iovec(capture.buffer)];
  msg.msgIovlen = 1;
  rewind(capture, msg);
  return msg;
}

function rewind(capture: Capture, msg: MsgHdr): void {
  for (const iov of msg.msgIov) iov.iovLen = capture.buffer.length;
  msg.msgControl = [];
  msg.msgControllen = CONTROL_MESSAGES;
  msg.msgFlags = 0;
}

/** A message of the socket as a packet; its octets are a copy, the buffer is used again. What a loopback device sends, it receives: once is enough. */
function deliver(capture: Capture, msg: MsgHdr, length: number): void {
  const from = msg.msgName as SockAddrLl;
  const outgoing = from.sllPkttype === PACKET_OUTGOING;
  if (outgoing && from.sllHatype === ARPHRD_LOOPBACK) return;
  let time = 0n;
  let aux: TpacketAuxdata | null = null;
  let drops = capture.drops;
  for (const { cmsgLevel, cmsgType, cmsgData } of msg.msgControl ?? []) {
    if (cmsgData instanceof Timespec) time = BigInt(cmsgData.tvSec) * 1_000_000_000n + BigInt(cmsgData.tvNsec);
    else if (cmsgData instanceof TpacketAuxdata) aux = cmsgData;
    else if (cmsgLevel === SOL_SOCKET && cmsgType === SO_RXQ_OVFL) drops = Number(cmsgData);
  }
  const data = octets(capture.buffer.subarray(0, Math.min(length, capture.buffer.length)), aux);
  const tag = data.length - Math.min(length, capture.buffer.length);
  const dev = capture.dev ?? devGetByIndex(capture.net, from.sllIfindex);
  capture.captured++;
  const packet: CapturedPacket = {
    linkType: linkTypeOf(dev), time, caplen: data.length, wirelen: (aux === null ? length : aux.tpLen) + tag, data, offset: 0,
    interfaceName: dev === null ? interfaceName(capture) : `${capture.net.name}/${dev.name}`, flags: outgoing ? EPB_OUTBOUND : EPB_INBOUND, dropCount: drops - capture.drops, comments: [],
  };
  capture.drops = drops;
  capture.options.onPacket(packet);
}

/** What a capture of this device is called: `client/eth0`; of all, `client/any`. In a file each packet has its own device's name. */
export function interfaceName(capture: Capture): string {
  return `${capture.net.name}/${capture.dev === null ? 'any' : capture.dev.name}`;
}

/** A copy of the packet, with the VLAN tag where the wire had it: a device may have taken it out. */
function octets(packet: Uint8Array, aux: TpacketAuxdata | null): Uint8Array {
  if (aux === null || (aux.tpStatus & TP_STATUS_VLAN_VALID) === 0 || packet.length < VLAN_AT) return packet.slice();
  const tagged = new Uint8Array(packet.length + 4);
  tagged.set(packet.subarray(0, VLAN_AT));
  new DataView(tagged.buffer).setUint32(VLAN_AT, ((aux.tpVlanTpid << 16) | aux.tpVlanTci) >>> 0);
  tagged.set(packet.subarray(VLAN_AT), VLAN_AT + 4);
  return tagged;
}

/** Ends a capture, delivering what is queued first unless `drain` is false. A second call gives the same counts. */
export function stopCapture(capture: Capture, drain = true): CaptureCounts {
  let received = capture.captured;
  let dropped = capture.drops;
  if (!capture.stopped) {
    capture.stopped = true;
    const msg = messageOf(capture);
    for (let length = drain ? 0 : -1; length >= 0; rewind(capture, msg)) {
      const next = sysRecvmsg(capture.task, capture.fd, msg, MSG_TRUNC | MSG_DONTWAIT);
      length = typeof next === 'number' ? next : -1;
      if (length >= 0) deliver(capture, msg, length);
    }
    const stats = sysGetsockopt(capture.task, capture.fd, SOL_PACKET, PACKET_STATISTICS);
    if (stats instanceof TpacketStats) [received, dropped] = [stats.tpPackets, stats.tpDrops];
    exitTask(capture.task);
  }
  return { captured: capture.captured, received, dropped };
}
