/*
 * A Host: one Net with every layer on it, a task that makes its system calls, and what a user of a whole machine expects.
 * createHost() makes one; the functions beside this file do the work.
 */
import { destroyNet, idle, snmpSnapshot, sysctlRead, sysctlWrite, type CtlValue, type Net, type World } from '@stack/kernel';
import { exitTask, sockSetRef, sysCall, type Task } from '@stack/socket';
import { ipRouteAdd, ipRouteDel, ipRuleAdd, ipRuleDel, type IpRouteSpec, type IpRuleSpec } from '@stack/ip';
import type { FdbRow } from '@stack/devices';
import type { NetDevice } from '@stack/netdev';
import type { ResState } from '@stack/resolver';
import { addNic, type NicOptions } from './nic.ts';
import {
  showAddr, showFdb, showNeigh, showRoute, showRule, showSockets, type AddrRow, type NeighRow, type RouteRow, type RuleRow, type SocketRow,
} from './show.ts';
import { connect, listen, type ConnectOptions, type Connection, type Listener, type ListenOptions } from './streams.ts';

/** What `ip addr`, `ip route`, `ip rule`, `ip neigh`, `bridge fdb`, `ss` and `nstat` say, as plain data. */
export interface Show {
  readonly addr: () => AddrRow[];
  /** Of table main if not said otherwise: by name or number, or `all`. */
  readonly route: (table?: Parameters<typeof showRoute>[1]) => RouteRow[];
  readonly rule: () => RuleRow[];
  readonly neigh: () => NeighRow[];
  /** Of all bridges. */
  readonly fdb: () => FdbRow[];
  readonly sockets: () => SocketRow[];
  readonly counters: () => Record<string, number>;
}

/** A host that runs: its devices, its connections and what it shows of itself. `net` leads to everything below. */
export class Host {
  readonly world: World;
  readonly net: Net;
  closed: boolean;
  /** Makes the system calls of connect() and listen(); use it, or createTask() for one of your own. */
  readonly task: Task;
  /** What gethostbyname() asks: the host's names and its name servers. */
  readonly resolver: ResState;
  readonly show: Show;

  constructor(net: Net, task: Task, resolver: ResState) {
    this.world = net.world;
    this.net = net;
    this.closed = false;
    this.task = task;
    this.resolver = resolver;
    this.show = {
      addr: () => showAddr(net),
      route: (table) => showRoute(net, table),
      rule: () => showRule(net),
      neigh: () => showNeigh(net),
      fdb: () => showFdb(net),
      sockets: () => showSockets(net),
      counters: () => snmpSnapshot(net),
    };
  }

  get name(): string {
    return this.net.name;
  }

  /** Adds a network device, gives it its address and routes, and takes it up. */
  addNic(options: NicOptions): NetDevice {
    return addNic(this.net, options);
  }

  /** `ip route add`, `ip route del`. They throw Errors with Node's fields. */
  addRoute(route: IpRouteSpec): void {
    sysCall(ipRouteAdd(this.net, route), 'ip route add', route.dst);
  }

  delRoute(route: IpRouteSpec): void {
    sysCall(ipRouteDel(this.net, route), 'ip route del', route.dst);
  }

  /** `ip rule add`, `ip rule del`, likewise. */
  addRule(rule: IpRuleSpec): void {
    sysCall(ipRuleAdd(this.net, rule), 'ip rule add');
  }

  delRule(rule: IpRuleSpec): void {
    sysCall(ipRuleDel(this.net, rule), 'ip rule del');
  }

  /** Opens a TCP connection as a pair of web streams. */
  connect(options: ConnectOptions): Promise<Connection> {
    return connect(this, options);
  }

  /** Listens for TCP connections. */
  listen(options?: ListenOptions): Listener {
    return listen(this, options);
  }

  /** Reads a sysctl by the kernel's name, or writes it first. Throws on an unknown name, and on a value that it does not take. */
  sysctl(name: string, value?: CtlValue): CtlValue {
    if (value !== undefined) sysCall(sysctlWrite(this.net, name, value), `sysctl ${name}=${String(value)}`);
    const now = sysctlRead(this.net, name);
    if (now === null) throw new TypeError(`no sysctl ${name}`);
    return now;
  }

  /** Resolves when nothing is under way in this host's World: no packet, no softirq, no timer but those that only wait. */
  idle(): Promise<void> {
    return idle(this.world);
  }

  /** Lets the process end although sockets of this host are open; nothing changes while another host keeps it alive. */
  unref(): void {
    sockSetRef(this.net, false);
  }

  /** Open sockets keep the process alive again, as they do from the start. */
  ref(): void {
    sockSetRef(this.net, true);
  }

  /** Gives everything back: descriptors, sockets, routes, devices, timers. Nothing runs on this host afterwards. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    exitTask(this.task);
    destroyNet(this.net);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
