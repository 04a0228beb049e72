// What is done to a frame to make it bad.
import { randomBelow, randomChance, randomU32, type Random } from '@stack/kernel';
import { ETH, fixChecksums } from './frames.ts';

const OCTETS = [0, 1, 2, 3, 4, 7, 0x40, 0x44, 0x45, 0x46, 0x4f, 0x7f, 0x80, 0xfe, 0xff];
const WORDS = [0, 1, 7, 8, 19, 20, 21, 0x1fff, 0x2000, 0x3fff, 0x7fff, 0x8000, 0xfff7, 0xfffe, 0xffff];

const pick = <T>(random: Random, list: readonly T[]): T => list[randomBelow(random, list.length)]!;

/** One change of a frame: the same array changed, or another. Mostly behind the Ethernet header. */
function mutateOnce(random: Random, frame: Uint8Array): Uint8Array {
  const { length } = frame;
  if (length === 0) return frame;
  const from = length > ETH && !randomChance(random, 0.03) ? ETH : 0;
  // Headers are at the front: half of all changes are in the first 48 octets behind Ethernet's.
  const span = randomChance(random, 0.5) ? Math.min(48, length - from) : length - from;
  const at = from + randomBelow(random, Math.max(1, span));
  switch (randomBelow(random, 8)) {
    case 0:
    case 1:
      frame[at]! ^= 1 << randomBelow(random, 8);
      return frame;
    case 2:
      frame[at] = pick(random, OCTETS);
      return frame;
    case 3: {
      const word = pick(random, WORDS);
      frame[at & ~1] = word >> 8;
      if ((at | 1) < length) frame[at | 1] = word;
      return frame;
    }
    case 4:
      frame[at] = randomU32(random);
      return frame;
    case 5:
      return frame.slice(0, at);
    case 6: {
      const longer = new Uint8Array(length + 1 + randomBelow(random, 64));
      longer.set(frame);
      return longer;
    }
    default: {
      const to = from + randomBelow(random, Math.max(1, length - from));
      frame.copyWithin(to, at, at + randomBelow(random, 16));
      return frame;
    }
  }
}

/** A frame with one to four changes, its checksums put right half of the time. The frame given stays as it is. */
export function mutate(random: Random, frame: Uint8Array): Uint8Array {
  let mutant: Uint8Array = frame.slice();
  for (let n = 1 + randomBelow(random, 4); n > 0; n--) mutant = mutateOnce(random, mutant);
  if (randomChance(random, 0.5)) fixChecksums(mutant);
  return mutant;
}
