// The driver of a NIC whose wire is a stream: Ethernet frames behind a 4-byte big-endian length, as QEMU (`-netdev stream`),
// passt and libslirp's users speak it.
//
// Up: the stream has octets -> streamArrived -> napiSchedule -> NET_RX_SOFTIRQ -> streamPoll -> rxReceive ->
// napiGroReceive. Down: devQueueXmit -> streamStartXmit: length and frame in one write; a stream that is full stops the
// queue until it has room. The link is there while there is a stream: its end, an error of it or a length that cannot be one
// take the carrier, and streamAttach() with a new stream brings it back.

import { SKB_DROP_REASON_DEV_READY, SKB_DROP_REASON_PKT_TOO_BIG, interrupt, requireNet, worldCrossing, type Net } from '@stack/kernel';
import {
  ETH_HLEN, NETDEV_TX_OK, allocNetdev, devAddrSet, ethHwAddrRandom, ethMacAddr, etherSetup, napiCompleteDone, napiDisable,
  napiEnable, napiSchedule, netifCarrierOff, netifCarrierOn, netifNapiAdd, netifRunning, netifStartQueue, netifStopQueue,
  netifWakeQueue, type NapiStruct, type NetDevice, type NetDeviceOps,
} from '@stack/netdev';
import { consumeSkb, kfreeSkbReason, skbCopyBits, type SkBuff } from '@stack/skbuff';
import { duplexWire } from './duplex-wire.ts';
import { STREAM_FRAME_MAX, STREAM_HLEN, rxAtBoundary, rxPending, rxPurge, rxReceive, rxSkip } from './stream-rx.ts';
import type { DuplexLike, StreamWire, WebStreamPair, WireEvents } from './stream-wire.ts';
import { webWire } from './web-wire.ts';

/** Octets waiting for the softirq at which the stream is told to pause, and those at which it goes on. */
const RX_HIGH = 256 * 1024;
const RX_LOW = 64 * 1024;

/** A stream that frames go to and come from. */
export type Stream = DuplexLike | WebStreamPair;

/** What createStreamNic() may be told. */
export interface StreamNicOptions {
  /** Default `eth%d`. */
  readonly name?: string;
  /** Six octets; default a random, locally administered address. */
  readonly mac?: Uint8Array;
  /** Default 1500; at most 65522. */
  readonly mtu?: number;
  /** `length`: each frame stands behind its length. `chunk`: each chunk is one frame. Default `length`. */
  readonly framing?: 'length' | 'chunk';
}

/** The driver's part of the device. */
class StreamPriv {
  napi: NapiStruct;
  framed: boolean;
  /** Null while the device has no stream. */
  wire: StreamWire | null;
  /** Settles when the stream of the last streamAttach() has been let go of. */
  closed: Promise<Error | null>;

  constructor(napi: NapiStruct, framed: boolean) {
    this.napi = napi;
    this.framed = framed;
    this.wire = null;
    this.closed = Promise.resolve(null);
  }
}

function streamPriv(dev: NetDevice): StreamPriv {
  return dev.priv as StreamPriv;
}

export const streamNetdevOps: NetDeviceOps = {
  ndoInit: null,
  ndoUninit: streamUninit,
  ndoOpen: streamOpen,
  ndoStop: streamStop,
  ndoStartXmit: streamStartXmit,
  ndoSetRxMode: null,
  ndoChangeMtu: null,
  ndoSetMacAddress: ethMacAddr,
  ndoFixFeatures: null,
  ndoSetFeatures: null,
  ndoFeaturesCheck: null,
};

const streamEvents: WireEvents = { arrived: streamArrived, writable: streamWritable, ended: streamEnded };

/**
 * Makes a NIC on `stream`, or one without carrier if that is null. Not yet registered. Throws a RangeError for a bad
 * option, a TypeError for what is no stream.
 */
export function createStreamNic(net: Net, stream: Stream | null, options: StreamNicOptions = {}): NetDevice {
  requireNet(net, 'installStreamNic', 'netdev');
  const { name = 'eth%d', mac, mtu, framing = 'length' } = options;
  const dev = allocNetdev(net, name, streamNetdevOps, etherSetup);
  dev.maxMtu = STREAM_FRAME_MAX - ETH_HLEN;
  if (mtu !== undefined && !(mtu >= dev.minMtu && mtu <= dev.maxMtu)) throw new RangeError(`an MTU of ${mtu}: ${dev.minMtu} to ${dev.maxMtu} can be had`);
  if (mac !== undefined && mac.length !== dev.addrLen) throw new RangeError(`a MAC address of ${mac.length} octets`);
  dev.priv = new StreamPriv(netifNapiAdd(dev, streamPoll), framing === 'chunk');
  if (mac === undefined) ethHwAddrRandom(dev);
  else devAddrSet(dev, mac);
  if (mtu !== undefined) dev.mtu = mtu;
  netifCarrierOff(dev);
  if (stream !== null) streamAttach(dev, stream);
  return dev;
}

/**
 * Gives the device a stream, in the place of the one that it has or had: the carrier is on. The stream is the device's
 * from now on. Throws a TypeError if it is none, or one of a pair is locked; then all stays as it was.
 */
export function streamAttach(dev: NetDevice, stream: Stream): void {
  const priv = streamPriv(dev);
  const wire = 'readable' in stream && typeof stream.readable === 'object'
    ? webWire(dev, stream, streamEvents, priv.framed)
    : duplexWire(dev, duplexOf(stream), streamEvents, priv.framed);
  interrupt(dev.net, streamPlug, wire);
}

/**
 * Resolves when the device has no longer the stream that it has now, or had last: with null at the stream's orderly end,
 * and where the device let go of it; else with the Error that took the link down. Never rejects.
 */
export function streamClosed(dev: NetDevice): Promise<Error | null> {
  return streamPriv(dev).closed;
}

function duplexOf(stream: Stream): DuplexLike {
  if ('write' in stream && typeof stream.write === 'function' && typeof stream.on === 'function') return stream;
  throw new TypeError('neither a Duplex nor a pair { readable, writable } of web streams');
}

function streamPlug(wire: StreamWire): void {
  const { dev } = wire;
  const priv = streamPriv(dev);
  if (priv.wire !== null) streamUnplug(priv.wire, null);
  priv.wire = wire;
  priv.closed = new Promise((resolve) => {
    wire.settle = resolve;
  });
  netifCarrierOn(dev);
  netifWakeQueue(dev);
}

/** The device lets go of a stream: the carrier is lost, and who waits for streamClosed() hears why. */
function streamUnplug(wire: StreamWire, why: Error | null): void {
  const { dev } = wire;
  const priv = streamPriv(dev);
  if (wire.closed) return;
  wire.closed = true;
  rxPurge(wire.rx);
  wire.ops.close(wire);
  if (priv.wire === wire) priv.wire = null;
  netifCarrierOff(dev);
  worldCrossing(dev.net.world);
  wire.settle(why);
}

function streamUninit(dev: NetDevice): void {
  const { wire } = streamPriv(dev);
  if (wire !== null) streamUnplug(wire, null);
}

function streamOpen(dev: NetDevice): number {
  napiEnable(streamPriv(dev).napi);
  netifStartQueue(dev);
  return 0;
}

/** ndo_stop: a frame half received is freed; while the device is down, the stream goes on and its frames are skipped. */
function streamStop(dev: NetDevice): number {
  const { napi, wire } = streamPriv(dev);
  netifStopQueue(dev);
  napiDisable(napi);
  if (wire === null) return 0;
  rxSkip(wire.rx);
  streamReceive(napi, wire, Infinity);
  return 0;
}

/** Interrupt: the stream has brought octets. A device that is down skips over them here. */
function streamArrived(wire: StreamWire): void {
  const { napi } = streamPriv(wire.dev);
  if (wire.closed) return;
  if (netifRunning(wire.dev)) napiSchedule(napi);
  else streamReceive(napi, wire, Infinity);
  if (wire.rx.size < RX_HIGH || wire.paused || wire.closed) return;
  wire.paused = true;
  wire.ops.pause(wire);
}

/** Interrupt: the stream has room again. */
function streamWritable(wire: StreamWire): void {
  if (!wire.closed) netifWakeQueue(wire.dev);
}

/** Interrupt: nothing comes any more. What came before goes up first. */
function streamEnded(wire: StreamWire): void {
  const { napi } = streamPriv(wire.dev);
  if (!netifRunning(wire.dev)) streamReceive(napi, wire, Infinity);
  else if (rxPending(wire.rx)) napiSchedule(napi);
  else streamReceive(napi, wire, 1);
}

/** NAPI poll. */
function streamPoll(napi: NapiStruct, budget: number): number {
  const { dev } = napi;
  const { net } = dev;
  if (net.trace !== null) net.trace.hit(net, 'stream_poll', null);
  const { wire } = streamPriv(dev);
  const work = wire === null ? 0 : streamReceive(napi, wire, budget);
  if (work < budget) napiCompleteDone(napi, work);
  return work;
}

/** Receives what there is, at most `budget` frames, and then does what the stream's state asks for. Returns the frames. */
function streamReceive(napi: NapiStruct, wire: StreamWire, budget: number): number {
  const { rx } = wire;
  const work = rxReceive(rx, napi, budget);
  if (rx.bad) streamBadLength(wire);
  else if (wire.ended && !rxPending(rx)) streamLast(wire);
  else if (wire.paused && rx.size < RX_LOW) streamResume(wire);
  return work;
}

function streamResume(wire: StreamWire): void {
  wire.paused = false;
  wire.ops.resume(wire);
}

/** The two ends have lost each other: there is no way to tell where the next frame begins. */
function streamBadLength(wire: StreamWire): void {
  const { dev } = wire;
  dev.stats.rxErrors++;
  dev.stats.rxFrameErrors++;
  streamUnplug(wire, new RangeError(
    `${dev.name}: a frame of ${wire.rx.length >>> 0} octets was announced, 1 to ${STREAM_FRAME_MAX} can be: `
    + 'the stream has no 4-byte big-endian length in front of each frame, or lost octets',
  ));
}

/** The stream has ended and all of it is received. */
function streamLast(wire: StreamWire): void {
  const { dev, rx } = wire;
  if (rxAtBoundary(rx)) {
    streamUnplug(wire, wire.error);
    return;
  }
  dev.stats.rxErrors++;
  dev.stats.rxLengthErrors++;
  streamUnplug(wire, wire.error ?? new Error(`${dev.name}: the stream ended inside a frame`));
}

/** ndo_start_xmit: one write of length and frame, copied out of the World's memory; frees the sk_buff. */
function streamStartXmit(skb: SkBuff, dev: NetDevice): number {
  const { framed, wire } = streamPriv(dev);
  const { len } = skb;
  if (wire === null || len > STREAM_FRAME_MAX) {
    dev.stats.txErrors++;
    if (wire === null) dev.stats.txCarrierErrors++;
    kfreeSkbReason(skb, wire === null ? SKB_DROP_REASON_DEV_READY : SKB_DROP_REASON_PKT_TOO_BIG);
    return NETDEV_TX_OK;
  }
  const bytes = streamFrame(skb, framed ? 0 : STREAM_HLEN);
  consumeSkb(skb);
  dev.stats.txPackets++;
  dev.stats.txBytes += len;
  if (!wire.ops.write(wire, bytes)) netifStopQueue(dev);
  return NETDEV_TX_OK;
}

/** The frame, its length in the `headroom` octets in front of it. */
function streamFrame(skb: SkBuff, headroom: number): Uint8Array {
  const { len } = skb;
  const bytes = new Uint8Array(headroom + len);
  if (headroom !== 0) {
    bytes[1] = len >> 16;
    bytes[2] = len >> 8;
    bytes[3] = len;
  }
  skbCopyBits(skb, 0, bytes, headroom, len);
  return bytes;
}
