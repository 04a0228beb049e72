// An episode: a fresh host, and a frame for each of a list of decisions. The same seed and decisions give the same episode.
import { decide, Peer } from './peer.ts';
import { advance, createTarget, endTarget, receive, type Account, type Target } from './target.ts';

/** Frames between two steps of time. */
const STEP = 64;
/** How much time a step is, in ms, in turn: a delayed ACK's, a retransmission's, and now and then the life of a fragment. */
const STEPS = [1, 50, 10, 250, 1, 50, 10, 31_000];
/** sk_buffs that a host may have at once: what its limits (fragments, receive buffers, neighbour queues) come to. */
export const MOST_SKBS = 20_000;

/**
 * Runs an episode, every other one with connection tracking; `prepare` may change the host first. Throws a BadInputError, or whatever
 * went wrong; resolves with what became of the frames.
 */
export async function runEpisode(
  seed: number, decisions: readonly number[], debug: boolean, prepare: (target: Target) => void = () => undefined,
): Promise<Account> {
  const target = createTarget({ seed, debug, conntrack: (seed & 1) !== 0 });
  prepare(target);
  const peer = new Peer(target);
  for (const [i, decision] of decisions.entries()) {
    receive(target, decide(peer, decision));
    if (i % STEP === STEP - 1) await advance(target, STEPS[(i / STEP | 0) % STEPS.length]!);
  }
  await advance(target, 40_000);
  const account = await endTarget(target);
  if (account.peakSkbs > MOST_SKBS) throw new Error(`${account.peakSkbs} sk_buffs at once`);
  return account;
}
