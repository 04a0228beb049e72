// A cable on which what was sent as one frame of many segments arrives as one, but where a segment of it is lost.
//
// What a card with large receive offload makes of a burst; and a simulation at a fraction of the cost. Every segment takes its place
// in the queue and its chance to be lost, as if it had been cut off.

import { heldDeliver } from './deliver.ts';
import type { Frame } from './frame.ts';
import { impairAdmit, impairHeld, type Impair } from './impair.ts';
import { PORT_TAKEN, type Channel } from './port.ts';
import { tsoHeaders, tsoPart } from './tso.ts';

/** Takes a frame of many segments. */
export function channelSendBurst(channel: Channel, impair: Impair, frame: Frame): number {
  const headers = tsoHeaders(channel, frame);
  if (headers === 0) return PORT_TAKEN;
  const { gsoSize, len } = frame;
  /** The segments that stay together: from where, how many, and when the last of them leaves. */
  let from = headers;
  let count = 0;
  let leaves = 0;
  for (let at = headers; at < len; at += gsoSize) {
    const octets = headers + Math.min(gsoSize, len - at);
    channel.frames++;
    channel.bytes += octets;
    const left = impairAdmit(channel, impair, octets);
    if (count > 0 && (left < 0 || count === impair.burst)) {
      burstPart(channel, impair, frame, headers, from, at - from, leaves);
      count = 0;
    }
    if (left < 0) continue;
    if (count++ === 0) from = at;
    leaves = left;
    if (at + gsoSize >= len) burstPart(channel, impair, frame, headers, from, len - from, leaves);
  }
  heldDeliver(channel);
  return PORT_TAKEN;
}

function burstPart(channel: Channel, impair: Impair, frame: Frame, headers: number, from: number, len: number, leaves: number): void {
  const held = tsoPart(channel, frame, headers, from, len);
  if (held !== null) impairHeld(channel, impair, held, leaves);
}
