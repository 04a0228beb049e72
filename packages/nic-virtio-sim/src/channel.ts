// A cable that does something to frames: cuts and completes them, holds them.
//
// portTransmit() comes here when the cable impairs or the receiver does not take frames of many segments. Frames come to
// the receiver by heldDeliver(), from here, from the cable's timer, or when the receiver has room again.

import { channelSendBurst } from './burst.ts';
import { heldDeliver } from './deliver.ts';
import type { Frame } from './frame.ts';
import { heldInsert, heldRelease, type HeldFrame } from './held-frame.ts';
import { impairFrame } from './impair.ts';
import { PORT_BUSY, PORT_TAKEN, type Channel } from './port.ts';
import { heldComplete, tsoSegment } from './tso.ts';

/** Takes a frame, cut into single finished ones. Returns PORT_TAKEN, or PORT_BUSY if the receiver lags behind. */
export function channelSendCut(channel: Channel, frame: Frame): number {
  if (channel.impair === null && channel.heldFirst !== null) {
    channel.waiting = true;
    return PORT_BUSY;
  }
  if (channel.impair !== null && channel.impair.burst > 1 && frame.gsoSize !== 0 && channel.to.gso && channel.to.csum) {
    return channelSendBurst(channel, channel.impair, frame);
  }
  let held = frame.gsoSize !== 0 ? tsoSegment(channel, frame) : heldComplete(channel, frame);
  while (held !== null) {
    const next: HeldFrame | null = held.next;
    held.next = null;
    channel.frames++;
    channel.bytes += held.len;
    if (channel.impair === null) heldInsert(channel, held);
    else impairFrame(channel, channel.impair, held);
    held = next;
  }
  heldDeliver(channel);
  return PORT_TAKEN;
}

/** Has the cable hold a copy of `frame` until the receiver has room. For frames that several ports get. */
export function channelHold(channel: Channel, frame: Frame): void {
  const held = heldComplete(channel, frame);
  if (held === null) return;
  if (channel.nrHeld >= CHANNEL_HOLD_MAX) {
    channel.overflowed++;
    heldRelease(channel, held);
    return;
  }
  channel.frames++;
  channel.bytes += held.len;
  heldInsert(channel, held);
}

/** Most frames that channelHold() keeps for one receiver. */
const CHANNEL_HOLD_MAX = 1000;
