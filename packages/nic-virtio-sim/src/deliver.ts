// Delivering what a cable holds: from the cable's timer, after sending, or when the receiver has room again.

import { hrtimerStart } from '@stack/kernel';
import { heldRelease, heldShift, heldToFrame } from './held-frame.ts';
import { PORT_BUSY, type Channel } from './port.ts';

/** Delivers what has arrived, as far as the receiver takes it. Returns whether nothing is left that it has refused. */
export function heldDeliver(channel: Channel): boolean {
  if (channel.blocked || channel.delivering) return false;
  channel.delivering = true;
  const to = channel.to;
  const frame = channel.frame;
  const impair = channel.impair;
  while (channel.heldFirst !== null) {
    const held = channel.heldFirst;
    if (impair !== null && held.deliverAt > channel.world.now) {
      if (impair.timer.index < 0 || impair.timer.expires > held.deliverAt) hrtimerStart(impair.timer, held.deliverAt);
      break;
    }
    heldToFrame(held, frame);
    if (to.ops.receive(to, frame) === PORT_BUSY) {
      channel.blocked = true;
      break;
    }
    heldRelease(channel, heldShift(channel));
  }
  channel.delivering = false;
  return !channel.blocked;
}
