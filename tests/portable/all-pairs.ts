// Many hosts on one switch, in one process: each asks the others for an echo. One of them may panic on purpose in the midst of it.
import { createWorld, errnoName, formatPanic, type Net, type PanicReport, type World } from '@stack/kernel';
import { assertNothingOpen, createHost, virtioOn, type Host } from '@stack/host';
import { SockAddrIn } from '@stack/inet-sock';
import { NFPROTO_IPV4, NF_ACCEPT, NF_INET_LOCAL_IN, NF_IP_PRI_FILTER, nfRegisterNetHook } from '@stack/netfilter';
import { createSwitch, type Impairments } from '@stack/nic-virtio-sim';
import {
  PF_INET, SHUT_WR, SOCK_STREAM, SOL_SOCKET, SO_RCVTIMEO, Timeval,
  sysAccept, sysBind, sysCall, sysClose, sysConnect, sysListen, sysRead, sysSetsockopt, sysShutdown, sysSocket, sysWrite, type Task,
} from '@stack/socket';

export interface AllPairsOptions {
  readonly seed: number;
  readonly hosts: number;
  /** How many others each asks: those that follow it. Default all. */
  readonly reach?: number;
  /** Of every cable; nothing if absent: then all happens at once. */
  readonly cable?: Impairments;
  /** Makes the host of this number panic on its `packets`th packet. */
  readonly panic?: { readonly host: number; readonly packets: number };
}

/** A panic, as a report tells it. */
interface Panic {
  readonly host: string;
  readonly error: string;
  readonly context: string;
  /** Time of the World, ns. */
  readonly at: number;
  readonly text: string;
}

export interface AllPairsResult {
  /** Ordered pairs of hosts that have echoed. */
  readonly echoed: number;
  /** Those that have not, and why: `h1>h2 ECONNRESET`. */
  readonly failed: readonly string[];
  readonly panics: readonly Panic[];
  /** Frames that the switch has forwarded, and flooded. */
  readonly forwarded: number;
  readonly flooded: number;
  /** Time of the World at the end of the last echo, ns. */
  readonly time: number;
}

const PORT = 7;
/** 10.0.0.1 is the first. */
const FIRST = 0x0a000001;
/** Seconds that a client waits for an answer. */
const PATIENCE = 30;

/** Builds the hosts, has them echo, takes them down, and sees that nothing is left. */
export async function allPairs({ seed, hosts: count, reach = count - 1, cable = {}, panic }: AllPairsOptions): Promise<AllPairsResult> {
  const panics: PanicReport[] = [];
  const world = createWorld({ seed, debug: true, onPanic: (report) => panics.push(report) });
  const lan = createSwitch(world);
  const hosts = Array.from({ length: count }, (_, i) => makeHost(world, `h${i}`, virtioOn(lan, { impairments: cable }), i));
  const servers = hosts.map((host) => serve(host.task));
  if (panic !== undefined) panicOn(hosts[panic.host]!.net, panic.packets);
  const failed: string[] = [];
  await Promise.all(hosts.map((_, i) => askAll(hosts, i, reach, failed)));
  const time = world.now;
  await hosts[0]!.idle();
  for (const host of hosts) await host.close();
  await Promise.all(servers);
  assertNothingOpen(world);
  return {
    echoed: count * reach - failed.length,
    failed,
    panics: panics.map(panicOf),
    forwarded: lan.forwarded,
    flooded: lan.flooded,
    time,
  };
}

function panicOf(report: PanicReport): Panic {
  const { net, error, context, time } = report;
  return { host: net.name, error: error.message, context, at: time, text: formatPanic(report) };
}

function makeHost(world: World, name: string, device: ReturnType<typeof virtioOn>, i: number): Host {
  return createHost({ world, name, nics: [{ device, address: `10.0.${(i + 1) >> 8}.${(i + 1) & 0xff}/16` }] });
}

/** A netfilter hook that throws: a broken invariant in the midst of the packet path. */
function panicOn(net: Net, packets: number): void {
  let left = packets;
  const hook = (): number => {
    if (--left === 0) throw new Error('a hook panics on purpose');
    return NF_ACCEPT;
  };
  nfRegisterNetHook(net, { hook, pf: NFPROTO_IPV4, hooknum: NF_INET_LOCAL_IN, priority: NF_IP_PRI_FILTER });
}

/** Echoes on every connection, until the task ends. */
async function serve(task: Task): Promise<void> {
  const listener = sysCall(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
  sysCall(sysBind(task, listener, new SockAddrIn(0, PORT)), 'bind');
  sysCall(sysListen(task, listener, 128), 'listen');
  const connections: Promise<void>[] = [];
  for (let fd = await sysAccept(task, listener); fd >= 0; fd = await sysAccept(task, listener)) connections.push(echo(task, fd));
  await Promise.all(connections);
}

async function echo(task: Task, fd: number): Promise<void> {
  const buffer = new Uint8Array(64);
  for (let count = await sysRead(task, fd, buffer); count > 0; count = await sysRead(task, fd, buffer)) {
    if (await sysWrite(task, fd, buffer.subarray(0, count)) !== count) break;
  }
  sysClose(task, fd);
}

/** Host `from` asks those that follow it, one after the other. */
async function askAll(hosts: readonly Host[], from: number, reach: number, failed: string[]): Promise<void> {
  for (let step = 1; step <= reach; step++) {
    const to = (from + step) % hosts.length;
    const result = await ask(hosts[from]!.task, to, `h${from}>h${to}`);
    if (result < 0) failed.push(`h${from}>h${to} ${errnoName(result)}`);
  }
}

/** One connection: sends `text`, and reads it back to the end. 0, or a negative errno. */
async function ask(task: Task, to: number, text: string): Promise<number> {
  const fd = sysSocket(task, PF_INET, SOCK_STREAM, 0);
  if (fd < 0) return fd;
  let result = sysSetsockopt(task, fd, SOL_SOCKET, SO_RCVTIMEO, new Timeval(PATIENCE, 0));
  if (result >= 0) result = await sysConnect(task, fd, new SockAddrIn((FIRST + to) | 0, PORT));
  if (result >= 0) result = await sysWrite(task, fd, new TextEncoder().encode(text));
  if (result >= 0) result = sysShutdown(task, fd, SHUT_WR);
  if (result >= 0) result = await readBack(task, fd, text);
  sysClose(task, fd);
  return result;
}

async function readBack(task: Task, fd: number, text: string): Promise<number> {
  const buffer = new Uint8Array(64);
  let got = '';
  for (;;) {
    const count = await sysRead(task, fd, buffer);
    if (count < 0) return count;
    if (count === 0) break;
    got += new TextDecoder().decode(buffer.subarray(0, count));
  }
  if (got !== text) throw new Error(`${text} came back as ${JSON.stringify(got)}`);
  return 0;
}
