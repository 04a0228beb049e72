// Sending and receiving at a port: what the hardware half of a device calls.

import { channelSendCut } from './channel.ts';
import { heldDeliver } from './deliver.ts';
import type { Frame } from './frame.ts';
import { PORT_BUSY, PORT_TAKEN, type Port } from './port.ts';

/** Offers a frame to whoever is at the other end. Returns PORT_TAKEN (also if there is no cable) or PORT_BUSY. */
export function portTransmit(port: Port, frame: Frame): number {
  const channel = port.out;
  if (channel === null) {
    port.noCarrier++;
    return PORT_TAKEN;
  }
  const to = channel.to;
  if (channel.impair !== null || (frame.gsoSize !== 0 && !to.gso) || (frame.needsCsum && !to.csum)) return channelSendCut(channel, frame);
  if (channel.heldFirst !== null) {
    channel.waiting = true;
    return PORT_BUSY;
  }
  const rc = to.ops.receive(to, frame);
  if (rc === PORT_BUSY) {
    channel.waiting = true;
    return rc;
  }
  channel.frames++;
  channel.bytes += frame.len;
  return rc;
}

/** The hardware behind `port` has room for frames again: those on the cable come first, then the sender goes on. */
export function portRoom(port: Port): void {
  const channel = port.in;
  if (channel === null) return;
  channel.blocked = false;
  if (!heldDeliver(channel)) return;
  if (!channel.waiting) return;
  channel.waiting = false;
  const from = channel.from;
  from.ops.resume(from);
}
