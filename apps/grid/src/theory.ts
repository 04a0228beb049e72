/*
 * What theory says of one flow: its share of the link, and how long one sawtooth of its window takes.
 *
 * Read first: Mathis, Semke, Mahdavi, Ott: The Macroscopic Behavior of the TCP Congestion Avoidance Algorithm (1997); RFC 9438 §5 (the
 * response function of CUBIC); Appenzeller, Keslassy, McKeown: Sizing Router Buffers (2004), for a window that only the buffer limits.
 */
import { FRAME, bdpFrames, queueFrames, type Cell } from './cell.ts';

export interface Theory {
  /** Goodput as a share of the link, from 0 to 1. */
  readonly share: number;
  /** Seconds from one reduction of the window to the next; 0 if nothing is periodic. */
  readonly cycle: number;
}

/** The window between two losses of the buffer's making, in segments. */
interface Sawtooth {
  /** Segments that fill the link, and those that fill link and queue. */
  readonly bdp: number;
  readonly top: number;
  /** Seconds there and back, of the empty link. */
  readonly rtt: number;
}

const CUBIC_C = 0.4;
const CUBIC_BETA = 0.7;
/** RFC 9438 §4.3: what the Reno-friendly window grows by in a round trip, until it is where it was. */
const CUBIC_ALPHA = (3 * (1 - CUBIC_BETA)) / (1 + CUBIC_BETA);
const STEPS = 2000;

/** Seconds there and back for a full frame on the empty link. */
function roundTrip({ rtt, bandwidth }: Cell): number {
  return rtt / 1000 + (FRAME * 8) / bandwidth;
}

/**
 * Mathis et al.: segments in flight at loss p. The constant is √(3/2): the window grows by what was acknowledged (RFC 3465), as in Linux,
 * so that delayed ACKs (b = 2, √(3/4)) do not slow it.
 */
function mathisWindow(loss: number): number {
  return Math.sqrt(3 / (2 * loss));
}

/** RFC 9438 §5.1, equation 6 with β 0.7 and C 0.4; Reno's where that is more (§4.3). */
function cubicWindow(loss: number, rtt: number): number {
  return Math.max(1.054 * (rtt / loss) ** 0.75, mathisWindow(loss));
}

/** Reno: half of the top, then a segment more with each round trip. While the link is full, a round trip takes as long as the window. */
function renoSawtooth({ bdp, top, rtt }: Sawtooth): Theory {
  const low = top / 2;
  const full = (top * top - Math.max(low, bdp) ** 2) / 2;
  if (low >= bdp) return { share: 1, cycle: (full / bdp) * rtt };
  const time = (bdp - low) * bdp + full;
  return { share: ((bdp * bdp - low * low) / 2 + full) / time, cycle: (time / bdp) * rtt };
}

/** CUBIC: 0.7 of the top, then the cubic curve or, where that is more, the Reno-friendly line. */
function cubicSawtooth({ bdp, top, rtt }: Sawtooth): Theory {
  const rise = Math.cbrt((top * (1 - CUBIC_BETA)) / CUBIC_C);
  const step = rise / STEPS;
  let friendly = CUBIC_BETA * top;
  let sent = 0;
  let time = 0;
  for (; time < rise; time += step) {
    const window = Math.max(CUBIC_C * (time - rise) ** 3 + top, friendly);
    if (window >= top) break;
    sent += Math.min(window, bdp);
    friendly += (CUBIC_ALPHA * step) / (rtt * Math.max(1, window / bdp));
  }
  return { share: time === 0 ? 1 : sent / ((time / step) * bdp), cycle: time };
}

/** A window that random losses limit, or the buffer. */
function lower(cell: Cell, window: (loss: number, rtt: number) => number, sawtooth: (saw: Sawtooth) => Theory): Theory {
  const bdp = bdpFrames(cell);
  const rtt = roundTrip(cell);
  const byBuffer: Theory = bdp < 2 ? { share: 1, cycle: 0 } : sawtooth({ bdp, top: bdp + queueFrames(cell), rtt });
  if (cell.loss === 0) return byBuffer;
  const share = (window(cell.loss, rtt) / rtt) * ((FRAME * 8) / cell.bandwidth);
  return share < byBuffer.share ? { share, cycle: 0 } : byBuffer;
}

const theories: Readonly<Record<string, (cell: Cell) => Theory>> = {
  reno: (cell) => lower(cell, mathisWindow, renoSawtooth),
  cubic: (cell) => lower(cell, cubicWindow, cubicSawtooth),
  // It takes no loss for a sign: what is lost is sent again.
  bbr: (cell) => ({ share: 1 - cell.loss, cycle: 0 }),
};

/** Null for a congestion control of which it says nothing. */
export function theoryOf(cell: Cell): Theory | null {
  return theories[cell.cc]?.(cell) ?? null;
}
