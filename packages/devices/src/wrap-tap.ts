// A wrapper that shows every frame to a sink and changes nothing: a tracer (formatFrame() makes a line of each), or the
// source of a capture file (a frame is what a wire carries, so a pcapng writer takes it as it is).

import { worldNow } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { skbCopyBits, type SkBuff } from '@stack/skbuff';
import { wrapDevice, type WrapOps, type WrapPriv } from './wrap.ts';

/** One frame that passed a tap. */
export interface TappedFrame {
  /** Nanoseconds of the World's clock. */
  readonly time: number;
  readonly dev: NetDevice;
  readonly outgoing: boolean;
  /** ETH_P_* of what is inside. */
  readonly protocol: number;
  /** The whole frame, a copy that is the sink's. */
  readonly octets: Uint8Array;
}

/** Takes a frame; called within the stack, so it notes and returns. */
export type FrameSink = (frame: TappedFrame) => void;

const tapOps: WrapOps = { id: 'tap', transmit: tapTransmit, receive: tapReceive };

/** A tap on `lower`: see wrapDevice(). */
export function createTapWrapper(lower: NetDevice, sink: FrameSink, name?: string): NetDevice {
  return wrapDevice(lower, tapOps, sink, name);
}

function tapTransmit(skb: SkBuff, wrap: WrapPriv): SkBuff {
  show(skb, wrap, true);
  return skb;
}

function tapReceive(skb: SkBuff, wrap: WrapPriv): SkBuff {
  show(skb, wrap, false);
  return skb;
}

function show(skb: SkBuff, { data, dev }: WrapPriv, outgoing: boolean): void {
  const octets = new Uint8Array(skb.len);
  skbCopyBits(skb, 0, octets, 0, skb.len);
  (data as FrameSink)({ time: worldNow(dev.net.world), dev, outgoing, protocol: skb.protocol, octets });
}

const hex = (octets: Uint8Array): string => Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join(':');

/** A frame as a line: time in seconds, host and device, direction, addresses, type and length. */
export function formatFrame({ time, dev, outgoing, protocol, octets }: TappedFrame): string {
  const seconds = `${Math.floor(time / 1e9)}.${String(Math.floor(time / 1e3) % 1e6).padStart(6, '0')}`;
  const link = dev.addrLen === 6 ? ` ${hex(octets.subarray(6, 12))} > ${hex(octets.subarray(0, 6))},` : '';
  const type = protocol.toString(16).padStart(4, '0');
  return `${seconds} ${dev.net.name}/${dev.name} ${outgoing ? 'Out' : 'In'}${link} ethertype 0x${type}, length ${octets.length}`;
}
