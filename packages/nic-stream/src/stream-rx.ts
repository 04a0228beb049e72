// Frames out of a byte stream. Each frame stands behind its length, four octets, big-endian; chunks are cut anywhere.
//
// rxPush() when octets arrive -> rxReceive() in the NAPI poll: reads the length, takes an sk_buff of it, fills it from chunk
// after chunk, and hands it up when it is whole. So each octet is copied once, however the stream is cut, and no more is
// kept than the frame that is being filled and the chunks for which the softirq had no time.
// Where a stream keeps its chunks whole (`framed`), each chunk is one frame and there is no length in front.

import {
  SKB_DROP_REASON_DEV_READY, SKB_DROP_REASON_NOMEM, SKB_DROP_REASON_PKT_TOO_BIG, SKB_DROP_REASON_PKT_TOO_SMALL,
} from '@stack/kernel';
import { ETH_HLEN, ethTypeTrans, napiGroReceive, netdevAllocSkb, netifRunning, type NapiStruct, type NetDevice } from '@stack/netdev';
import { __skbPut, type SkBuff, kfreeSkbReason } from '@stack/skbuff';

/** Octets of the length in front of a frame. */
export const STREAM_HLEN = 4;
/** Longest frame that a stream may announce: more than that, and the two ends do not speak the same protocol. */
export const STREAM_FRAME_MAX = 65536;
/** Octets that a frame may have beyond header and MTU: one VLAN tag. */
const VLAN_HLEN = 4;
/** Consumed chunks are forgotten in one go when there are so many. */
const FORGET = 64;

/** Where the receiver stands in its stream. */
export class StreamRx {
  framed: boolean;
  /** Chunks not consumed yet begin at `head`, the first of them at octet `at`. */
  chunks: Uint8Array[];
  head: number;
  at: number;
  /** Octets not consumed yet. */
  size: number;
  /** Octets of the length that have been read, and their value so far. */
  have: number;
  length: number;
  /** Octets of the frame still to come. */
  left: number;
  /** The frame that is being filled; null while a length is read, and where the frame is skipped. */
  skb: SkBuff | null;
  /** A length was read that cannot be one: nothing after it makes sense. */
  bad: boolean;

  constructor(framed: boolean) {
    this.framed = framed;
    this.chunks = [];
    this.head = 0;
    this.at = 0;
    this.size = 0;
    this.have = 0;
    this.length = 0;
    this.left = 0;
    this.skb = null;
    this.bad = false;
  }
}

/** Queues a chunk, which is the receiver's from now on. */
export function rxPush(rx: StreamRx, chunk: Uint8Array): void {
  if (chunk.length === 0 && !rx.framed) return;
  rx.chunks.push(chunk);
  rx.size += chunk.length;
}

/** Whether octets, or frames without any, wait for rxReceive(). */
export function rxPending(rx: StreamRx): boolean {
  return !rx.bad && rx.head < rx.chunks.length;
}

/** Whether the stream stands between two frames. */
export function rxAtBoundary(rx: StreamRx): boolean {
  return rx.have === 0;
}

/** Forgets everything; a frame half filled is freed. */
export function rxPurge(rx: StreamRx): void {
  rxSkip(rx);
  rx.chunks.length = 0;
  rx.head = 0;
  rx.at = 0;
  rx.size = 0;
}

/** The rest of the frame that is being filled will be skipped (the device goes down). */
export function rxSkip(rx: StreamRx): void {
  if (rx.skb !== null) kfreeSkbReason(rx.skb, SKB_DROP_REASON_DEV_READY);
  rx.skb = null;
}

/**
 * Consumes what is queued until `budget` frames have ended, nothing is left, or a bad length is found (rx.bad). Whole frames
 * go up; those that cannot are skipped and counted. Returns how many frames have ended.
 */
export function rxReceive(rx: StreamRx, napi: NapiStruct, budget: number): number {
  let work = 0;
  while (work < budget && rxPending(rx)) {
    const chunk = rx.chunks[rx.head]!;
    if (rx.have < STREAM_HLEN) {
      if (rx.framed) rxLengthOfChunk(rx, chunk);
      else rxLength(rx, chunk);
      if (rx.have === STREAM_HLEN && !rx.bad) rxBegin(rx, napi.dev);
    } else {
      rxFill(rx, chunk);
    }
    if (rx.have === STREAM_HLEN && rx.left === 0) {
      rxEnd(rx, napi);
      work++;
    }
    if (rx.at === chunk.length) rxForget(rx);
  }
  return work;
}

/** Reads octets of the length. */
function rxLength(rx: StreamRx, chunk: Uint8Array): void {
  while (rx.have < STREAM_HLEN && rx.at < chunk.length) {
    rx.length = (rx.length << 8) | chunk[rx.at++]!;
    rx.have++;
    rx.size--;
  }
  rx.bad = rx.have === STREAM_HLEN && (rx.length >>> 0 > STREAM_FRAME_MAX || rx.length === 0);
}

function rxLengthOfChunk(rx: StreamRx, chunk: Uint8Array): void {
  rx.length = chunk.length;
  rx.have = STREAM_HLEN;
}

/** The length is known: takes an sk_buff for the frame, unless it is to be skipped. */
function rxBegin(rx: StreamRx, dev: NetDevice): void {
  const { length } = rx;
  rx.left = length;
  if (!netifRunning(dev)) return;
  if (length < ETH_HLEN || length > dev.mtu + dev.hardHeaderLen + VLAN_HLEN) {
    dev.stats.rxErrors++;
    dev.stats.rxLengthErrors++;
    dev.net.dropReasons[length < ETH_HLEN ? SKB_DROP_REASON_PKT_TOO_SMALL : SKB_DROP_REASON_PKT_TOO_BIG]!++;
    return;
  }
  rx.skb = netdevAllocSkb(dev, length);
  if (rx.skb !== null) return;
  dev.stats.rxDropped++;
  dev.net.dropReasons[SKB_DROP_REASON_NOMEM]!++;
}

/** Moves as much of the frame as `chunk` has. */
function rxFill(rx: StreamRx, chunk: Uint8Array): void {
  const count = Math.min(rx.left, chunk.length - rx.at);
  const { skb } = rx;
  if (skb !== null) skb.buf.set(count === chunk.length ? chunk : chunk.subarray(rx.at, rx.at + count), __skbPut(skb, count));
  rx.at += count;
  rx.left -= count;
  rx.size -= count;
}

/** The frame is whole, or skipped to its end. */
function rxEnd(rx: StreamRx, napi: NapiStruct): void {
  const { skb } = rx;
  rx.skb = null;
  rx.have = 0;
  rx.length = 0;
  if (skb === null) return;
  const { dev } = napi;
  dev.stats.rxPackets++;
  dev.stats.rxBytes += skb.len;
  skb.protocol = ethTypeTrans(skb, dev);
  napiGroReceive(napi, skb);
}

/** The first chunk is consumed. */
function rxForget(rx: StreamRx): void {
  rx.at = 0;
  rx.head++;
  if (rx.head !== rx.chunks.length && rx.head < FORGET) return;
  rx.chunks.splice(0, rx.head);
  rx.head = 0;
}
