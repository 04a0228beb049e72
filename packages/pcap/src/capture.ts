// A capture: everything that a network device sends and receives, written as pcapng.
//
// capture() adds a tap (ETH_P_ALL) to one device; for each packet the device layer calls packetTap(): rewind to the link
// layer's header, cut what is larger than a frame, complete what checksum is left to hardware, write; stopCapture() takes the
// tap away and writes the interface's counters. So the file shows what a wire would, whatever the device offloads.
// Read first: draft-ietf-opsawg-pcapng §4.3, §4.6.

import { netAtExit, worldNow, type World } from '@stack/kernel';
import {
  ARPHRD_ETHER, ARPHRD_LOOPBACK, ETH_HLEN, ETH_P_ALL, IFF_LOOPBACK, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST,
  PACKET_OUTGOING, devAddPack, devRemovePack, devSetPromiscuity, skbGsoSegment,
  type NetDevice, type PacketType,
} from '@stack/netdev';
import {
  CHECKSUM_PARTIAL, NET_RX_SUCCESS, __skbPush, consumeSkb, consumeSkbList, csumFold, csumMangle0, csumPartial, skbCopyBits, type SkBuff,
} from '@stack/skbuff';
import {
  EPB_BROADCAST, EPB_DATA, EPB_INBOUND, EPB_MULTICAST, EPB_OUTBOUND, EPB_PROMISCUOUS, EPB_UNICAST, LINKTYPE_ETHERNET,
  LINKTYPE_RAW, pcapngAddInterface, pcapngPacketBlock, pcapngWriteBlock, pcapngWriteStatistics, type PcapngWriter,
} from './pcapng.ts';

/** What of a device is captured, and how it is described. */
export interface CaptureOptions {
  /** Name of the interface in the file; default `<host>/<device>`. */
  readonly name?: string;
  /** Most bytes stored of one packet; default 0: all. */
  readonly snapLen?: number;
  /** Frames for others, too, where they reach the device. */
  readonly promiscuous?: boolean;
  /** A comment for the packet in the file, or null. The sk_buff stays the capture's. */
  readonly comment?: (skb: SkBuff, dev: NetDevice) => string | null;
}

/** A tap on one device. Also the tap's PacketType, so that the packet path finds it without a search. */
export class Capture {
  // PacketType
  type: number;
  dev: NetDevice;
  func: (skb: SkBuff, dev: NetDevice, pt: PacketType, origDev: NetDevice) => number;
  afPacketPriv: unknown;

  writer: PcapngWriter;
  interfaceId: number;
  linkType: number;
  snapLen: number;
  promiscuous: boolean;
  comment: ((skb: SkBuff, dev: NetDevice) => string | null) | null;
  /** Nanoseconds since 1970 when the World's clock was 0. */
  epoch: bigint;
  startTime: bigint;
  /** The device's counters when the capture began, and drops up to the packet last written. */
  receivedBefore: number;
  droppedBefore: number;
  dropped: number;
  stopped: boolean;

  constructor(dev: NetDevice, writer: PcapngWriter, options: CaptureOptions) {
    this.type = ETH_P_ALL;
    this.dev = dev;
    this.func = packetTap;
    this.afPacketPriv = null;
    this.writer = writer;
    this.interfaceId = -1;
    this.linkType = linkTypeOf(dev);
    this.snapLen = options.snapLen ?? 0;
    this.promiscuous = options.promiscuous ?? false;
    this.comment = options.comment ?? null;
    this.epoch = epochOf(writer, dev.net.world);
    this.startTime = this.epoch + BigInt(worldNow(dev.net.world));
    this.receivedBefore = dev.stats.rxPackets;
    this.droppedBefore = droppedBy(dev);
    this.dropped = this.droppedBefore;
    this.stopped = false;
  }
}

/**
 * Writes all that `dev` sends and receives to `writer`, from now until stopCapture() or the end of its host. Several captures may
 * share a writer, each an interface of the file.
 */
export function capture(dev: NetDevice, writer: PcapngWriter, options: CaptureOptions = {}): Capture {
  const tap = new Capture(dev, writer, options);
  const name = options.name ?? `${dev.net.name}/${dev.name}`;
  const description = { name, linkType: tap.linkType, snapLen: tap.snapLen };
  const ethernet = dev.type === ARPHRD_ETHER;
  tap.interfaceId = pcapngAddInterface(writer, ethernet ? { ...description, macAddress: dev.devAddr.slice(0, 6) } : description);
  devAddPack(dev.net, tap);
  if (tap.promiscuous) devSetPromiscuity(dev, 1);
  netAtExit(dev.net, () => stopCapture(tap));
  return tap;
}

/** Ends a capture and writes the device's counters for its time. A second call does nothing. */
export function stopCapture(tap: Capture): void {
  if (tap.stopped) return;
  tap.stopped = true;
  const dev = tap.dev;
  devRemovePack(dev.net, tap);
  if (tap.promiscuous) devSetPromiscuity(dev, -1);
  pcapngWriteStatistics(tap.writer, tap.interfaceId, {
    startTime: tap.startTime,
    endTime: tap.epoch + BigInt(worldNow(dev.net.world)),
    received: dev.stats.rxPackets - tap.receivedBefore,
    dropped: droppedBy(dev) - tap.droppedBefore,
  });
}

/** The tap's PacketType.func: owns `skb`, a clone made for it. */
function packetTap(skb: SkBuff, dev: NetDevice, pt: PacketType): number {
  const tap = pt as Capture;
  const outgoing = skb.pktType === PACKET_OUTGOING;
  // What a loopback device sends, it receives: once is enough.
  if (!outgoing || (dev.flags & IFF_LOOPBACK) === 0) {
    if (tap.linkType === LINKTYPE_ETHERNET && skb.data !== skb.macHeader) __skbPush(skb, skb.data - skb.macHeader);
    writePacket(tap, skb);
  }
  consumeSkb(skb);
  return NET_RX_SUCCESS;
}

/** Writes `skb`, data at the link layer's header, as the frames that a wire would carry. The caller keeps it. */
function writePacket(tap: Capture, skb: SkBuff): void {
  const segments = skb.shinfo.gsoSize !== 0 ? skbGsoSegment(skb, 0) : null;
  if (segments === null || typeof segments === 'number') {
    writeFrame(tap, skb, skb);
    return;
  }
  for (let segment: SkBuff | null = segments; segment !== null; segment = segment.next) writeFrame(tap, segment, skb);
  consumeSkbList(segments);
}

/** Writes one frame; `packet` is the sk_buff that it was cut from, or itself. */
function writeFrame(tap: Capture, frame: SkBuff, packet: SkBuff): void {
  const comment = tap.comment === null ? null : tap.comment(packet, tap.dev);
  const dropped = droppedBy(tap.dev);
  const info = {
    interfaceId: tap.interfaceId,
    time: tap.epoch + BigInt(packet.tstamp !== 0 ? packet.tstamp : tap.dev.net.world.now),
    flags: flagsOf(packet.pktType),
    dropCount: dropped - tap.dropped,
  };
  tap.dropped = dropped;
  const captured = tap.snapLen !== 0 && tap.snapLen < frame.len ? tap.snapLen : frame.len;
  // A checksum covers the whole packet, so the whole packet is copied first, though less of it may be stored.
  const whole = captured < frame.len ? new Uint8Array(frame.len) : null;
  const block = pcapngPacketBlock(comment === null ? info : { ...info, comment }, captured, frame.len);
  const bytes = whole ?? block;
  const at = whole === null ? EPB_DATA : 0;
  skbCopyBits(frame, 0, bytes, at, frame.len);
  if (frame.ipSummed === CHECKSUM_PARTIAL) completeChecksum(frame, bytes, at);
  if (whole !== null) block.set(whole.subarray(0, captured), EPB_DATA);
  pcapngWriteBlock(tap.writer, block);
}

/** In the copy at `at`, does what was left to the device: sums from csumStart on, over the pseudo header's sum already there. */
function completeChecksum(skb: SkBuff, bytes: Uint8Array, at: number): void {
  const start = skb.head + skb.csumStart - skb.data;
  if (start < 0 || start + skb.csumOffset + 2 > skb.len) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sum = csumFold(csumPartial(bytes, view, at + start, skb.len - start, 0));
  view.setUint16(at + start + skb.csumOffset, csumMangle0(sum, skb.csumOffset));
}

function linkTypeOf(dev: NetDevice): number {
  const ethernet = dev.type === ARPHRD_ETHER || (dev.type === ARPHRD_LOOPBACK && dev.hardHeaderLen === ETH_HLEN);
  return ethernet ? LINKTYPE_ETHERNET : LINKTYPE_RAW;
}

function flagsOf(pktType: number): number {
  if (pktType === PACKET_OUTGOING) return EPB_OUTBOUND;
  if (pktType === PACKET_BROADCAST) return EPB_INBOUND | EPB_BROADCAST;
  if (pktType === PACKET_MULTICAST) return EPB_INBOUND | EPB_MULTICAST;
  if (pktType === PACKET_OTHERHOST) return EPB_INBOUND | EPB_PROMISCUOUS;
  return EPB_INBOUND | EPB_UNICAST;
}

/** Packets that the device lost for lack of room. */
function droppedBy(dev: NetDevice): number {
  return dev.stats.rxDropped + dev.stats.rxMissedErrors + dev.stats.txDropped;
}

/**
 * Nanoseconds since 1970 at the World's time 0. The wall clock is asked once per file and World: it tells little more than
 * milliseconds, and the packets of two interfaces must not be shifted against each other.
 */
function epochOf(writer: PcapngWriter, world: World): bigint {
  let epoch = writer.epochs.get(world);
  if (epoch === undefined) {
    epoch = BigInt(Math.round(world.clock.wallTime() * 1000)) * 1000n - BigInt(worldNow(world));
    writer.epochs.set(world, epoch);
  }
  return epoch;
}
