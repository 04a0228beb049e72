// A wrapper that loses, damages and repeats frames, each with a probability of its own and the same on every run with the
// same seed.

import { Random, SKB_DROP_REASON_FAULT_INJECTED, SKB_DROP_REASON_NOMEM, randomBelow, randomChance, randomU32 } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { CHECKSUM_NONE, consumeSkb, kfreeSkbReason, skbClone, skbCopy, type SkBuff } from '@stack/skbuff';
import { wrapDevice, type WrapOps, type WrapPriv } from './wrap.ts';

/** Probabilities, 0 … 1, each default 0. */
export interface FaultRates {
  readonly drop?: number;
  /** One bit, anywhere behind the link-layer header, is inverted. */
  readonly corrupt?: number;
  readonly duplicate?: number;
}

/** What createFaultInjector() may be told. */
export interface FaultOptions {
  /** Default `wrap%d`. */
  readonly name?: string;
  /** Default drawn from the World's random numbers. */
  readonly seed?: number;
  /** What happens to frames on their way out. */
  readonly transmit?: FaultRates;
  /** And on their way in. */
  readonly receive?: FaultRates;
}

/** What a fault injector has done, both ways together. */
export class FaultStats {
  passed: number;
  dropped: number;
  corrupted: number;
  duplicated: number;

  constructor() {
    this.passed = 0;
    this.dropped = 0;
    this.corrupted = 0;
    this.duplicated = 0;
  }
}

class FaultPriv {
  random: Random;
  transmit: Required<FaultRates>;
  receive: Required<FaultRates>;
  stats: FaultStats;

  constructor(random: Random, transmit: Required<FaultRates>, receive: Required<FaultRates>) {
    this.random = random;
    this.transmit = transmit;
    this.receive = receive;
    this.stats = new FaultStats();
  }
}

const faultOps: WrapOps = { id: 'fault', transmit: faultTransmit, receive: faultReceive };

function rates({ drop = 0, corrupt = 0, duplicate = 0 }: FaultRates = {}): Required<FaultRates> {
  for (const p of [drop, corrupt, duplicate]) {
    if (!(p >= 0 && p <= 1)) throw new RangeError(`a probability is 0 to 1, not ${p}`);
  }
  return { drop, corrupt, duplicate };
}

/** A fault injector on `lower`: see wrapDevice(). Throws a RangeError for a rate that is no probability. */
export function createFaultInjector(lower: NetDevice, options: FaultOptions = {}): NetDevice {
  const { name, seed = randomU32(lower.net.world.random), transmit, receive } = options;
  return wrapDevice(lower, faultOps, new FaultPriv(new Random(seed), rates(transmit), rates(receive)), name);
}

/** What the fault injector `dev` has done so far. */
export function faultStats(dev: NetDevice): FaultStats {
  return ((dev.priv as WrapPriv).data as FaultPriv).stats;
}

function faultTransmit(skb: SkBuff, wrap: WrapPriv): SkBuff | null {
  const priv = wrap.data as FaultPriv;
  return inject(skb, wrap.dev, priv, priv.transmit);
}

function faultReceive(skb: SkBuff, wrap: WrapPriv): SkBuff | null {
  const priv = wrap.data as FaultPriv;
  return inject(skb, wrap.dev, priv, priv.receive);
}

/** The fate of one frame. Always draws three times, so that one rate does not shift what the others do. */
function inject(skb: SkBuff, dev: NetDevice, { random, stats }: FaultPriv, { drop, corrupt, duplicate }: Required<FaultRates>): SkBuff | null {
  const lost = randomChance(random, drop);
  const damaged = randomChance(random, corrupt);
  const twice = randomChance(random, duplicate);
  if (lost) {
    stats.dropped++;
    kfreeSkbReason(skb, SKB_DROP_REASON_FAULT_INJECTED);
    return null;
  }
  const frame = damaged ? flipBit(skb, dev, random) : skb;
  if (frame === null) return null;
  if (damaged) stats.corrupted++;
  stats.passed++;
  if (!twice) return frame;
  const copy = skbClone(frame);
  if (copy === null) return frame;
  copy.macLen = frame.macLen;
  stats.duplicated++;
  frame.next = copy;
  return frame;
}

/** A copy of the frame with one bit inverted, in place of it. Null, with the frame freed, when there is no memory. */
function flipBit(skb: SkBuff, dev: NetDevice, random: Random): SkBuff | null {
  const room = (skb.len - dev.hardHeaderLen) * 8;
  if (room <= 0) return skb;
  // Others may have the same octets: the sender, to send them again.
  const copy = skbCopy(skb);
  if (copy === null) {
    kfreeSkbReason(skb, SKB_DROP_REASON_NOMEM);
    return null;
  }
  consumeSkb(skb);
  const bit = randomBelow(random, room);
  copy.buf[copy.data + dev.hardHeaderLen + (bit >> 3)]! ^= 1 << (bit & 7);
  copy.ipSummed = CHECKSUM_NONE;
  return copy;
}
