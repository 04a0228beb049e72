// A cable between two ports: plugging it in, changing what it does to frames, pulling it out.

import { EBUSY, EXDEV, errnoException, hrtimerCancel } from '@stack/kernel';
import { heldPurge } from './held-frame.ts';
import { channelSetImpairments, type Impairments } from './impair.ts';
import { Channel, type Port } from './port.ts';

/** A cable plugged in at both ends. */
export class Wire {
  /** From the first port to the second. */
  ab: Channel;
  /** From the second port to the first. */
  ba: Channel;
  connected: boolean;

  constructor(ab: Channel, ba: Channel) {
    this.ab = ab;
    this.ba = ba;
    this.connected = true;
  }
}

/**
 * Plugs a cable into two ports of one World. `impairments` hold in both directions, unless `back` says what the way from b
 * to a is like. Throws EXDEV if the ports are of two Worlds, EBUSY if one has a cable, a RangeError for a bad value.
 */
export function connect(a: Port, b: Port, impairments: Impairments = {}, back: Impairments = impairments): Wire {
  if (a.world !== b.world) throw errnoException(EXDEV, 'connect', `${a.name} and ${b.name}`);
  if (a === b || a.out !== null || b.out !== null) throw errnoException(EBUSY, 'connect', (a.out !== null ? a : b).name);
  const wire = new Wire(new Channel(a, b), new Channel(b, a));
  channelSetImpairments(wire.ab, impairments);
  channelSetImpairments(wire.ba, back);
  a.out = wire.ab;
  a.in = wire.ba;
  b.out = wire.ba;
  b.in = wire.ab;
  a.ops.linkChange(a, true);
  b.ops.linkChange(b, true);
  return wire;
}

/** Changes what the cable does, from the next frame on; each direction as in connect(). */
export function wireSetImpairments(wire: Wire, impairments: Impairments, back: Impairments = impairments): void {
  channelSetImpairments(wire.ab, impairments);
  channelSetImpairments(wire.ba, back);
}

/** Pulls the cable out: what is on it is lost, and so is what is sent from now on. Nothing happens the second time. */
export function disconnect(wire: Wire): void {
  if (!wire.connected) return;
  wire.connected = false;
  const { from: a, to: b } = wire.ab;
  a.out = a.in = null;
  b.out = b.in = null;
  channelClose(wire.ab);
  channelClose(wire.ba);
  a.ops.linkChange(a, false);
  b.ops.linkChange(b, false);
}

function channelClose(channel: Channel): void {
  heldPurge(channel);
  if (channel.impair !== null) hrtimerCancel(channel.impair.timer);
  if (!channel.waiting) return;
  channel.waiting = false;
  channel.from.ops.resume(channel.from);
}
