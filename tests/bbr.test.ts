// BBR's reason to be, in virtual time: on a path that loses one segment in a hundred, whatever is sent, the link stays full. A window
// that is cut with each loss cannot keep it so (RFC 9438 §5.2). Each transfer is a bundle in a process of its own, as in loss.test.ts.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TransferOptions, TransferResult } from './portable/transfer.ts';
import { bundle, portableEntry } from './support/bundle.ts';
import { runOn } from './support/spawn.ts';
import { root } from './support/workspace.ts';

const MIB = 1 << 20;
/** Of the losses. */
const SEED = 2;
/** 100 Mbit/s, 40 ms there and back, and a queue that holds as much as the path: 325 frames. */
const LINK = { bandwidth: 100e6, delay: 20, loss: 0.01, queueLen: 325 };

const entry = await bundle(portableEntry('transfer.ts', 'transfer'), join(root, '.cache', 'bbr'));

interface Shares {
  /** Seconds. */
  readonly time: number;
  readonly sent: number;
  readonly again: number;
  readonly timeouts: number;
}

async function transfer(control: string, mib: number): Promise<Shares> {
  const options: TransferOptions = { seed: SEED, octets: mib * MIB, impairments: LINK, sysctl: { 'net.ipv4.tcp_congestion_control': control } };
  const { time, counters } = await runOn('node', entry, options) as TransferResult;
  return {
    time: time / 1e9,
    sent: counters['TcpExtTCPOrigDataSent'] ?? 0,
    again: counters['TcpRetransSegs'] ?? 0,
    timeouts: counters['TcpExtTCPTimeouts'] ?? 0,
  };
}

/** Of the link's octets in `seconds`, those that were the user's. */
function goodput(mib: number, seconds: number): number {
  return (mib * MIB * 8) / seconds / LINK.bandwidth;
}

test.concurrent('BBR, once it has found its rate, keeps more than 90 % of a link that loses 1 %', { timeout: 240_000 }, async () => {
  // Where one of the first segments is lost startup ends early, and finding the rate takes seconds.
  const [half, whole] = await Promise.all([transfer('bbr', 32), transfer('bbr', 64)]);
  expect(goodput(32, whole.time - half.time)).toBeGreaterThan(0.9);
  // Startup overflows the queue; after that no more is lost than the path loses.
  expect((whole.again - half.again) / (whole.sent - half.sent)).toBeLessThan(0.02);
  expect(whole.timeouts).toBe(0);
});

test.concurrent('CUBIC cannot', { timeout: 240_000 }, async () => {
  expect(goodput(4, (await transfer('cubic', 4)).time)).toBeLessThan(0.2);
});
