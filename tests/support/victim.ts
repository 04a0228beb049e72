// A host under attack: its one card gives what it sends to the test, segment by segment, and takes any segment, of any sender. Virtual time
// stands still but in pass().
import { createHost, type Host } from '@stack/host';
import { SockAddrIn } from '@stack/inet-sock';
import { createWorld, interrupt, sleep, virtualClock, type CtlValue, type World } from '@stack/kernel';
import { allocNetdev, devAddrSet, ethTypeTrans, etherSetup, netdevAllocSkb, netifReceiveSkb, type NetDevice, type NetDeviceOps } from '@stack/netdev';
import { consumeSkb, leakReport, skbPut, type SkBuff } from '@stack/skbuff';
import {
  PF_INET, SOCK_NONBLOCK, SOCK_STREAM, SOL_TCP, sysAccept, sysBind, sysCall, sysGetsockopt, sysListen, sysSocket, type Task,
} from '@stack/socket';
import { TCP_INFO, type TcpInfo } from '@stack/tcp';
import { ETH, OUR_IP, OUR_MAC, PEER_IP, TCP, arp, ethernet, frameOf, tcp, type TcpFields } from '../fuzz/frames.ts';

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;
/** Where the victim listens. */
export const PORT = 80;
/** SACK permitted; timestamps are left out where nothing needs them. */
export const SACK_PERMITTED = [4, 2, 1, 1];

/** A segment that the victim has sent. */
export interface Sent {
  readonly to: number;
  readonly sport: number;
  readonly dport: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  /** Octets of payload. */
  readonly length: number;
  /** Its timestamp; 0 without. */
  readonly tsval: number;
}

export interface Victim {
  readonly world: World;
  readonly host: Host;
  readonly task: Task;
  readonly listener: number;
  /** What it has sent that `hears` wants; emptied by take(). */
  sent: Sent[];
  /** Which of its segments are kept: a flood's answers are too many. */
  hears: (segment: Sent) => boolean;
  readonly counter: (name: string) => number;
  /** A segment arrives, from PEER_IP if not said otherwise. */
  readonly give: (fields: Partial<TcpFields>, payload?: Uint8Array, source?: number) => void;
  readonly take: () => Sent[];
  readonly pass: (ms: number) => Promise<void>;
  /** Ends it, and throws if anything is left or it has panicked. */
  readonly close: () => Promise<void>;
}

export interface VictimOptions {
  readonly seed?: number;
  readonly backlog?: number;
  readonly sysctl?: Readonly<Record<string, CtlValue>>;
}

const ops: NetDeviceOps = {
  ndoInit: null, ndoUninit: null, ndoOpen: null, ndoStop: null, ndoStartXmit: transmit, ndoSetRxMode: null, ndoChangeMtu: null, ndoSetMacAddress: null,
  ndoFixFeatures: null, ndoSetFeatures: null, ndoFeaturesCheck: null,
};

function transmit(skb: SkBuff, dev: NetDevice): number {
  const victim = dev.priv as Victim;
  const { view, data, tail } = skb;
  const tcpAt = data + ETH + 20; // the victim sends no IP options
  if (view.getUint16(data + 12) === 0x0800 && view.getUint8(data + ETH + 9) === TCP) {
    const headerEnd = tcpAt + ((view.getUint8(tcpAt + 12) >> 4) << 2);
    const segment = {
      to: view.getUint32(data + ETH + 16), sport: view.getUint16(tcpAt), dport: view.getUint16(tcpAt + 2), seq: view.getInt32(tcpAt + 4),
      ack: view.getInt32(tcpAt + 8), flags: view.getUint8(tcpAt + 13), length: tail - headerEnd, tsval: timestampOf(view, tcpAt + 20, headerEnd),
    };
    if (victim.hears(segment)) victim.sent.push(segment);
  } else if (view.getUint16(data + 12) === 0x0806 && view.getUint16(data + ETH + 6) === 1) {
    // Whoever is asked for is at the one address there is.
    receive(victim.host, dev, ethernet(0x0806, arp(2, OUR_IP, view.getUint32(data + ETH + 24))));
  }
  consumeSkb(skb);
  return 0;
}

/** The first timestamp among options from `at` to `end`; 0 if there is none. */
function timestampOf(view: DataView, at: number, end: number): number {
  while (at < end) {
    const kind = view.getUint8(at);
    if (kind === 8) return view.getUint32(at + 2);
    at += kind < 2 ? 1 : view.getUint8(at + 1);
  }
  return 0;
}

function receive(host: Host, dev: NetDevice, frame: Uint8Array): void {
  interrupt(host.net, receiveFrame, { dev, frame });
}

function receiveFrame({ dev, frame }: { dev: NetDevice; frame: Uint8Array }): void {
  const skb = netdevAllocSkb(dev, frame.length)!;
  skb.buf.set(frame, skbPut(skb, frame.length));
  skb.protocol = ethTypeTrans(skb, dev);
  netifReceiveSkb(skb);
}

/** Makes it: 10.0.0.2/24 with a router at 10.0.0.1, listening on PORT. */
export function createVictim({ seed = 1, backlog = 128, sysctl = {} }: VictimOptions = {}): Victim {
  const clock = virtualClock();
  const world = createWorld({ seed, clock });
  const host = createHost({ world, name: 'victim', sysctl });
  const { task } = host;
  const made: { dev: NetDevice | null } = { dev: null };
  const listener = sysCall(sysSocket(task, PF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), 'socket');
  const victim: Victim = {
    world, host, task, listener, sent: [], hears: () => true,
    counter: (name) => host.show.counters()[name] ?? 0,
    give(fields, payload, source = PEER_IP) {
      receive(host, made.dev!, frameOf({ protocol: TCP, source }, tcp({ sport: 5000, dport: PORT, seq: 1000, ack: 0, flags: ACK, ...fields }, payload)));
    },
    take: () => victim.sent.splice(0),
    async pass(ms) {
      clock.release();
      await sleep(world, ms);
      clock.hold();
    },
    async close() {
      clock.release();
      const { panicked } = host.net;
      await host.close();
      if (panicked !== null) throw panicked;
      const [leak] = leakReport(world);
      if (leak !== undefined) throw new Error(`something is left: ${JSON.stringify(leak)}`);
    },
  };
  made.dev = host.addNic({
    device: (net) => {
      const dev = allocNetdev(net, 'eth0', ops, etherSetup);
      devAddrSet(dev, Uint8Array.from(OUR_MAC));
      dev.priv = victim;
      return dev;
    },
    address: '10.0.0.2/24',
    gateway: '10.0.0.1',
  });
  sysCall(sysBind(task, listener, new SockAddrIn(0, PORT)), 'bind');
  sysCall(sysListen(task, listener, backlog), 'listen');
  receive(host, made.dev, ethernet(0x0806, arp(1))); // so that no answer waits for ARP
  clock.hold();
  return victim;
}

/** A connection of a peer's to the victim: who the peer is, and what it sends and expects next. */
export interface Attacker {
  readonly fd: number;
  readonly sport: number;
  readonly source: number;
  /** The peer's next octet, and the victim's first one. */
  readonly seq: number;
  readonly start: number;
}

/** Opens one, from SYN to accept(). */
export function openFrom(victim: Victim, sport: number, options: readonly number[] = [], source = PEER_IP, window = 65535): Attacker {
  victim.give({ sport, seq: 1000, flags: SYN, options: Uint8Array.from(options), window }, undefined, source);
  const answer = victim.sent.filter((segment) => segment.dport === sport && segment.to === source && segment.flags === (SYN | ACK)).at(-1);
  if (answer === undefined) throw new Error(`no SYN-ACK to port ${sport}`);
  const start = (answer.seq + 1) | 0;
  victim.give({ sport, seq: 1001, ack: start, window }, undefined, source);
  const fd = sysAccept(victim.task, victim.listener, null, SOCK_NONBLOCK);
  if (typeof fd !== 'number' || fd < 0) throw new Error(`accept: ${String(fd)}`);
  victim.take();
  return { fd, sport, source, seq: 1001, start };
}

/** TCP_INFO of a descriptor. */
export function infoOf(victim: Victim, fd: number): TcpInfo {
  return sysGetsockopt(victim.task, fd, SOL_TCP, TCP_INFO) as TcpInfo;
}

/** Options: SACK blocks, each from and to. */
export function sackBlocks(...blocks: readonly (readonly [number, number])[]): Uint8Array {
  const octets = new Uint8Array(4 + 8 * blocks.length);
  octets.set([1, 1, 5, 2 + 8 * blocks.length]);
  const view = new DataView(octets.buffer);
  for (const [i, [from, to]] of blocks.entries()) {
    view.setInt32(4 + 8 * i, from);
    view.setInt32(8 + 8 * i, to);
  }
  return octets;
}
