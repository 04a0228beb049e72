// Ports and the channels between them: how frames get from one device to another.
//
// A device (its hardware half) has a Port; connect() (wire.ts) joins two ports by a Channel each way. A sender offers a
// frame by portTransmit() (transmit.ts); the receiver's PortOps.receive() copies it, or answers PORT_BUSY: then the sender keeps the
// frame, and its PortOps.resume() is called once the receiver has said portRoom(). So a wire that impairs nothing copies
// each frame once, and never loses one to a receiver that is merely slow.

import type { Net, World } from '@stack/kernel';
import { Frame, Iov } from './frame.ts';
import type { HeldFrame } from './held-frame.ts';
import type { Impair } from './impair.ts';

/** The frame was taken: copied, or lost and counted. */
export const PORT_TAKEN = 0;
/** There is no room now; the sender's resume() will be called. */
export const PORT_BUSY = 1;

/** What the hardware behind a port does. */
export interface PortOps {
  /** A frame arrives. Returns PORT_TAKEN or PORT_BUSY. */
  readonly receive: (port: Port, frame: Frame) => number;
  /** Whoever answered PORT_BUSY has room again. */
  readonly resume: (port: Port) => void;
  /** A cable was plugged in or pulled out. */
  readonly linkChange: (port: Port, up: boolean) => void;
}

/** Where a cable can be plugged in. */
export class Port {
  world: World;
  /** The host whose device this is; null for a switch's port. */
  net: Net | null;
  name: string;
  ops: PortOps;
  /** The hardware that the ops work on. */
  owner: unknown;
  /** Towards the other end; null without a cable. */
  out: Channel | null;
  /** From the other end. */
  in: Channel | null;
  /** Takes frames of many segments. */
  gso: boolean;
  /** Takes frames whose checksum is still to be completed. */
  csum: boolean;
  /** Frames offered while no cable was plugged in. */
  noCarrier: number;

  constructor(world: World, net: Net | null, name: string, ops: PortOps, owner: unknown) {
    this.world = world;
    this.net = net;
    this.name = name;
    this.ops = ops;
    this.owner = owner;
    this.out = null;
    this.in = null;
    this.gso = false;
    this.csum = false;
    this.noCarrier = 0;
  }
}

/** One direction of a cable. */
export class Channel {
  world: World;
  from: Port;
  to: Port;
  /** Null: every frame is there at once, unharmed. */
  impair: Impair | null;
  /** Frames on the cable, in order of arrival. */
  heldFirst: HeldFrame | null;
  heldLast: HeldFrame | null;
  nrHeld: number;
  /** Unused HeldFrames. */
  heldFree: HeldFrame | null;
  /** `from` was told PORT_BUSY. */
  waiting: boolean;
  /** `to` was the one to say so. */
  blocked: boolean;
  /** heldDeliver() is at work, further up the stack. */
  delivering: boolean;
  /** Shows held frames to the receiver. */
  frame: Frame;
  // Frames and octets offered (segments counted one by one where they are cut); frames lost, by cause.
  frames: number;
  bytes: number;
  lost: number;
  overflowed: number;
  reordered: number;
  duplicated: number;
  corrupted: number;
  noMemory: number;
  malformed: number;

  constructor(from: Port, to: Port) {
    this.world = from.world;
    this.from = from;
    this.to = to;
    this.impair = null;
    this.heldFirst = null;
    this.heldLast = null;
    this.nrHeld = 0;
    this.heldFree = null;
    this.waiting = false;
    this.blocked = false;
    this.delivering = false;
    this.frame = new Frame(new Iov());
    this.frames = 0;
    this.bytes = 0;
    this.lost = 0;
    this.overflowed = 0;
    this.reordered = 0;
    this.duplicated = 0;
    this.corrupted = 0;
    this.noMemory = 0;
    this.malformed = 0;
  }
}
