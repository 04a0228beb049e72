// The host under test: one interface that a test feeds and listens to, sockets of all kinds, and an account of what became of
// each frame. A frame was delivered (somebody used it up), dropped with a reason, or is held (a fragment, a segment out of
// order, data that nobody has read); at the end of the host nothing is held.
import { installConntrack, installNat } from '@stack/conntrack';
import { IP_ADD_MEMBERSHIP, IP_RECVOPTS, IP_RECVERR, IpMreqn } from '@stack/ip';
import { createHost, type Host } from '@stack/host';
import { SockAddrIn } from '@stack/inet-sock';
import {
  EAGAIN, SKB_DROP_REASON_NOT_SPECIFIED, SKB_NOT_DROPPED_YET, createWorld, destroyNet, dropReasonName, interrupt, sleep, type TracedPacket, type Tracer,
  type World,
} from '@stack/kernel';
import { allocNetdev, devAddrSet, ethTypeTrans, etherSetup, netdevAllocSkb, netifReceiveSkb, type NetDevice, type NetDeviceOps } from '@stack/netdev';
import { consumeSkb, installSkbuff, leakReport, skbPut, type SkBuff } from '@stack/skbuff';
import {
  IPPROTO_ICMP, IPPROTO_TCP, MSG_DONTWAIT, MSG_NOSIGNAL, PF_INET, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_RAW, SOCK_STREAM, SOL_IP, SOL_SOCKET, SO_RCVBUF, sysAccept, sysBind,
  sysClose, sysListen, sysRecv, sysSend, sysSetsockopt, sysSocket,
} from '@stack/socket';
import { TCP_NODELAY } from '@stack/tcp';
import { OUR_MAC } from './frames.ts';

/** Ports that somebody listens on. */
export const TCP_PORT = 7;
export const UDP_PORT = 9;
export const GROUP = 0xe0010203;
/** Connections that the echo server keeps. */
const MOST_CONNECTIONS = 8;

/** What became of the frames of one host, or of many. */
export class Account {
  frames = 0;
  delivered = 0;
  dropped = 0;
  /** Drops of frames by reason; of what the host itself sent, not. */
  reasons = new Map<string, number>();
  /** What the host sent, and the most sk_buffs it had at once. */
  answers = 0;
  peakSkbs = 0;
}

/** Adds `from` to `to`. */
export function addAccount(to: Account, from: Account): void {
  to.frames += from.frames;
  to.delivered += from.delivered;
  to.dropped += from.dropped;
  to.answers += from.answers;
  to.peakSkbs = Math.max(to.peakSkbs, from.peakSkbs);
  for (const [reason, count] of from.reasons) to.reasons.set(reason, (to.reasons.get(reason) ?? 0) + count);
}

/** Something that must not happen has happened. */
export class BadInputError extends Error {}

/** One host under test. */
export class Target implements Tracer {
  world: World;
  host: Host;
  dev: NetDevice;
  account = new Account();
  /** What the host has sent and nobody has taken. */
  sent: Uint8Array[] = [];
  /** Number of the sk_buff of the frame being received, and whether it has been dropped. */
  current = -1;
  currentDropped = false;
  /** sk_buffs of frames that are held. */
  held = new Set<number>();
  reasonsSeen: Float64Array;
  listenFd = -1;
  udpFd = -1;
  rawFd = -1;
  /** What the echo server has accepted, the oldest first. */
  connections: number[] = [];
  buffer = new Uint8Array(65536);

  constructor(world: World, host: Host, dev: NetDevice) {
    this.world = world;
    this.host = host;
    this.dev = dev;
    this.reasonsSeen = host.net.dropReasons.slice();
  }

  /** Tracer: only drops matter. */
  hit(_net: unknown, fn: string, skb: TracedPacket | null): void {
    if (fn !== 'kfree_skb' || skb === null) return;
    const ours = skb.id === this.current || this.held.delete(skb.id);
    const { dropReasons } = this.host.net;
    for (let i = 0; i < dropReasons.length; i++) {
      if (dropReasons[i] === this.reasonsSeen[i]) continue;
      this.reasonsSeen[i] = dropReasons[i]!;
      if (!ours) continue;
      const name = dropReasonName(i);
      this.account.reasons.set(name, (this.account.reasons.get(name) ?? 0) + 1);
    }
    if (!ours) return;
    this.account.dropped++;
    if (skb.id === this.current) this.currentDropped = true;
  }
}

const fuzzOps: NetDeviceOps = {
  ndoInit: null,
  ndoUninit: null,
  ndoOpen: null,
  ndoStop: null,
  ndoStartXmit: fuzzXmit,
  ndoSetRxMode: null,
  ndoChangeMtu: null,
  ndoSetMacAddress: null,
  ndoFixFeatures: null,
  ndoSetFeatures: null,
  ndoFeaturesCheck: null,
};

/** What the host sends: kept for the peer, as far as that listens. */
function fuzzXmit(skb: SkBuff, dev: NetDevice): number {
  const target = dev.priv as Target;
  target.account.answers++;
  if (target.sent.length < 64) target.sent.push(skb.buf.slice(skb.data, skb.tail));
  consumeSkb(skb);
  return 0;
}

export interface TargetOptions {
  readonly seed?: number;
  /** sk_buffs are never used again, and know who made them: slower, and finds more. */
  readonly debug?: boolean;
  /** Connection tracking and NAT on the hooks. */
  readonly conntrack?: boolean;
}

/** Makes it. Time stands still but in advance(). */
export function createTarget({ seed = 1, debug = true, conntrack = false }: TargetOptions = {}): Target {
  const world = createWorld({ seed, debug, onPanic: () => undefined }); // checkPanic() asks
  installSkbuff(world);
  const host = createHost({ world, name: 'target', sysctl: { 'net.ipv4.ip_forward': 1 } });
  if (conntrack) {
    installConntrack(host.net);
    installNat(host.net);
  }
  const dev = host.addNic({
    device: (net) => {
      const made = allocNetdev(net, 'eth0', fuzzOps, etherSetup);
      devAddrSet(made, Uint8Array.from(OUR_MAC));
      made.priv = new Target(world, host, made);
      return made;
    },
    address: ['10.0.0.2/24', '10.9.9.1/24'],
    gateway: '10.0.0.1',
  });
  const target = dev.priv as Target;
  host.net.trace = target;
  openSockets(target);
  clockOf(world).hold();
  return target;
}

function clockOf(world: World): { hold: () => void; release: () => void } {
  return world.clock as unknown as { hold: () => void; release: () => void };
}

/** Somebody for every kind of packet: TCP echo, UDP with all that it can be told, a group, a raw socket. */
function openSockets(target: Target): void {
  const { host } = target;
  const { task } = host;
  target.listenFd = sysSocket(task, PF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sysBind(task, target.listenFd, new SockAddrIn(0, TCP_PORT));
  sysSetsockopt(task, target.listenFd, IPPROTO_TCP, TCP_NODELAY, 1);
  sysListen(task, target.listenFd, 128);
  target.udpFd = sysSocket(task, PF_INET, SOCK_DGRAM, 0);
  sysBind(task, target.udpFd, new SockAddrIn(0, UDP_PORT));
  for (const option of [IP_RECVOPTS, IP_RECVERR]) sysSetsockopt(task, target.udpFd, SOL_IP, option, 1);
  sysSetsockopt(task, target.udpFd, SOL_IP, IP_ADD_MEMBERSHIP, new IpMreqn(GROUP, 0, target.dev.ifindex));
  target.rawFd = sysSocket(task, PF_INET, SOCK_RAW, IPPROTO_ICMP);
  sysSetsockopt(task, target.rawFd, SOL_SOCKET, SO_RCVBUF, 4096);
}

/** The echo server's turn: takes what connections there are, echoes what has come, closes what has ended, and the oldest of too many. */
function serve(target: Target): void {
  const { listenFd, connections } = target;
  const { task } = target.host;
  for (let fd = sysAccept(task, listenFd, null, SOCK_NONBLOCK); typeof fd === 'number' && fd >= 0; fd = sysAccept(task, listenFd, null, SOCK_NONBLOCK)) {
    connections.push(fd);
  }
  target.connections = connections.filter((fd, i) => {
    let got = sysRecv(task, fd, target.buffer, MSG_DONTWAIT);
    for (let turns = 16; typeof got === 'number' && got > 0 && turns > 0; turns--) {
      void sysSend(task, fd, target.buffer.subarray(0, got), MSG_DONTWAIT | MSG_NOSIGNAL);
      got = sysRecv(task, fd, target.buffer, MSG_DONTWAIT);
    }
    if (got === -EAGAIN && i >= connections.length - MOST_CONNECTIONS) return true;
    void sysClose(task, fd);
    return false;
  });
}

/** The frame arrives: eth_type_trans, then netif_receive_skb. Throws a BadInputError if that panics the host or loses the frame. */
export function receive(target: Target, frame: Uint8Array): void {
  const { account, world } = target;
  if (frame.length < 14) {
    // No driver hands up less than a header.
    account.frames++;
    account.dropped++;
    account.reasons.set('(driver)', (account.reasons.get('(driver)') ?? 0) + 1);
    return;
  }
  account.frames++;
  target.currentDropped = false;
  interrupt(target.host.net, receiveFrame, { target, frame });
  checkPanic(target);
  const { nrSkbs } = world.pool;
  if (nrSkbs > account.peakSkbs) account.peakSkbs = nrSkbs;
}

/** Throws if the host has panicked: in the frame's path, a softirq or a timer. */
function checkPanic({ host }: Target): void {
  const { panicked } = host.net;
  if (panicked !== null) throw new BadInputError(`the host has panicked: ${panicked.message}`, { cause: panicked });
}

function receiveFrame({ target, frame }: { target: Target; frame: Uint8Array }): void {
  const { dev, account } = target;
  const skb = netdevAllocSkb(dev, frame.length)!;
  skb.buf.set(frame, skbPut(skb, frame.length));
  skb.protocol = ethTypeTrans(skb, dev);
  const { id } = skb;
  target.current = id;
  netifReceiveSkb(skb);
  target.current = -1;
  if (target.currentDropped) return;
  if (skb.users > 0 && skb.id === id) target.held.add(id);
  else account.delivered++;
}

/** Lets `ms` of virtual time pass, and user code run. Empties the sockets that nobody reads. */
export async function advance(target: Target, ms: number): Promise<void> {
  const clock = clockOf(target.world);
  clock.release();
  await sleep(target.world, ms);
  clock.hold();
  checkPanic(target);
  const { task } = target.host;
  serve(target);
  for (const fd of [target.udpFd, target.rawFd]) {
    for (let i = 0; i < 512; i++) {
      const got = sysRecv(task, fd, target.buffer, MSG_DONTWAIT);
      if (typeof got !== 'number' || got < 0) break;
    }
  }
}

/** Ends the host; throws a BadInputError if anything of it is left, a frame has no fate, or a drop no name. Returns the account. */
export async function endTarget(target: Target): Promise<Account> {
  const { account, host, world } = target;
  clockOf(world).release();
  checkPanic(target);
  await host.close();
  destroyNet(host.net);
  const leaks = leakReport(world);
  if (leaks.length > 0) throw new BadInputError(`${leaks.length} sk_buffs or pages are left: ${JSON.stringify(leaks[0])}`);
  // What was held and not dropped has been read, or put together with others.
  account.delivered += target.held.size;
  target.held.clear();
  if (account.delivered + account.dropped !== account.frames) {
    throw new BadInputError(`${account.frames} frames, but ${account.delivered} delivered and ${account.dropped} dropped`);
  }
  const reasons = [...account.reasons.values()].reduce((sum, count) => sum + count, 0);
  if (reasons !== account.dropped) throw new BadInputError(`${account.dropped} frames dropped, ${reasons} with a reason`);
  // Of the host's own packets too.
  const nameless = host.net.dropReasons[SKB_DROP_REASON_NOT_SPECIFIED]! + host.net.dropReasons[SKB_NOT_DROPPED_YET]!;
  if (nameless !== 0) throw new BadInputError(`${nameless} packets dropped without a name for why`);
  return account;
}
