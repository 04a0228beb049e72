// Random traffic on a connection, as packetdrill scripts that expect nothing. The peer answers what our host really sent: the script grows
// an event at a time, and is run again to see what that made the host do. trafficOf() -> begin(), then one event after another ->
// sender() or receiver().
import { createHost } from '@stack/host';
import { Random, randomBelow, randomChance } from '@stack/kernel';
import { parseScript, runScript } from '@stack/packetdrill';

/** A script in parts: those among `events` may be left out without harm. */
export interface Traffic {
  readonly name: string;
  readonly init: string;
  readonly prepare: readonly Step[];
  readonly events: readonly Step[];
  readonly end: readonly Step[];
}

/** Something that happens, at a time in ms. */
export interface Step {
  readonly at: number;
  readonly text: string;
}

/** A segment that the host sent: its time in ms, relative numbers. */
interface Seen {
  readonly at: number;
  readonly flags: string;
  readonly seq: number;
  readonly end: number;
  readonly ack: number;
  readonly win: number;
}

export const infoFields = [
  'ca_state', 'retransmits', 'probes', 'backoff', 'unacked', 'sacked', 'lost', 'retrans', 'snd_cwnd', 'snd_ssthresh', 'reordering', 'rcv_ssthresh', 'rcv_mss', 'snd_mss',
  'options', 'state', 'pmtu', 'advmss', 'total_retrans', 'bytes_acked', 'bytes_received', 'segs_out', 'segs_in', 'notsent_bytes', 'data_segs_in', 'data_segs_out',
  'delivered', 'delivered_ce', 'bytes_sent', 'bytes_retrans', 'dsack_dups', 'reord_seen', 'rcv_ooopack', 'snd_wnd', 'rcv_wnd', 'total_rto', 'total_rto_recoveries',
  'rto', 'ato', 'rcv_space',
] as const;

/** What is counted otherwise: how sk_buffs are joined, and what depends on the machine. */
const passedOver = new Set(['TCPAutoCorking', 'TCPHPHits']);
export const counterNames = Object.keys(createHost().show.counters()).filter((name) => name.startsWith('TcpExt')).map((name) => name.slice('TcpExt'.length)).filter((name) => !passedOver.has(name));
export const memFields = ['rmem_alloc', 'rcvbuf'] as const;

const COUNT = `%{ print(${counterNames.map((name) => `TcpExt${name}`).join(', ')}) }%`;
const MEM = `%{ print(${memFields.map((name) => `sk_${name}`).join(', ')}) }%`;
const PRINT = `%{ print(${infoFields.map((name) => `tcpi_${name}`).join(', ')}) }%`;
const FD = 4;
/** The script's names of the host's segments, for timestamps. */
const SEGMENT = 2_000_000;
const SEEN = /^(\d+\.\d+) > (?:\[\w+\] )?(\S+) (\d+):(\d+)\(\d+\)(?: ack (\d+))? win (\d+)/;

export function scriptOf({ init, prepare, events, end }: Traffic): string {
  return [`\`${init}\``, ...[...prepare, ...events, ...end].map(({ at, text }) => `${(at / 1000).toFixed(4)} ${text}`), ''].join('\n');
}

/** What is known of a connection while its script is made. */
class Peer {
  readonly random: Random;
  readonly sack: boolean;
  readonly timestamps: boolean;
  readonly wscale: boolean;
  readonly ecn: boolean;
  readonly rtt: number;
  readonly mss: number;
  readonly init: string;
  readonly steps: Step[];
  now: number;
  seen: Seen[];
  /** The peer's next octet; what it has of the host's: ranges [from, to) without overlap, by number. */
  next: number;
  have: [number, number][];
  /** Indexes into seen: what the peer has decided on. */
  decided: number;
  /** Latest ranges that came, for SACK blocks. */
  recent: number[];
  /** The index of the segment that the peer echoes. */
  echo: number;
  win: number;
  loss: number;
  closed: boolean;
  dsack: [number, number] | null;

  constructor(random: Random, init: readonly string[], ecn: boolean) {
    this.random = random;
    this.sack = randomChance(random, 0.75);
    this.timestamps = randomChance(random, 0.5);
    this.wscale = randomChance(random, 0.6);
    this.ecn = ecn;
    this.rtt = one(random, [10, 20, 30, 50, 100, 200]);
    this.mss = one(random, [1000, 1000, 1000, 1460, 536, 100]);
    this.init = init.join(' ');
    this.steps = [];
    this.now = 0;
    this.seen = [];
    this.next = 1;
    this.have = [];
    this.decided = 0;
    this.recent = [];
    this.echo = 0;
    this.win = this.wscale ? 512 : 65_535;
    this.loss = one(random, [0, 0.1, 0.3, 0.5]);
    this.closed = false;
    this.dsack = null;
  }
}

function one<T>(random: Random, choices: readonly T[]): T {
  return choices[randomBelow(random, choices.length)] as T;
}

function step(p: Peer, after: number, text: string): void {
  p.now += after;
  p.steps.push({ at: p.now, text });
}

/** Runs what there is, and on for `ahead` ms: what the host has sent, and would send. */
async function look(p: Peer, ahead: number): Promise<void> {
  const traffic = { name: '', init: p.init, prepare: p.steps, events: [], end: [{ at: p.now + ahead, text: '%{ pass }%' }] };
  const { failure, log } = await runScript(parseScript(scriptOf(traffic), 'traffic'), { record: true });
  if (failure !== null) throw new Error(`${failure.message}\n${scriptOf(traffic)}`);
  p.seen = log.flatMap((line) => {
    const [, at, flags = '', seq, end, ack, win] = SEEN.exec(line) ?? [];
    return at === undefined ? [] : [{ at: Number(at) * 1000, flags, seq: Number(seq), end: Number(end), ack: Number(ack ?? 0), win: Number(win) }];
  });
}

/** ms around a timer in which nothing happens: the kernel's tick is coarser, and its wheel. */
const BEFORE = 14;
const AFTER = 14;
const AFTER_LONG = 50;

/** The first time from `at` on that is not near to something that the host sends by itself. */
function calm(p: Peer, at: number): number {
  let time = at;
  const last = p.steps.at(-1)?.at ?? 0;
  for (const { at: sent } of p.seen) {
    if (sent <= last + 0.5) continue;
    const after = sent - last > 220 ? AFTER_LONG + (sent - last) / 8 : AFTER;
    if (time > sent - BEFORE && time < sent + after) time = Math.ceil(sent + after);
  }
  return time;
}

const una = (p: Peer): number => (p.have[0] !== undefined && p.have[0][0] <= 1 ? p.have[0][1] : 1);
const sentTo = (p: Peer): number => Math.max(1, ...p.seen.filter(({ at }) => at <= p.now + 0.5).map(({ end }) => end));

/** The peer takes [from, to). */
function take(p: Peer, from: number, to: number): void {
  const old = p.have.find(([a, b]) => a <= from && to <= b);
  if (old !== undefined) {
    p.dsack = [from, to];
    return;
  }
  let [low, high] = [from, to];
  p.have = p.have.filter(([a, b]) => {
    if (b < low || a > high) return true;
    low = Math.min(low, a);
    high = Math.max(high, b);
    return false;
  });
  p.have.push([low, high]);
  p.have.sort(([a], [b]) => a - b);
  p.recent = [low, ...p.recent.filter((start) => start !== low && p.have.some(([a]) => a === start))];
}

function sackBlocks(p: Peer): string {
  const limit = p.timestamps ? 3 : 4;
  const blocks = p.recent.map((start) => p.have.find(([a]) => a === start)).filter((range): range is [number, number] => range !== undefined && range[0] > una(p));
  const all = p.dsack === null ? blocks : [p.dsack, ...blocks];
  p.dsack = null;
  return all.slice(0, limit).map(([a, b]) => `${a}:${b}`).join(' ');
}

function options(p: Peer, sack: string): string {
  const list: string[] = [];
  if (p.timestamps) list.push(`nop,nop,TS val ${1000 + p.now} ecr ${SEGMENT + p.echo}`);
  if (sack !== '') list.push(`nop,nop,sack ${sack}`);
  return list.length === 0 ? '' : ` <${list.join(',')}>`;
}

function ackLine(p: Peer, ack: number, sack: string, flags = '.', length = 0): string {
  const line = `< ${flags} ${p.next}:${p.next + length}(${length}) ack ${ack} win ${p.win}${options(p, sack)}`;
  p.next += length;
  return line;
}

function synOptions(p: Peer): string {
  const list = [`mss ${p.mss}`];
  if (p.sack) list.push('sackOK');
  if (p.timestamps) list.push('TS val 1000 ecr 0');
  if (p.wscale) list.push('nop,wscale 7');
  return `<${list.join(',')}>`;
}

async function begin(p: Peer): Promise<void> {
  for (const text of ['socket(..., SOCK_STREAM, IPPROTO_TCP) = 3', 'setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0', 'bind(3, ..., ...) = 0', 'listen(3, 5) = 0']) step(p, 0, text);
  step(p, 1, `< S${p.ecn ? 'EW' : ''} 0:0(0) win 65535 ${synOptions(p)}`);
  await look(p, 5);
  step(p, p.rtt, ackLine(p, 1, ''));
  step(p, 1, `accept(3, ..., ...) = ${FD}`);
  // (What an sk_buff counts for depends on the kernel's configuration.)
  step(p, 0, `setsockopt(${FD}, SOL_SOCKET, SO_SNDBUF, [200000], 4) = 0`);
  step(p, 0, `fcntl(${FD}, F_SETFL, O_RDWR|O_NONBLOCK) = 0`);
}

function write(p: Peer): string {
  const { random, mss } = p;
  const length = one(random, [1, 100, mss, mss, 2 * mss, 3 * mss, 4 * mss, 5 * mss, 10 * mss, 10 * mss, 15 * mss, mss + 1, mss * 2 + 50, 30 * mss, 20_000]);
  const more = randomBelow(random, 12);
  const flags = more === 0 ? '|MSG_MORE' : more === 1 ? '|MSG_EOR' : '';
  return `send(${FD}, ..., ${length}, MSG_NOSIGNAL${flags}) = ${length}`;
}

function odd(p: Peer): string {
  const { random, mss } = p;
  const from = una(p);
  const to = sentTo(p);
  const anywhere = (): number => Math.max(0, one(random, [from, to, from + mss, from + mss * randomBelow(random, 10), to - mss, to + mss, from - mss, from + 1, from + randomBelow(random, Math.max(1, to - from))]));
  const kind = randomBelow(random, 8);
  if (kind < 3 && p.sack) {
    const blocks = Array.from({ length: 1 + randomBelow(random, 3) }, () => {
      const a = anywhere();
      return `${a}:${a + one(random, [mss, mss, mss * 2, 1, mss * 3 - 7, 100])}`;
    });
    return ackLine(p, one(random, [from, from, anywhere()]), blocks.join(' '));
  }
  if (kind < 5) {
    const old = p.win;
    if (randomChance(random, 0.4)) {
      p.win = one(random, [0, 0, 1, 10, 100, 512, 30]);
      return ackLine(p, from, '');
    }
    p.win = one(random, [0, 1, 10]);
    const line = ackLine(p, from, '');
    p.win = old;
    return line;
  }
  if (kind === 5) return ackLine(p, anywhere(), '');
  if (kind === 6) return ackLine(p, from, p.sack ? sackBlocks(p) : '', 'P.', one(random, [1, 100, 1000]));
  return ackLine(p, from, '', p.ecn ? 'E.' : '.');
}

/** What of the host's has come to the peer since it last looked: each segment's parts come or are lost. */
function decide(p: Peer, until: number): boolean {
  let came = false;
  while (p.decided < p.seen.length) {
    const index = p.decided;
    const segment = p.seen[index] as Seen;
    if (segment.at > until) break;
    p.decided++;
    for (let a = segment.seq; a < segment.end; a += p.mss - (p.timestamps ? 12 : 0)) {
      if (segment.flags.includes('S') || randomChance(p.random, p.loss)) continue;
      const before = una(p);
      if (a <= before || randomChance(p.random, 0.2)) p.echo = index;
      take(p, a, Math.min(segment.end, a + p.mss - (p.timestamps ? 12 : 0)));
      came = true;
      if (randomChance(p.random, 0.25)) {
        p.decided = index;
        return came;
      }
    }
  }
  return came;
}

function call(p: Peer): string {
  return one(p.random, [
    `setsockopt(${FD}, SOL_TCP, TCP_NODELAY, [1], 4) = 0`, `setsockopt(${FD}, SOL_TCP, TCP_CORK, [1], 4) = 0`, `setsockopt(${FD}, SOL_TCP, TCP_CORK, [0], 4) = 0`,
    `setsockopt(${FD}, SOL_TCP, TCP_CORK, [0], 4) = 0`, `setsockopt(${FD}, SOL_TCP, TCP_NODELAY, [0], 4) = 0`, `ioctl(${FD}, SIOCOUTQ, [0]) = 0`,
    `poll([{fd=${FD}, events=POLLIN|POLLOUT, revents=0}], 1, 0) = 0`, `setsockopt(${FD}, SOL_TCP, TCP_NOTSENT_LOWAT, [3000], 4) = 0`,
  ]);
}

/** One event of a host that sends. */
async function sending(p: Peer): Promise<void> {
  const { random, rtt } = p;
  const what = randomBelow(random, 20);
  if (what < 5) {
    await look(p, 800);
    const at = calm(p, p.now + one(random, [10, rtt, 20]));
    step(p, at - p.now, what === 0 ? call(p) : write(p));
    return;
  }
  if (what === 5) {
    await look(p, 8000);
    p.now = calm(p, p.now + one(random, [300, 600, 1200, 2000, 100]));
    return;
  }
  await look(p, 1500);
  const at = calm(p, p.now + one(random, [0, 1, rtt, rtt, rtt, Math.ceil(rtt / 2), 10]));
  if (what < 8) {
    step(p, at - p.now, odd(p));
    return;
  }
  const came = decide(p, at - rtt / 2);
  if (!came && randomChance(random, 0.7)) return;
  step(p, at - p.now, ackLine(p, una(p), p.sack ? sackBlocks(p) : '', p.ecn && randomChance(random, 0.1) ? 'E.' : '.'));
}

/** One event of a host that receives. */
async function receiving(p: Peer): Promise<void> {
  const { random, mss } = p;
  await look(p, 1000);
  const at = calm(p, p.now + one(random, [0, 0, 1, 2, 10, 20, 45, 60, 100, 250]));
  const what = randomBelow(random, 20);
  const last = p.seen.filter(({ at: sent }) => sent <= p.now + 0.5).at(-1);
  if (what < 4) {
    const length = one(random, [1, 100, 1000, 5000, 100_000, 20_000]);
    step(p, at - p.now, one(random, [`recv(${FD}, ..., ${length}, 0) = 0`, `recv(${FD}, ..., ${length}, 0) = 0`, `recv(${FD}, ..., ${length}, MSG_PEEK) = 0`, `recv(${FD}, ..., 100000, 0) = 0`, `recv(${FD}, ..., ${length}, MSG_TRUNC) = 0`]));
    return;
  }
  if (what === 4) {
    step(p, at - p.now, one(random, [
      `setsockopt(${FD}, SOL_SOCKET, SO_RCVBUF, [${one(random, [2000, 5000, 20_000, 100_000])}], 4) = 0`, `setsockopt(${FD}, SOL_TCP, TCP_WINDOW_CLAMP, [${one(random, [1000, 5000, 20_000])}], 4) = 0`,
      `setsockopt(${FD}, SOL_TCP, TCP_QUICKACK, [${one(random, [0, 1, 2])}], 4) = 0`, `setsockopt(${FD}, SOL_SOCKET, SO_RCVLOWAT, [2000], 4) = 0`, `recv(${FD}, ..., 1, MSG_OOB) = 0`,
      `ioctl(${FD}, SIOCINQ, [0]) = 0`, `poll([{fd=${FD}, events=POLLIN|POLLOUT|POLLPRI, revents=0}], 1, 0) = 0`, `setsockopt(${FD}, SOL_SOCKET, SO_OOBINLINE, [1], 4) = 0`,
    ]));
    return;
  }
  if (what === 5) {
    step(p, at - p.now, `send(${FD}, ..., 100, MSG_NOSIGNAL) = 100`);
    return;
  }
  // The peer's next octet is what the host acknowledges; p.next is the highest that was sent.
  const acked = last?.ack ?? 1;
  const shift = p.wscale ? 10 : 0;
  const edge = acked + ((last?.win ?? 0) << shift);
  const length = one(random, [1, 100, mss, mss, mss, mss, 1460, mss * 2, 3, 20, 2000]);
  const seq = Math.max(0, one(random, [
    p.next, p.next, p.next, p.next, p.next, acked, acked, p.next + mss, p.next + mss, p.next + 2 * mss, acked + mss, acked + 2 * mss, acked - mss, acked - 1, acked + 50,
    p.next - mss, p.next - 50, edge, edge - 1, edge - 100, edge - mss, edge + 1, acked + mss * randomBelow(random, 10),
  ]));
  const flags = one(random, ['.', '.', '.', '.', 'P.', 'P.', 'P.', 'U.', ...(randomChance(random, 0.15) ? ['F.', 'FP.'] : [])]);
  const ecn = p.ecn ? one(random, ['[ect0] ', '[ect0] ', '[ect0] ', '[ce] ', '']) : randomChance(random, 0.03) ? '[ce] ' : '';
  const cwr = p.ecn && randomChance(random, 0.1) ? 'W' : '';
  const data = flags === '.' && randomChance(random, 0.1) ? 0 : length;
  const urg = flags.includes('U') ? ` urg ${one(random, [1, data, 5, data + 100])}` : '';
  const stamp = p.timestamps && randomChance(random, 0.05) ? p.now - 500 : 1000 + at;
  if (seq + data <= edge) p.next = Math.max(p.next, seq + data);
  if (last !== undefined) p.echo = p.seen.indexOf(last);
  const list = p.timestamps ? ` <nop,nop,TS val ${Math.max(1, stamp)} ecr ${SEGMENT + p.echo}>` : '';
  step(p, at - p.now, `< ${ecn}${flags.replace('.', '')}${cwr}. ${seq}:${seq + data}(${data}) ack ${sentTo(p)} win ${p.win}${urg}${list}`);
}

function sysctls(random: Random, ecn: boolean): string[] {
  const list = ['sysctl -q net.ipv4.tcp_syncookies=0', `net.ipv4.tcp_ecn=${ecn ? 1 : 0}`, `net.ipv4.tcp_congestion_control=${one(random, ['cubic', 'cubic', 'reno'])}`];
  if (randomChance(random, 0.1)) list.push(`net.ipv4.tcp_recovery=${one(random, [0, 2, 4, 3])}`);
  if (randomChance(random, 0.1)) list.push('net.ipv4.tcp_early_retrans=0');
  if (randomChance(random, 0.1)) list.push('net.ipv4.tcp_frto=0');
  if (randomChance(random, 0.1)) list.push('net.ipv4.tcp_slow_start_after_idle=0');
  if (randomChance(random, 0.1)) list.push('net.ipv4.tcp_dsack=0');
  if (randomChance(random, 0.1)) list.push('net.ipv4.tcp_retrans_collapse=0');
  if (randomChance(random, 0.05)) list.push('net.ipv4.tcp_reordering=5');
  if (randomChance(random, 0.05)) list.push('net.ipv4.tcp_limit_output_bytes=5000');
  if (randomChance(random, 0.05)) list.push('net.ipv4.tcp_moderate_rcvbuf=0');
  if (randomChance(random, 0.05)) list.push(`net.ipv4.tcp_adv_win_scale=${one(random, [-2, 1, 2])}`);
  return list;
}

/** The case of a number: the same on every machine. Even numbers send, odd ones receive. */
export async function trafficOf(seed: number): Promise<Traffic> {
  const random = new Random(seed);
  const ecn = randomChance(random, 0.25);
  const p = new Peer(random, sysctls(random, ecn), ecn);
  await begin(p);
  const prepared = p.steps.length;
  const sends = seed % 2 === 0;
  const count = 6 + randomBelow(random, sends ? 50 : 30);
  if (sends) step(p, 1, write(p));
  for (let i = 0; i < count; i++) {
    const had = p.steps.length;
    await (sends ? sending(p) : receiving(p));
    if (p.steps.length > had && randomChance(random, 0.5)) {
      const { at } = p.steps.at(-1) as Step;
      p.steps.push({ at: at + 2, text: PRINT }, { at: at + 2, text: MEM });
      p.now = at + 2;
    }
    p.now = Math.ceil(p.now);
  }
  await look(p, 1000);
  const at = calm(p, p.now + one(random, [20, 60, 100]));
  const end = [
    { at, text: PRINT }, { at: at + 1, text: `recv(${FD}, ..., 1000000, 0) = 0` }, { at: at + 2, text: `ioctl(${FD}, SIOCOUTQ, [0]) = 0` }, { at: at + 3, text: PRINT },
    { at: at + 3, text: COUNT },
  ];
  return { name: `${sends ? 'sender' : 'receiver'}, case ${seed}`, init: p.init, prepare: p.steps.slice(0, prepared), events: p.steps.slice(prepared), end };
}
