/*
 * One cell of the grid: flows from one host to another through a link, in a World of its own. The same cell gives the same figures on
 * every machine.
 *
 * Order of calls: runCell → (buildLink, serve, startFlow for each flow) → sleep → sample → sleep → sample → figuresOf.
 */
import { EPOLLIN, EPOLLOUT, WaitQueueEntry, addWaitQueue, createWorld, initWork, scheduleWork, sleep, type WaitQueueFunction, type World } from '@stack/kernel';
import { installSkbuff } from '@stack/skbuff';
import { createHost, type DeviceMaker, type Host } from '@stack/host';
import { SockAddrIn, inAton } from '@stack/inet-sock';
import {
  channelMeasureQueue, connect, createVirtioNic, queueDelayQuantile, type Impairments, type Port, type Wire,
} from '@stack/nic-virtio-sim';
import {
  MSG_DONTWAIT, MSG_TRUNC, PF_INET, SOCK_STREAM, SOL_TCP, sockfdLookup, sysAccept, sysBind, sysCall, sysConnect, sysGetsockopt, sysListen,
  sysRecv, sysSend, sysSetsockopt, sysSocket, type Task,
} from '@stack/socket';
import { TCP_CONGESTION, TCP_INFO, type TcpInfo } from '@stack/tcp';

/** What is simulated. */
export interface Cell {
  /** Name of the congestion control. */
  readonly cc: string;
  /** Bits per second. */
  readonly bandwidth: number;
  /** Milliseconds there and back, of the empty link. */
  readonly rtt: number;
  /** Chance that a data frame is lost. */
  readonly loss: number;
  /** Of the queue before the link, in bandwidth × rtt. */
  readonly buffer: number;
  readonly flows: number;
  readonly seed: number;
}

/** How long it is simulated. */
export interface Span {
  /** Seconds of the World before anything is measured, and while it is. */
  readonly warmup: number;
  readonly measured: number;
  /** Most segments that cross the link as one frame. */
  readonly burst: number;
}

/** What came of it. */
export interface Figures {
  /** Of what the link can carry, by all flows. */
  readonly goodput: number;
  /** Of the octets sent, those sent again. */
  readonly retransmitted: number;
  /** Milliseconds that frames waited before the link: half of them no longer than this, 95 %, and the longest. */
  readonly delay: { readonly p50: number; readonly p95: number; readonly max: number };
  /** RFC 5166 §2.3, Jain's index of the flows' goodputs. */
  readonly jain: number;
  /** Segments sent, and those that the queue had no place for. */
  readonly segments: number;
  readonly overflowed: number;
}

/** Payload octets of a segment with timestamps, and what a full frame takes on Ethernet. */
export const MSS = 1448;
export const FRAME = 1538;
const ADDRESS = '10.0.0.1';
const PORT = 9;
const CHUNK = 1 << 20;
/** Round trips within which what was lost is sent again. */
const LATE = 5;
const INT_MAX = 0x7fffffff;
/** Packet memory of a World: the greatest cell's link and buffer, several times over. */
const MEMORY = 12 * 2 ** 30;
/** Buffers never limit: what they may grow to is more than TCP's largest window. */
const SYSCTL = {
  'net.ipv4.tcp_rmem': [4096, 131_072, INT_MAX],
  'net.ipv4.tcp_wmem': [4096, 16_384, INT_MAX],
  'net.ipv4.tcp_mem': [INT_MAX, INT_MAX, INT_MAX],
  'net.ipv4.tcp_no_metrics_save': 1,
};

/** Frames that fill the link. */
export function bdpFrames({ bandwidth, rtt }: { readonly bandwidth: number; readonly rtt: number }): number {
  return (bandwidth * rtt) / 1000 / 8 / FRAME;
}

/** Frames that wait before the link at most, besides the one that is being sent. */
export function queueFrames(cell: Cell): number {
  return Math.max(1, Math.round(bdpFrames(cell) * cell.buffer));
}

/** Simulates the cell. */
export async function runCell(cell: Cell, span: Span): Promise<Figures> {
  const world = createWorld({ seed: cell.seed });
  installSkbuff(world, MEMORY);
  const { client, server, wire } = buildLink(world, cell, span.burst);
  serve(server, cell.flows);
  const fds: number[] = [];
  for (let i = 0; i < cell.flows; i++) {
    const fd = startFlow(client, cell.cc);
    fds.push(fd);
    // No two flows begin at once, nor at a multiple of the round trip.
    await sleep(world, 10 + cell.rtt * 1.3);
  }
  await sleep(world, span.warmup * 1000 - LATE * cell.rtt);
  // What has no place in the queue now is sent again while it is measured.
  const { overflowed } = wire.ab;
  await sleep(world, LATE * cell.rtt);
  const waits = channelMeasureQueue(wire.ab);
  const before = { flows: sample(client, fds), overflowed };
  await sleep(world, span.measured * 1000);
  const after = { flows: sample(client, fds), overflowed: wire.ab.overflowed };
  const ms = (quantile: number): number => queueDelayQuantile(waits, quantile) / 1e6;
  const delay = { p50: ms(0.5), p95: ms(0.95), max: waits.maxNs / 1e6 };
  const figures = figuresOf(cell, span, before, after, delay);
  await client.close();
  await server.close();
  return figures;
}

function buildLink(world: World, { bandwidth, rtt, loss, ...cell }: Cell, burst: number): { client: Host; server: Host; wire: Wire } {
  const ports: Port[] = [];
  const device: DeviceMaker = (net) => {
    const card = createVirtioNic(net, { queueSize: 1024 });
    ports.push(card.port);
    return card.dev;
  };
  const server = createHost({ world, name: 'server', sysctl: SYSCTL, nics: [{ device, address: `${ADDRESS}/24` }] });
  const client = createHost({ world, name: 'client', sysctl: SYSCTL, nics: [{ device, address: '10.0.0.2/24' }] });
  const delay = rtt / 2;
  const queueLen = queueFrames({ bandwidth, rtt, loss, ...cell }) + 1;
  const forward: Impairments = { bandwidth, delay, loss, queueLen, burst };
  return { client, server, wire: connect(ports[1]!, ports[0]!, forward, { delay }) };
}

/**
 * Calls `func` whenever the socket says `events`, by work that its wait queue schedules, as a kernel's own users of sockets are called: a
 * promise would cost a turn of the event loop for every segment.
 */
function whenever(task: Task, fd: number, events: number, func: () => void): void {
  const sk = sockfdLookup(task, fd)!.sk!;
  const work = initWork(sk.skNet, func, null);
  const wake: WaitQueueFunction = (_entry, key) => ((key & events) !== 0 && scheduleWork(work) ? 1 : 0);
  addWaitQueue(sk.skWq!, new WaitQueueEntry(sk.skNet.world, wake, null));
  scheduleWork(work);
}

/** Accepts the flows, and throws away what they bring. */
function serve({ task }: Host, flows: number): void {
  const listener = sysCall(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
  sysCall(sysBind(task, listener, new SockAddrIn(0, PORT)), 'bind');
  sysCall(sysListen(task, listener, flows), 'listen');
  const nowhere = new Uint8Array(1 << 24);
  const accept = async (): Promise<void> => {
    for (let i = 0; i < flows; i++) {
      const fd = sysCall(await sysAccept(task, listener), 'accept');
      whenever(task, fd, EPOLLIN, () => {
        while ((sysRecv(task, fd, nowhere, MSG_TRUNC | MSG_DONTWAIT) as number) > 0);
      });
    }
  };
  void accept();
}

/** Connects, and sends for as long as the host is there. */
function startFlow({ task }: Host, cc: string): number {
  const fd = sysCall(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
  sysCall(sysSetsockopt(task, fd, SOL_TCP, TCP_CONGESTION, cc), `setsockopt(TCP_CONGESTION, ${cc})`);
  const chunk = new Uint8Array(CHUNK);
  const send = async (): Promise<void> => {
    sysCall(await sysConnect(task, fd, new SockAddrIn(inAton(ADDRESS), PORT)), 'connect');
    whenever(task, fd, EPOLLOUT, () => {
      while ((sysSend(task, fd, chunk, MSG_DONTWAIT) as number) > 0);
    });
  };
  void send();
  return fd;
}

interface Sample {
  readonly flows: readonly TcpInfo[];
  readonly overflowed: number;
}

function sample({ task }: Host, fds: readonly number[]): TcpInfo[] {
  return fds.map((fd) => sysGetsockopt(task, fd, SOL_TCP, TCP_INFO) as TcpInfo);
}

function figuresOf(cell: Cell, span: Span, before: Sample, after: Sample, delay: Figures['delay']): Figures {
  const grown = (field: 'tcpiBytesAcked' | 'tcpiBytesSent' | 'tcpiBytesRetrans' | 'tcpiDataSegsOut'): number[] => (
    after.flows.map((info, i) => info[field] - before.flows[i]![field]));
  const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
  const acked = grown('tcpiBytesAcked');
  const capacity = (cell.bandwidth / 8) * (MSS / FRAME) * span.measured;
  const squares = total(acked.map((octets) => octets * octets));
  return {
    goodput: total(acked) / capacity,
    retransmitted: total(grown('tcpiBytesRetrans')) / Math.max(1, total(grown('tcpiBytesSent'))),
    delay,
    jain: squares === 0 ? 1 : total(acked) ** 2 / (acked.length * squares),
    segments: total(grown('tcpiDataSegsOut')),
    overflowed: after.overflowed - before.overflowed,
  };
}
