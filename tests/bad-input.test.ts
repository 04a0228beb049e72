// Bad input, in bulk: no throw, no leak, no hang, memory within bounds, and every frame delivered or dropped with a reason that
// has a name. tests/fuzz/ has the host, its peer and the mutations; the classes of known attacks are in bad-input-classes.test.ts;
// `npm run fuzz` does the same with ten million frames (docs/fuzz.md).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { inetAddProtocol } from '@stack/ip';
import { Random, randomU32 } from '@stack/kernel';
import { consumeSkb, kfreeSkb, type SkBuff } from '@stack/skbuff';
import { beforeAll, describe, expect, test } from 'vitest';
import { debianCaptures } from '../scripts/debian-captures.mjs';
import { filesBelow } from './support/workspace.ts';
import { readCapture } from './fuzz/captures.ts';
import { frameFor, haveConversation, replay, type Conversation } from './fuzz/conversation.ts';
import { runEpisode } from './fuzz/episode.ts';
import { ETH, OUR_IP, OUR_MAC, ethernet, fixChecksums } from './fuzz/frames.ts';
import { advance, createTarget, endTarget, receive, type Account } from './fuzz/target.ts';

const SEED = 20261123;

describe('a conversation, damaged', () => {
  let conversation: Conversation;

  beforeAll(async () => {
    conversation = await haveConversation();
  });

  test('undamaged, the replay is answered as the conversation was: ping, port unreachable, echo, FIN', async () => {
    const target = createTarget();
    await replay(target, conversation, conversation.frames.length);
    const counters = target.host.show.counters();
    expect(counters).toMatchObject({ IcmpInEchos: 2, IpReasmOKs: 1, UdpInDatagrams: 1, UdpNoPorts: 1, TcpPassiveOpens: 1, TcpInErrs: 0, TcpOutRsts: 0 });
    const account = await endTarget(target);
    expect([...account.reasons.keys()]).toEqual(['NO_SOCKET']);
  });

  /** Each frame of the conversation in turn, in every form that `damage` makes of it, to a host that has had those before it. */
  async function eachFrame(damage: (frame: Uint8Array) => Iterable<Uint8Array>): Promise<number> {
    let count = 0;
    for (const [i, original] of conversation.frames.entries()) {
      const target = createTarget({ seed: i + 1, conntrack: i % 2 === 1 });
      await replay(target, conversation, i);
      const frame = frameFor(target, conversation, original);
      for (const bad of damage(frame)) {
        receive(target, bad);
        target.sent.length = 0;
        if (++count % 256 === 0) await advance(target, 1);
      }
      await endTarget(target);
    }
    return count;
  }

  test('every truncation', async () => {
    const octets = conversation.frames.reduce((sum, frame) => sum + frame.length, 0);
    expect(await eachFrame(function* truncate(frame) {
      for (let length = 0; length < frame.length; length++) yield frame.slice(0, length);
    })).toBe(octets);
  });

  test('every truncation, with lengths and checksums made to fit', async () => {
    expect(await eachFrame(function* truncate(frame) {
      for (let length = ETH + 20; length < frame.length; length++) {
        const short = frame.slice(0, length);
        if (short[12] === 8 && short[13] === 0) new DataView(short.buffer).setUint16(ETH + 2, length - ETH);
        fixChecksums(short);
        yield short;
      }
    })).toBeGreaterThan(1000);
  });

  test.each([['as they are', false], ['with checksums put right', true]])('every single-bit flip, %s', async (_how, fix) => {
    const bits = conversation.frames.reduce((sum, frame) => sum + frame.length * 8, 0);
    expect(await eachFrame(function* flip(frame) {
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const bad = frame.slice();
        bad[bit >> 3]! ^= 0x80 >> (bit & 7);
        if (fix) fixChecksums(bad);
        yield bad;
      }
    })).toBe(bits);
  });
});

describe('random and mutated frames', () => {
  const decisionsOf = (episode: number, count: number): number[] => {
    const random = new Random(SEED * 1000 + episode);
    return Array.from({ length: count }, () => randomU32(random) >>> 1);
  };

  test(`a slice of what npm run fuzz does, seed ${SEED}`, async () => {
    const reasons = new Set<string>();
    for (let episode = 0; episode < 8; episode++) {
      const account: Account = await runEpisode(episode, decisionsOf(episode, 2500), episode < 4).catch((error: unknown) => {
        throw new Error(`seed ${SEED}, episode ${episode}`, { cause: error });
      });
      expect(account.delivered).toBeGreaterThan(200);
      for (const reason of account.reasons.keys()) reasons.add(reason);
    }
    // If the fuzzer no longer reached deep, its frames would all fall at the first hurdle.
    for (const reason of ['TCP_CSUM', 'TCP_RESET', 'TCP_OLD_SEQUENCE', 'UDP_CSUM', 'ICMP_CSUM', 'FRAG_REASM_TIMEOUT', 'IP_NOPROTO', 'OTHERHOST']) expect(reasons).toContain(reason);
  });

  test('the same seed is the same run', async () => {
    const [one, two] = [await runEpisode(1, decisionsOf(1, 300), true), await runEpisode(1, decisionsOf(1, 300), true)];
    expect(two).toEqual(one);
  });

  test('short runs by fast-check, which shrinks what fails', async () => {
    await fc.assert(fc.asyncProperty(fc.nat(1000), fc.array(fc.nat(0x7fffffff), { minLength: 1, maxLength: 150 }), async (seed, decisions) => {
      await runEpisode(seed, decisions, true);
    }), { seed: SEED, numRuns: 25 });
  });

  /** A host that has a fault in the protocols from 64 on. */
  const planted = (fault: string) => async (decisions: readonly number[]): Promise<void> => {
    await runEpisode(2, decisions, true, (target) => {
      const handler = (skb: SkBuff): number => {
        if (fault === 'throw' && skb.len > 3) throw new Error('planted');
        if (fault === 'nameless drop') kfreeSkb(skb);
        else if (fault !== 'leak') consumeSkb(skb);
        return 0;
      };
      for (let protocol = 64; protocol < 256; protocol++) inetAddProtocol(target.host.net, { handler, errHandler: null, flags: 0 }, protocol);
    });
  };

  test.each(['throw', 'leak', 'nameless drop'])('a planted fault (%s) is found, and shrunk to two frames at most', async (fault) => {
    const run = planted(fault);
    const property = fc.asyncProperty(fc.array(fc.nat(0x7fffffff), { minLength: 20, maxLength: 60 }), run);
    const found = await fc.check(property, { seed: 5, numRuns: 60, endOnFailure: false, interruptAfterTimeLimit: 30_000 });
    expect(found.failed).toBe(true);
    const few = fc.asyncProperty(fc.array(fc.nat(0x7fffffff), { maxLength: 60 }), run);
    const shrunk = await fc.check(few, { numRuns: 1, examples: [[found.counterexample![0]]] });
    expect(shrunk.counterexample![0].length).toBeLessThanOrEqual(2);
  });
});

describe('captures that this project did not make', () => {
  const { missing, folders } = debianCaptures();

  test.skipIf(missing !== '')(`tcpdump's and Wireshark's, into a host${missing === '' ? '' : ` (${missing})`}`, async () => {
    let target = createTarget({ conntrack: true });
    const total = { files: 0, frames: 0 };
    for (const file of folders.flatMap((folder) => filesBelow(folder, ''))) {
      const packets = readCapture(readFileSync(join(file)));
      if (packets.length === 0) continue;
      total.files++;
      for (const { linkType, octets } of packets.slice(0, 200)) {
        for (const frame of variants(linkType, octets.subarray(0, 9000))) {
          receive(target, frame);
          target.sent.length = 0;
          if (++total.frames % 64 === 0) await advance(target, 10);
        }
      }
      if (total.files % 100 === 0) {
        await endTarget(target);
        target = createTarget({ conntrack: total.files % 200 === 0 });
      }
    }
    await endTarget(target);
    expect(total.files).toBeGreaterThan(300);
    expect(total.frames).toBeGreaterThan(15_000);
  });

  /** A packet as it is, to our address, and as if IP were for us. */
  function variants(linkType: number, octets: Uint8Array): Uint8Array[] {
    if (linkType !== 1) return [ethernet(octets.length > 0 && octets[0]! >> 4 === 6 ? 0x86dd : 0x0800, octets)];
    if (octets.length < 34) return [octets];
    const toUs = octets.slice();
    toUs.set(OUR_MAC);
    if (toUs[12] !== 8 || toUs[13] !== 0) return [octets, toUs];
    const forUs = toUs.slice();
    new DataView(forUs.buffer).setUint32(ETH + 16, OUR_IP);
    fixChecksums(forUs);
    return [octets, toUs, forUs];
  }
});
