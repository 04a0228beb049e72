/**
 * A Net is one host: the kernel's struct net. All that is global in a kernel hangs on it, one struct a layer, put there by the
 * layer's `install…(net)`. Taking it down runs what the layers registered with `netAtExit`, last installed first.
 */
import { SKB_DROP_REASON_MAX } from './drop-reason.ts';
import { worldEnter, worldLeave } from './enter.ts';
import type { NetLink, NetLinks } from './link.ts';
import { absent } from './link.ts';
import { NET_UP } from './net-state.ts';
import { sweepNet } from './sweep.ts';
import type { OpenItem } from './report.ts';
import { openReport } from './report.ts';
import type { SnmpMib } from './snmp.ts';
import type { SoftirqAction } from './softirq.ts';
import { NR_SOFTIRQS } from './softirq.ts';
import { SysctlRegistry } from './sysctl.ts';
import type { Tasklet } from './tasklet.ts';
import type { Tracer } from './trace.ts';
import type { World } from './world.ts';

export type NetExit = (net: Net) => void;

/** One host. Links of layers that are not installed are null. */
export class Net {
  world: World;
  id: number;
  name: string;
  /** Null: tracing is off. */
  trace: Tracer | null;
  /** The fault that stopped this host; null while it runs. */
  panicked: Error | null;
  /** NET_UP, NET_STOPPING or NET_GONE. */
  state: number;
  /** Packets dropped, by SKB_DROP_REASON_*. */
  dropReasons: Float64Array;
  sysctl: SysctlRegistry;
  snmp: Map<string, SnmpMib>;
  exits: NetExit[];

  softirqVec: (SoftirqAction | null)[];
  softirqPending: number;
  softirqNext: Net | null;
  taskletFirst: Tasklet | null;
  taskletLast: Tasklet | null;

  netdev: NetLink<'netdev'>;
  neigh: NetLink<'neigh'>;
  nf: NetLink<'nf'>;
  ct: NetLink<'ct'>;
  nat: NetLink<'nat'>;
  xt: NetLink<'xt'>;
  socket: NetLink<'socket'>;
  inetSock: NetLink<'inetSock'>;
  inet: NetLink<'inet'>;
  ipv4: NetLink<'ipv4'>;
  ipv6: NetLink<'ipv6'>;
  xfrm: NetLink<'xfrm'>;
  tcp: NetLink<'tcp'>;
  udp: NetLink<'udp'>;
  raw: NetLink<'raw'>;
  packet: NetLink<'packet'>;

  constructor(world: World, id: number, name: string) {
    this.world = world;
    this.id = id;
    this.name = name;
    this.trace = null;
    this.panicked = null;
    this.state = NET_UP;
    this.dropReasons = new Float64Array(SKB_DROP_REASON_MAX);
    this.sysctl = new SysctlRegistry();
    this.snmp = new Map();
    this.exits = [];
    this.softirqVec = new Array<SoftirqAction | null>(NR_SOFTIRQS).fill(null);
    this.softirqPending = 0;
    this.softirqNext = null;
    this.taskletFirst = null;
    this.taskletLast = null;
    this.netdev = absent();
    this.neigh = absent();
    this.nf = absent();
    this.ct = absent();
    this.nat = absent();
    this.xt = absent();
    this.socket = absent();
    this.inetSock = absent();
    this.inet = absent();
    this.ipv4 = absent();
    this.ipv6 = absent();
    this.xfrm = absent();
    this.tcp = absent();
    this.udp = absent();
    this.raw = absent();
    this.packet = absent();
  }
}

export interface NetOptions {
  /** Shown in traces and reports; `host<id>` if not given. */
  name?: string;
}

/** A new host without layers. */
export function createNet(world: World, options: NetOptions = {}): Net {
  const id = world.nextNetId++;
  const net = new Net(world, id, options.name ?? `host${id}`);
  world.nets.push(net);
  return net;
}

/** Has `fn` called when the Net is destroyed or panics; what was registered last is called first. */
export function netAtExit(net: Net, fn: NetExit): void {
  net.exits.push(fn);
}

/**
 * Throws unless the layers named are installed: `requireNet(net, 'installIp', 'netdev', 'neigh')` says
 * "installIp: install netdev first".
 */
export function requireNet(net: Net, installer: `install${string}`, ...links: (keyof NetLinks & keyof Net)[]): void {
  for (const link of links) {
    if (net[link] === null) throw new Error(`${installer}: install ${link} first`);
  }
}

/** Throws if the layer is installed already. */
export function requireNoNet(net: Net, installer: `install${string}`, link: keyof NetLinks & keyof Net): void {
  if (net[link] !== null) throw new Error(`${installer}: ${link} is installed already`);
}

/**
 * Takes a host down: runs its exit functions, drops its timers, softirqs and works. Destroying twice does nothing.
 *
 * @returns what its layers had left open (a timer still armed, for instance): a list for the one who hunts leaks
 * @throws the first error of an exit function, after all have run
 */
export function destroyNet(net: Net): OpenItem[] {
  const world = net.world;
  const at = world.nets.indexOf(net);
  if (at < 0) return [];
  worldEnter(world);
  const errors: unknown[] = [];
  const left = sweepNet(net, errors);
  world.nets.splice(at, 1);
  worldLeave(world);
  if (errors.length > 0) throw errors[0];
  return left;
}

/**
 * Takes all hosts down and gives the host's timers back. The World must not be entered any more.
 *
 * @returns what was left open
 * @throws the first error of an exit function, after all have run
 */
export function destroyWorld(world: World): OpenItem[] {
  if (world.closed) return [];
  const left: OpenItem[] = [];
  const errors: unknown[] = [];
  for (const net of [...world.nets]) {
    try {
      left.push(...destroyNet(net));
    } catch (error) {
      errors.push(error);
    }
  }
  left.push(...openReport(world));
  world.closed = true;
  world.clock.loop.close();
  if (errors.length > 0) throw errors[0];
  return left;
}
