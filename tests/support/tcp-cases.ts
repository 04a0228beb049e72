// Random cases of TCP as packetdrill scripts that expect nothing: a connection is brought into a state, and then meets segments,
// ICMP errors and system calls. caseOf() -> Case.prepare and one event after another, each with the little that is known of the
// connection's numbers. What came of it is for whoever runs the script (`record` of @stack/packetdrill) to compare.
import { Random, randomBelow, randomChance } from '@stack/kernel';

/** Fields of TCP_INFO that do not depend on when exactly something happened. */
export const infoFields = [
  'state', 'ca_state', 'retransmits', 'probes', 'backoff', 'options', 'snd_wscale', 'rcv_wscale', 'fastopen_client_fail', 'snd_mss', 'rcv_mss', 'unacked', 'sacked',
  'lost', 'retrans', 'fackets', 'pmtu', 'rcv_ssthresh', 'snd_ssthresh', 'snd_cwnd', 'advmss', 'reordering', 'total_retrans', 'bytes_acked', 'bytes_received',
  'segs_out', 'segs_in', 'notsent_bytes', 'data_segs_in', 'data_segs_out', 'delivered', 'delivered_ce', 'bytes_sent', 'bytes_retrans', 'dsack_dups', 'reord_seen',
  'rcv_ooopack', 'snd_wnd', 'rcv_wnd', 'total_rto', 'total_rto_recoveries',
] as const;

export const states = [
  'listen', 'syn-sent', 'syn-received', 'crossed', 'established', 'active', 'sending', 'fin-wait-1', 'fin-wait-2', 'orphan', 'close-wait', 'closing', 'last-ack',
  'time-wait',
] as const;

export type State = (typeof states)[number];

/** A script in parts: those among `events` may be left out without harm. */
export interface Case {
  readonly name: string;
  readonly init: string;
  readonly prepare: readonly string[];
  readonly events: readonly string[];
  readonly end: readonly string[];
}

/** What is known of the connection while a case is made: relative numbers, as scripts count. */
class Model {
  readonly random: Random;
  readonly state: State;
  readonly timestamps: boolean;
  readonly sack: boolean;
  readonly wscale: boolean;
  /** The next octet of the peer's, and whether it has sent a FIN. */
  peer: number;
  peerFin: boolean;
  /** The oldest octet of the host's not acknowledged, and the next, if all were sent. */
  una: number;
  next: number;
  fin: boolean;
  closed: boolean;
  /** The peer's clock. */
  stamp: number;

  constructor(random: Random, state: State) {
    this.random = random;
    this.state = state;
    this.timestamps = randomChance(random, 0.4);
    this.sack = randomChance(random, 0.6);
    // Deviation: where SYNs cross, Linux goes on scaling its window though the peer does not (tcp-input-synsent.ts).
    this.wscale = randomChance(random, 0.5) || state === 'crossed';
    this.peer = 1;
    this.peerFin = false;
    this.una = 1;
    this.next = 1;
    this.fin = false;
    this.closed = false;
    this.stamp = 2000;
  }
}

/** What scripts call the first timestamp of a host that is recorded. */
const STAMP = 1_000_000;
/** The number of the socket under test. */
const FD = 400;

const one = <T>(m: Model, choices: readonly T[]): T => choices[randomBelow(m.random, choices.length)] as T;

function synOptions(m: Model, answer: boolean): string {
  const options = ['mss 1000'];
  if (m.sack) options.push('sackOK');
  if (m.timestamps) options.push(`TS val ${m.stamp} ecr ${answer ? STAMP : 0}`);
  if (m.wscale) options.push('nop,wscale 7');
  return `<${options.join(',')}>`;
}

function stampOption(m: Model): string {
  m.stamp += 10;
  return `nop,nop,TS val ${m.stamp} ecr ${STAMP}`;
}

/** A segment of the connection's as it should be. */
function plain(m: Model, flags: string, ack: number, length = 0): string {
  const line = `< ${flags} ${m.peer}:${m.peer + length}(${length}) ack ${ack} win ${m.wscale ? 257 : 32792}${m.timestamps ? ` <${stampOption(m)}>` : ''}`;
  m.peer += length + (flags.includes('F') ? 1 : 0);
  m.peerFin ||= flags.includes('F');
  return line;
}

const NONBLOCKING = `fcntl(${FD}, F_SETFL, O_RDWR|O_NONBLOCK) = 0`;

function passive(m: Model): string[] {
  const lines = [
    'socket(..., SOCK_STREAM, IPPROTO_TCP) = 3', 'setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0', 'fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0', 'bind(3, ..., ...) = 0',
    'listen(3, 5) = 0',
  ];
  if (m.state === 'listen') return lines;
  lines.push(`< S 0:0(0) win 32792 ${synOptions(m, false)}`);
  if (m.state === 'syn-received') return lines;
  return [...lines, plain(m, '.', 1), `accept(3, ..., ...) = ${FD}`, NONBLOCKING];
}

function active(m: Model): string[] {
  const lines = [`socket(..., SOCK_STREAM, IPPROTO_TCP) = ${FD}`, NONBLOCKING, `connect(${FD}, ..., ...) = 0`];
  if (m.state === 'syn-sent') {
    m.una = 0;
    return lines;
  }
  if (m.state === 'crossed') return [...lines, `< S 0:0(0) win 32792 ${synOptions(m, false)}`];
  return [...lines, `< S. 0:0(0) ack 1 win 32792 ${synOptions(m, true)}`];
}

function write(m: Model, length: number): string {
  if (!m.fin) m.next += length;
  return `send(${FD}, ..., ${length}, MSG_NOSIGNAL) = ${length}`;
}

function shutdown(m: Model, how: string): string {
  if (how !== 'SHUT_RD' && !m.fin) {
    m.next++;
    m.fin = true;
  }
  return `shutdown(${FD}, ${how}) = 0`;
}

function close(m: Model): string {
  if (!m.fin) m.next++;
  m.fin = true;
  m.closed = true;
  return `close(${FD}) = 0`;
}

/** Brings the connection into its state. */
function prepare(m: Model): string[] {
  if (['syn-sent', 'crossed', 'active'].includes(m.state)) return active(m);
  const lines = passive(m);
  const ack = (): string => {
    m.una = m.next;
    return plain(m, '.', m.next);
  };
  switch (m.state) {
    case 'sending': return [...lines, write(m, one(m, [100, 1000, 2500, 8000]))];
    case 'fin-wait-1': return [...lines, shutdown(m, 'SHUT_WR')];
    case 'fin-wait-2': return [...lines, shutdown(m, 'SHUT_WR'), ack()];
    case 'orphan': return [...lines, close(m), ack()];
    case 'close-wait': return [...lines, plain(m, 'F.', 1)];
    case 'closing': return [...lines, shutdown(m, 'SHUT_WR'), plain(m, 'F.', 1)];
    case 'last-ack': return [...lines, plain(m, 'F.', 1), shutdown(m, 'SHUT_WR')];
    case 'time-wait': return [...lines, shutdown(m, 'SHUT_WR'), ack(), plain(m, 'F.', 2)];
    default: return lines;
  }
}

function sackBlock(m: Model): string {
  const from = one(m, [m.una, m.una + 1000, m.una + 100, m.next, m.una - 500, m.next + 1000, 100_000]);
  const length = one(m, [100, 1000, 1000, 2000, -100, 0]);
  const edge = (n: number): number => n >>> 0;
  const second = randomChance(m.random, 0.3) ? ` ${edge(m.una + 3000)}:${edge(m.una + 4000)}` : '';
  return `sack ${edge(from)}:${edge(from + length)}${second},nop,nop`;
}

/** Timestamps: as they should be, old, of long ago, of the future, and answering what was never said; or none. */
function segmentOptions(m: Model, flags: string): string {
  const options: string[] = [];
  if (flags.includes('S')) options.push(one(m, ['mss 1000', 'mss 1000', 'mss 0', 'mss 40', 'mss 9000']));
  if (flags.includes('S') && randomChance(m.random, 0.5)) options.push('sackOK');
  if (flags.includes('S') && (m.state === 'syn-sent' || randomChance(m.random, 0.3))) options.push(`nop,wscale ${one(m, [0, 7, 15])}`);
  if (m.timestamps ? randomChance(m.random, 0.9) : randomChance(m.random, 0.1)) {
    m.stamp += 10;
    const value = one(m, [m.stamp, m.stamp, m.stamp, m.stamp, m.stamp - 10, m.stamp - 500, m.stamp + 0x7fffff00, 0]) >>> 0;
    options.push(`nop,nop,TS val ${value} ecr ${one(m, [STAMP, STAMP, STAMP, STAMP + 5, STAMP - 1000, 0])}`);
  }
  if (flags.includes('.') && randomChance(m.random, m.sack ? 0.3 : 0.05)) options.push(sackBlock(m));
  return options.length === 0 ? '' : ` <${options.join(',')}>`;
}

const FLAGS = ['.', '.', '.', '.', 'P.', 'P.', 'P.', 'F.', 'F.', 'FP.', 'R', 'R.', 'S', 'S.', 'U.', 'P', '-', 'F', 'SF', 'E.', 'W.', 'SEW', 'FR.', 'SR'];

function segment(m: Model): string {
  const flags = one(m, FLAGS);
  const length = one(m, flags === '.' ? [0, 0, 0, 100, 1000] : /[PU-]/.test(flags) ? [100, 100, 1000, 1] : [0, 0, 0, 0, 100]);
  const offset = one(m, [0, 0, 0, 0, 0, 0, 0, -1, -100, 50, 100, 1000, 3000, 64_239, 70_000, 900_000, -900_000]);
  const seq = (m.peer + offset) >>> 0;
  // Deviation: an ACK of long ago goes with data that is in order on Linux (tcpRcvEstablished): it is none of these.
  const ack = one(m, [m.next, m.next, m.next, m.next, m.una, m.una, m.next + 1, m.una - 1, m.next - 1, m.una + 1, m.next + 70_000]);
  const win = one(m, [m.wscale ? 257 : 32_792, m.wscale ? 257 : 32_792, 0, 1, m.wscale ? 4 : 500, 65_535]);
  const acked = flags.includes('.');
  if (offset === 0 && acked && ack >= m.una && ack <= m.next && !/[SR]/.test(flags)) {
    m.peer += length;
    if (flags.includes('F') && !m.peerFin) {
      m.peer++;
      m.peerFin = true;
    }
  }
  if (acked && ack > m.una && ack <= m.next) m.una = ack;
  const ecn = randomChance(m.random, 0.1) ? `${one(m, ['[ect0]', '[ce]', '[ect1]'])} ` : '';
  return `< ${ecn}${flags} ${seq}:${(seq + length) >>> 0}(${length})${acked ? ` ack ${ack >>> 0}` : ''} win ${win}${flags.includes('U') ? ` urg ${one(m, [1, 5, 100, 2000])}` : ''}${segmentOptions(m, flags)}`;
}

function icmp(m: Model): string {
  const what = one(m, ['unreachable host_unreachable', 'unreachable net_unreachable', 'unreachable port_unreachable', 'unreachable protocol_unreachable',
    'unreachable frag_needed mtu 900', 'unreachable frag_needed mtu 68', 'unreachable host_prohibited', 'time_exceeded', 'source_quench', 'parameter_problem']);
  const seq = (one(m, [m.una, m.una, m.una, m.next - 1, m.next, m.next + 1000, m.una - 1000])) >>> 0;
  return `< icmp ${what} [${seq}:${seq + 20}(20)]`;
}

function call(m: Model): string {
  const choices: readonly (() => string)[] = [
    () => write(m, 100), () => write(m, 100), () => write(m, 900), () => write(m, 1), () => write(m, 3500), () => write(m, 15_000),
    () => write(m, 100).replace('MSG_NOSIGNAL', 'MSG_NOSIGNAL|MSG_MORE'), () => write(m, 1).replace('MSG_NOSIGNAL', 'MSG_NOSIGNAL|MSG_OOB'),
    () => `recv(${FD}, ..., 10, 0) = 0`, () => `read(${FD}, ..., 10000) = 0`, () => `recv(${FD}, ..., 10000, MSG_PEEK) = 0`, () => `recv(${FD}, ..., 1, MSG_OOB) = 0`,
    () => `recv(${FD}, ..., 10000, MSG_TRUNC) = 0`,
    () => shutdown(m, 'SHUT_WR'), () => shutdown(m, 'SHUT_RD'), () => shutdown(m, 'SHUT_RDWR'), () => close(m), () => close(m),
    () => `connect(${FD}, ..., ...) = 0`, () => `accept(${FD}, ..., ...) = 500`, () => `listen(${FD}, 5) = 0`,
    () => `getsockopt(${FD}, SOL_SOCKET, SO_ERROR, [0], [4]) = 0`, () => `setsockopt(${FD}, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0`,
    () => `setsockopt(${FD}, SOL_TCP, TCP_NODELAY, [1], 4) = 0`, () => `setsockopt(${FD}, SOL_TCP, TCP_CORK, [${one(m, [0, 1])}], 4) = 0`,
    () => `setsockopt(${FD}, SOL_TCP, TCP_QUICKACK, [${one(m, [0, 1])}], 4) = 0`, () => `setsockopt(${FD}, SOL_TCP, TCP_LINGER2, [${one(m, [-1, 1])}], 4) = 0`,
    () => `setsockopt(${FD}, SOL_TCP, TCP_MAXSEG, [${one(m, [500, 88, 2000])}], 4) = 0`, () => `setsockopt(${FD}, SOL_TCP, TCP_WINDOW_CLAMP, [${one(m, [1000, 20000])}], 4) = 0`,
    () => `setsockopt(${FD}, SOL_SOCKET, SO_RCVBUF, [${one(m, [1000, 20_000])}], 4) = 0`, () => `setsockopt(${FD}, SOL_SOCKET, SO_SNDBUF, [${one(m, [1000, 20_000])}], 4) = 0`,
    () => `setsockopt(${FD}, SOL_IP, IP_RECVERR, [1], 4) = 0`, () => `setsockopt(${FD}, SOL_SOCKET, SO_OOBINLINE, [1], 4) = 0`,
    () => `setsockopt(${FD}, SOL_TCP, TCP_NOTSENT_LOWAT, [100], 4) = 0`, () => `setsockopt(${FD}, SOL_SOCKET, SO_RCVLOWAT, [200], 4) = 0`,
  ];
  return one(m, choices)();
}

/** Seconds between events: more than a tick of the slowest kernel, and no few of them come near a timer's time. */
const GAPS = [0.015, 0.015, 0.015, 0.07];
const PRINT = `%{ print(${infoFields.map((name) => `tcpi_${name}`).join(', ')}) }%`;
const ENDS = [
  `poll([{fd=${FD}, events=POLLIN|POLLOUT|POLLPRI, revents=0}], 1, 0) = 0`, `ioctl(${FD}, SIOCINQ, [0]) = 0`, `ioctl(${FD}, SIOCOUTQ, [0]) = 0`,
  `getsockopt(${FD}, SOL_SOCKET, SO_ERROR, [0], [4]) = 0`, `recv(${FD}, ..., 100000, 0) = 0`, `recv(${FD}, ..., 100000, 0) = 0`, `send(${FD}, ..., 10, MSG_NOSIGNAL) = 0`,
];

/** The case of a number: the same on every machine. */
export function caseOf(seed: number): Case {
  const random = new Random(seed);
  const state = states[randomBelow(random, states.length)] as State;
  const m = new Model(random, state);
  const sysctls = ['net.ipv4.tcp_syncookies=0', 'net.ipv4.tcp_ecn=0'];
  if (randomChance(random, 0.7)) sysctls.push('net.ipv4.tcp_invalid_ratelimit=0');
  if (!m.timestamps && randomChance(random, 0.5)) sysctls.push('net.ipv4.tcp_timestamps=0');
  if (randomChance(random, 0.1)) sysctls.push('net.ipv4.tcp_rfc1337=1');
  if (randomChance(random, 0.1)) sysctls.push('net.ipv4.tcp_abort_on_overflow=1');
  const events: string[] = [];
  const first = prepare(m).map((line, i) => `+${line.startsWith('<') && i > 0 ? '.025' : '.009'} ${line}`);
  for (let i = 0, count = 2 + randomBelow(random, 5); i < count; i++) {
    const kind = randomBelow(random, 8);
    const event = m.closed || m.state === 'listen' || m.state === 'syn-received' ? segment(m) : kind < 3 ? call(m) : kind === 3 && randomChance(random, 0.5) ? icmp(m) : segment(m);
    events.push(`+.0005 ${event}\n+${one(m, GAPS)} ${PRINT}`);
    if (m.state === 'syn-received' && randomChance(random, 0.4)) events.push(`+.0005 accept(3, ..., ...) = ${FD}\n+0 ${NONBLOCKING}`);
  }
  const wait = randomChance(random, 0.15) ? 0.3 : 0.03;
  const marker = `< . ${(m.peer + 500_000) >>> 0}:${(m.peer + 500_000) >>> 0}(0) ack ${m.next} win 100`;
  return {
    name: `${state}, case ${seed}`,
    init: `sysctl -q ${sysctls.join(' ')}`,
    prepare: ['+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 9', ...first],
    events,
    end: [`+${wait} ${PRINT}`, ...ENDS.map((line) => `+.001 ${line}`), `+.02 ${marker}`, `+.02 ${PRINT}`],
  };
}

/**
 * The script of a case.
 *
 * @param stretch what its waits are multiplied by: what differs because a timer came near an event does not differ then
 */
export function scriptOf({ init, prepare: first, events, end }: Case, stretch = 1): string {
  const waits = [...events, ...end].map((line) => line.replace(/^\+(0\.\d+) %/m, (_all, wait) => `+${(Number(wait) * stretch).toFixed(4)} %`));
  return [`\`${init}\``, ...first, ...waits, ''].join('\n');
}
