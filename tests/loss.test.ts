// TCP through bad cables, in virtual time: 64 MiB through 0 to 10 % loss each way, and 1 MiB through 30 %, with frames that come
// late, twice and broken besides. Every octet is verified, nothing is left open, and the goodput is a table in git. Each transfer
// is a bundle in a process of its own: there a call is a call, and vitest's module wrapper does not triple its cost.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TransferOptions, TransferResult } from './portable/transfer.ts';
import { bundle, portableEntry } from './support/bundle.ts';
import { runOn } from './support/spawn.ts';
import { root } from './support/workspace.ts';

const SEED = 1;
/** Of a transfer on a busy machine; on an idle one it takes about ten seconds. */
const LIMIT = { timeout: 240_000 };
const MIB = 1 << 20;
const MSS = 1448;
/** A gigabit link, 20 ms there and back: 1726 segments fill it. A late frame is a quarter of a round trip late. */
const LINK = { bandwidth: 1e9, delay: 10, jitter: 0.1, reorder: 0.01, duplicate: 0.005, corrupt: 0.0001 };
const RTT = 0.02;
/** The RTO on such a link: SRTT and the least variance (RFC 6298 §2, 200 ms as in Linux). */
const RTO = 0.22;

/** One row of the table. */
interface Case {
  readonly loss: number;
  readonly mib: number;
  readonly sysctl?: Readonly<Record<string, number>>;
}

/** Loss of 30 % each way loses half of all round trips: ARP and TCP have to be more patient than they are by default. */
const PATIENT = { 'net.ipv4.tcp_retries2': 100, 'net.ipv4.tcp_syn_retries': 20, 'net.ipv4.neigh.default.mcast_solicit': 20 };

const cases: readonly Case[] = [
  { loss: 0, mib: 64 },
  { loss: 0.001, mib: 64 },
  { loss: 0.01, mib: 64 },
  { loss: 0.05, mib: 64 },
  { loss: 0.1, mib: 64 },
  { loss: 0.3, mib: 1, sysctl: PATIENT },
];

const entry = await bundle(portableEntry('transfer.ts', 'transfer'), join(root, '.cache', 'loss'));
const results = new Map<Case, Promise<TransferResult>>();

/** The case's result; it runs once. */
function resultOf(row: Case): Promise<TransferResult> {
  const result = results.get(row) ?? run(row, SEED);
  results.set(row, result);
  return result;
}

async function run({ loss, mib, sysctl }: Case, seed: number): Promise<TransferResult> {
  const options: TransferOptions = { seed, octets: mib * MIB, impairments: { ...LINK, loss }, sysctl };
  return await runOn('node', entry, options) as TransferResult;
}

/** Octets per second that a TCP is expected to reach: RFC 5348 §3.1, with the chance that a data frame is lost or broken. */
function expectedGoodput({ loss }: Case): number {
  const p = loss + LINK.corrupt;
  const timeouts = RTO * Math.min(1, 3 * Math.sqrt((3 * p) / 8)) * p * (1 + 32 * p * p);
  return MSS / (RTT * Math.sqrt((2 * p) / 3) + timeouts);
}

function goodput({ mib }: Case, { time }: TransferResult): number {
  return (mib * MIB) / (time / 1e9);
}

test.concurrent.each(cases)('$mib MiB through $loss loss arrive as they were sent', LIMIT, async (row) => {
  const result = await resultOf(row);
  const { lost, reordered, duplicated, counters } = result;
  const frames = counters['IpOutRequests']! + counters['IpInReceives']!;
  expect(lost, `seed ${SEED}: frames lost`).toBeGreaterThanOrEqual(row.loss * frames * 0.8);
  expect(reordered, `seed ${SEED}: late frames`).toBeGreaterThan(0);
  expect(duplicated, `seed ${SEED}: doubled frames`).toBeGreaterThan(0);
  expect(counters['TcpRetransSegs'], `seed ${SEED}: retransmissions`).toBeGreaterThanOrEqual(row.loss * row.mib * MIB / MSS * 0.8);
});

test.concurrent.each(cases.filter(({ loss }) => loss <= 0.1))(
  'RFC 5348 §3.1: the goodput at $loss loss is at least what a TCP is expected to reach', LIMIT, async (row) => {
    // One flow is noise: the median of three.
    const runs = [await resultOf(row), await run(row, SEED + 1), await run(row, SEED + 2)];
    const [, median = 0] = runs.map((result) => goodput(row, result)).sort((a, b) => a - b);
    expect(median, `seeds ${SEED} to ${SEED + 2}: octets per second`).toBeGreaterThan(0.9 * expectedGoodput(row));
  },
);

test('the table of goodput', async () => {
  const lines = [
    '| loss each way | MiB | Mbit/s | expected by RFC 5348 | seconds | segments | retransmitted | timeouts | lost | late | twice | broken |',
    '|---|---|---|---|---|---|---|---|---|---|---|---|',
  ];
  for (const row of cases) {
    const result = await resultOf(row);
    const { lost, reordered, duplicated, corrupted, time, counters } = result;
    const count = (name: string): number => counters[name] ?? 0;
    const rates = [goodput(row, result), expectedGoodput(row)].map((rate) => ((rate * 8) / 1e6).toPrecision(3));
    const cells = [
      `${row.loss * 100} %`, row.mib, ...rates, (time / 1e9).toFixed(3), count('TcpExtTCPOrigDataSent'), count('TcpRetransSegs'),
      count('TcpExtTCPTimeouts'), lost, reordered, duplicated, corrupted,
    ];
    lines.push(`| ${cells.join(' | ')} |`);
  }
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('__snapshots__/goodput.md');
});
