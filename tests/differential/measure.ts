// One case after another: whose TCP sends, whose receives, through what; and the figures of each.
import type { Flows } from './flows.ts';
import { buildRig, latenessAt, type Kind, type Path } from './rig.ts';

/** What to measure. */
export interface Case {
  readonly from: Kind;
  readonly to: Kind;
  readonly path: Path;
  readonly flows: number;
  readonly seconds: number;
}

/** What came of it. */
export interface Outcome {
  readonly from: Kind;
  readonly to: Kind;
  readonly loss: number;
  /** Bits per second of each flow, the slowest first. */
  readonly goodputs: readonly number[];
  readonly median: number;
  /** Of segments that were sent, the share that was sent again; timeouts of all flows together. */
  readonly again: number;
  readonly timeouts: number;
  /** The smoothed round-trip time in ms, looked at ten times: the median of all flows. The cable's delay, and what the machine adds. */
  readonly rtt: number;
  /** How late timers were, in ms: 99 of 100 were less. */
  readonly lateness: number;
  /** Of the sender and of the receiver. */
  readonly counters: readonly [Readonly<Record<string, number>>, Readonly<Record<string, number>>];
}

/** The rows of the table, in its order; the last is what the others are compared with. */
export const PAIRS: readonly (readonly [Kind, Kind])[] = [['Linux', 'Linux'], ['ours', 'Linux'], ['Linux', 'ours'], ['ours', 'ours']];

const PORT = 5001;

/** Runs it. */
export async function measure({ from, to, path, flows, seconds }: Case): Promise<Outcome> {
  const rig = buildRig(from, to, path);
  try {
    const { ready, octets } = rig.receiver.flows.receive(PORT, flows, seconds);
    await ready;
    rig.sender.flows.send(rig.receiver.address, PORT, flows);
    const watched = watchRtts(rig.sender.flows, seconds);
    const goodputs = (await octets).map((count) => (count * 8) / seconds).sort((a, b) => a - b);
    const rtt = median((await watched).sort((a, b) => a - b));
    const counters = [rig.sender.counters(), rig.receiver.counters()] as const;
    const { TcpRetransSegs = 0, TcpOutSegs = 1, TcpExtTCPTimeouts = 0 } = counters[0];
    return {
      from, to, loss: path.loss, goodputs, median: median(goodputs), again: TcpRetransSegs / TcpOutSegs, timeouts: TcpExtTCPTimeouts,
      rtt, lateness: latenessAt(rig.lateness, 0.99), counters,
    };
  } finally {
    await rig.close();
  }
}

const LOOKS = 10;

/** Looks at the sender's round-trip times LOOKS times, the last shortly before the end. */
async function watchRtts(flows: Flows, seconds: number): Promise<number[]> {
  const rtts: number[] = [];
  for (let i = 0; i < LOOKS; i++) {
    await new Promise((resolve) => setTimeout(resolve, (seconds * 950) / LOOKS));
    rtts.push(...await flows.rtts());
  }
  return rtts;
}

/** Of numbers in order. */
export function median(sorted: readonly number[]): number {
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}
