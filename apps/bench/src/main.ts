#!/usr/bin/env node
/*
 * pnpm bench: the house beside node:net over the machine's loopback, in the same run, interleaved, every byte verified.
 */
import { Command, Option } from 'commander';
import { gapsDuring } from './gap.ts';
import { buildHouse } from './house.ts';
import { bytesPerConnection } from './memory.ts';
import { nodePeer } from './node-peer.ts';
import type { Peer } from './peer.ts';
import { reportLines, type Report } from './report.ts';
import { stackPeer } from './stack-peer.ts';
import { compare, type Comparison } from './stats.ts';
import { buildTapHost, inNamespace, missingForTap, tapBulk } from './tap.ts';

const BULK = 64 * 1024 * 1024;
/** Seconds of it, from a cold start: one gap in a hundred is told by some thousands of them. */
const GAPS_BULK = 64 * BULK;
const PINGS = 50_000;
const CONNECTS = 500;
const IDLE = 1_000;

interface Options {
  rounds: number;
  json: boolean;
  only?: string;
  inside: boolean;
}

const program = new Command('pnpm bench')
  .description('Measures the house beside node:net over loopback: bulk, 64-byte pings, connect + close, bulk over TAP.')
  .option('--rounds <n>', 'rounds of each, interleaved; medians are printed', Number, 5)
  .option('--only <name>', 'one of bulk, pingpong, connect, tap, memory, gaps')
  .option('--json', 'one line of JSON', false)
  .addOption(new Option('--inside', 'run the part that wants a network namespace of its own, in this one').default(false).hideHelp())
  .parse();
const options = program.opts<Options>();

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

async function measure(stack: Peer, node: Peer): Promise<Report> {
  const wanted = (name: string): boolean => options.only === undefined || options.only === name;
  const sideBySide = (name: string, amount: number, unit: string, run: (peer: Peer) => Promise<void>): Promise<Comparison> => {
    let round = 0;
    return compare(stack, node, options.rounds, amount, unit, run, () => progress(`${name}: round ${round++} of ${options.rounds}`));
  };
  const report: { -readonly [K in keyof Report]: Report[K] } = {};
  if (wanted('bulk')) report.bulk = await sideBySide('bulk', BULK, 'B/s', (peer) => peer.bulk(BULK));
  if (wanted('pingpong')) report.pingpong = await sideBySide('pings', PINGS, '1/s', (peer) => peer.pingpong(PINGS));
  if (wanted('connect')) report.connect = await sideBySide('connect', CONNECTS, '1/s', (peer) => peer.connect(CONNECTS));
  if (wanted('tap')) {
    if (missingForTap() === '') report.tap = inNamespace(['--inside', '--rounds', String(options.rounds)]).tap;
    else process.stderr.write(`bulk over TAP: SKIPPED, ${missingForTap()}\n`);
  }
  if (wanted('memory')) {
    progress('memory');
    report.memory = { stack: await bytesPerConnection(stack, IDLE), node: await bytesPerConnection(node, IDLE), unit: 'B/connection' };
  }
  if (wanted('gaps')) {
    progress('gaps');
    report.gaps = { hosts2: await gapsWith(2), hosts100: await gapsWith(100) };
  }
  progress('');
  return report;
}

async function gapsWith(count: number): ReturnType<typeof gapsDuring> {
  const house = buildHouse(count);
  const gaps = await gapsDuring(() => stackPeer(house).bulk(GAPS_BULK));
  await house.close();
  return gaps;
}

/** The part of the run that happens in a namespace of its own. */
async function measureTap(): Promise<Report> {
  const host = buildTapHost();
  const tap: Peer = { ...nodePeer(), bulk: (total) => tapBulk(host, total) };
  const report = { tap: await compare(tap, nodePeer(), options.rounds, BULK, 'B/s', (peer) => peer.bulk(BULK), () => undefined) };
  await host.close();
  return report;
}

async function measureHouse(): Promise<Report> {
  const house = buildHouse();
  const report = await measure(stackPeer(house), nodePeer());
  await house.close();
  return report;
}

const report = options.inside ? await measureTap() : await measureHouse();
process.stdout.write(options.json || options.inside ? `${JSON.stringify(report)}\n` : `${reportLines(report).join('\n')}\n`);
process.exit(0);
