// The rig of the differential test: a sender and a receiver, each a host of ours or Linux, and between them one cable of ours that delays
// and loses. Real time on both sides, one event loop: what disturbs one case disturbs every other.
//
//   ours:   host ─ card ═══ cable
//   Linux:  namespace ─ TAP ─ porch (a bridge of ours) ─ card ═══ cable
//
// No side offloads, so each frame on the cable is one segment, and our cards do not merge what arrives: neither does Linux's TAP.
import { bridgeOf, createHost, type Host } from '@stack/host';
import { hrtimerCancel, hrtimerSetup, hrtimerStart, type Hrtimer, type World, createWorld } from '@stack/kernel';
import { realClock } from '@stack/kernel/real-clock';
import { NETIF_F_GRO, netdevSetFeatures } from '@stack/netdev';
import { openTap } from '@stack/nic-tap';
import { connect, createPlainNic, disconnect, type Impairments, type Port, type Wire } from '@stack/nic-virtio-sim';
import { createNetns, deleteNetns, nsIp, nsText, nsWriteSysctl, plug, type Netns } from '../support/namespace.ts';
import { linuxFlows, ourFlows, type Flows } from './flows.ts';

/** Whose TCP it is. */
export type Kind = 'ours' | 'Linux';

/** What the cable does. */
export interface Path {
  /** Milliseconds there and back. */
  readonly delay: number;
  /** Chance that a frame from the sender is lost. */
  readonly loss: number;
  /** Chance that a frame from the receiver is; default 0. */
  readonly lossBack?: number;
  /** Bits per second each way, with a queue of one bandwidth-delay product; default without limit. */
  readonly bandwidth?: number;
  /** Of both sides; default CUBIC. */
  readonly congestion?: string;
  readonly seed: number;
}

/** A rig that stands. */
export interface Rig {
  readonly world: World;
  readonly wire: Wire;
  readonly sender: End;
  readonly receiver: End;
  readonly lateness: Lateness;
  readonly close: () => Promise<void>;
}

/** One end. */
export interface End {
  readonly kind: Kind;
  readonly address: string;
  /** Where its cable goes. */
  readonly port: Port;
  readonly flows: Flows;
  /** Its SNMP counters that are not 0, by nstat's names. */
  readonly counters: () => Readonly<Record<string, number>>;
  readonly ns: Netns | null;
  readonly host: Host | null;
  readonly close: () => Promise<void>;
}

/** Octets of a whole frame on the cable. */
const FRAME = 1538;
/** What both kinds of host are told besides, whatever the machine's defaults are; all else is Linux's default on both. */
const SYSCTLS: Readonly<Record<string, string | readonly number[] | number>> = {
  'net.ipv4.tcp_rmem': [4096, 131_072, 6_291_456],
  'net.ipv4.tcp_wmem': [4096, 16_384, 4_194_304],
  'net.ipv4.tcp_no_metrics_save': 1,
};

const ADDRESSES = ['10.98.0.1', '10.98.0.2'] as const;
const NS_PER_MS = 1e6;

/** Builds it; a failure takes down what stands already. */
export function buildRig(from: Kind, to: Kind, path: Path): Rig {
  const world = createWorld({ clock: realClock(), seed: path.seed });
  const ends: End[] = [];
  const close = async (): Promise<void> => {
    for (const end of ends.splice(0)) await end.close();
  };
  try {
    const congestion = path.congestion ?? 'cubic';
    const sender = buildEnd(world, 0, from, congestion);
    ends.push(sender);
    const receiver = buildEnd(world, 1, to, congestion);
    ends.push(receiver);
    const wire = connect(sender.port, receiver.port, impairments(path, path.loss), impairments(path, path.lossBack ?? 0));
    const lateness = new Lateness(world);
    const closeAll = async (): Promise<void> => {
      hrtimerCancel(lateness.timer);
      disconnect(wire);
      await close();
    };
    return { world, wire, sender, receiver, lateness, close: closeAll };
  } catch (error) {
    void close();
    throw error;
  }
}

/** One way of the cable. */
function impairments({ delay, bandwidth }: Path, loss: number): Impairments {
  const oneWay = { delay: delay / 2, loss };
  return bandwidth === undefined ? oneWay : { ...oneWay, bandwidth, queueLen: Math.max(20, Math.ceil((bandwidth * delay) / 8000 / FRAME)) };
}

function buildEnd(world: World, index: 0 | 1, kind: Kind, congestion: string): End {
  return kind === 'ours' ? buildOurs(world, ADDRESSES[index], congestion) : buildLinux(world, ADDRESSES[index], index, congestion);
}

function buildOurs(world: World, address: string, congestion: string): End {
  const host = createHost({ world, name: `ours-${address}`, sysctl: { ...SYSCTLS, 'net.ipv4.tcp_congestion_control': congestion } });
  const nic = createPlainNic(host.net);
  host.addNic({ device: nic.dev, address: `${address}/24` });
  return {
    kind: 'ours', address, port: nic.port, flows: ourFlows(host), counters: () => nonZero(host.show.counters()), ns: null, host,
    close: () => host.close(),
  };
}

function buildLinux(world: World, address: string, index: number, congestion: string): End {
  const ns = createNetns(`diff${index}`);
  const porch = createHost({ world, name: `porch${index}` });
  const close = async (): Promise<void> => {
    deleteNetns(ns);
    await porch.close();
  };
  try {
    for (const [name, value] of Object.entries(SYSCTLS)) nsWriteSysctl(ns, name, typeof value === 'object' ? value.join(' ') : String(value));
    const tap = openTap(porch.net, { name: `st${process.pid}d${index}`.slice(-15), offloads: false });
    netdevSetFeatures(tap, NETIF_F_GRO, 0);
    plug(ns, tap.name, `${address}/24`);
    // By the route: a namespace may choose among those congestion controls alone that the machine allows to everybody.
    nsIp(ns, 'route', 'change', '10.98.0.0/24', 'dev', tap.name, 'proto', 'kernel', 'scope', 'link', 'src', address, 'congctl', congestion);
    const nic = createPlainNic(porch.net);
    porch.addNic({ device: bridgeOf([tap, nic.dev]) });
    return { kind: 'Linux', address, port: nic.port, flows: linuxFlows(ns), counters: () => nstat(ns), ns, host: null, close };
  } catch (error) {
    void close();
    throw error;
  }
}

function nstat(ns: Netns): Record<string, number> {
  const { kernel } = JSON.parse(nsText(ns, 'nstat', '-asj')) as { kernel: Record<string, number> };
  return nonZero(kernel);
}

function nonZero(counters: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).filter(([, value]) => value !== 0));
}

/** How late this World's timers are, looked at every millisecond: a cable in real time cannot be more punctual than that. */
class Lateness {
  timer: Hrtimer;
  /** How often a timer was so many tenths of a millisecond late; the last counts all that were later. */
  tenths: number[];
  count: number;

  constructor(world: World) {
    this.tenths = new Array<number>(2000).fill(0);
    this.count = 0;
    this.timer = hrtimerSetup(world, latenessTick, this);
    hrtimerStart(this.timer, world.now + NS_PER_MS);
  }
}

function latenessTick(timer: Hrtimer): void {
  const lateness = timer.data as Lateness;
  const { tenths } = lateness;
  const { now } = timer.world;
  const late = Math.floor((now - timer.expires) / (NS_PER_MS / 10));
  const index = Math.min(Math.max(late, 0), tenths.length - 1);
  tenths[index] = (tenths[index] ?? 0) + 1;
  lateness.count++;
  hrtimerStart(timer, now + NS_PER_MS);
}

/** The lateness in milliseconds that a share `quantile` of all ticks did not exceed. */
export function latenessAt({ tenths, count }: Lateness, quantile: number): number {
  let seen = 0;
  for (const [late, times] of tenths.entries()) {
    seen += times;
    if (seen >= quantile * count) return (late + 1) / 10;
  }
  return tenths.length / 10;
}
