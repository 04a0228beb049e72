// BBR's reason to be, in virtual time: on a path that loses one segment in a hundred, whatever is sent, the link stays full. A window
// that is cut with each loss cannot keep it so (RFC 9438 §5.2). Each transfer is a bundle in a process of its own, as in loss.test.ts.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TransferOptions, TransferResult } from './portable/transfer.ts';
import { bundle, portableEntry } from './support/bundle.ts';
import { runOn } from './support/spawn.ts';
import { root } from './support/workspace.ts';

const MIB = 1 << 20;
/** Of the losses. Where one of the first hundred segments is lost, startup may end early, and filling the link takes seconds. */
const SEED = 2;
/** 100 Mbit/s, 40 ms there and back, and a queue that holds as much as the path: 325 frames. */
const LINK = { bandwidth: 100e6, delay: 20, loss: 0.01, queueLen: 325 };

const entry = await bundle(portableEntry('transfer.ts', 'transfer'), join(root, '.cache', 'bbr'));

interface Shares {
  /** Of the link's octets, those that were the user's. */
  readonly goodput: number;
  readonly sent: number;
  readonly again: number;
  readonly timeouts: number;
}

async function transfer(control: string, mib: number): Promise<Shares> {
  const options: TransferOptions = { seed: SEED, octets: mib * MIB, impairments: LINK, sysctl: { 'net.ipv4.tcp_congestion_control': control } };
  const { time, counters } = await runOn('node', entry, options) as TransferResult;
  return {
    goodput: (mib * MIB * 8) / (time / 1e9) / LINK.bandwidth,
    sent: counters['TcpExtTCPOrigDataSent'] ?? 0,
    again: counters['TcpRetransSegs'] ?? 0,
    timeouts: counters['TcpExtTCPTimeouts'] ?? 0,
  };
}

test.concurrent('BBR keeps more than 85 % of a link that loses 1 %', { timeout: 240_000 }, async () => {
  const [half, whole] = await Promise.all([transfer('bbr', 32), transfer('bbr', 64)]);
  expect(whole.goodput).toBeGreaterThan(0.85);
  // Startup overflows the queue; after that no more is lost than the path loses.
  expect((whole.again - half.again) / (whole.sent - half.sent)).toBeLessThan(0.02);
  expect(whole.timeouts).toBe(0);
});

test.concurrent('CUBIC cannot', { timeout: 240_000 }, async () => {
  expect((await transfer('cubic', 4)).goodput).toBeLessThan(0.2);
});
