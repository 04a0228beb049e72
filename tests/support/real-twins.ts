// The same scenario twice: a host of ours and a host of Linux's, each with a peer that is Linux. Both have the same addresses, names
// and neighbours, so what our host shows of itself must be what `ip` and `ss` show of the other, field by field.
import type { ChildProcess } from 'node:child_process';
import { createNetns, deleteNetns, nsIp, nsIpJson, nsText, nsWriteSysctl, type Netns } from './netns.ts';
import { OURS, OUR_MAC, PEER, realHost, type RealHost } from './real-host.ts';

const PEER_MAC = '02:53:54:00:00:02';

/** What all hosts have, ours too, whatever this machine's defaults are. */
const SYSCTLS: Readonly<Record<string, string | readonly number[]>> = {
  'net.ipv4.tcp_congestion_control': 'reno',
  'net.ipv4.tcp_rmem': [4096, 131072, 33554432],
  'net.ipv4.tcp_wmem': [4096, 16384, 4194304],
};

export interface Twins {
  readonly ours: RealHost;
  /** The host of Linux's that ours is to equal, and its peer. */
  readonly theirs: Netns;
  readonly theirPeer: Netns;
  /** Runs in the peers of both. */
  readonly atPeers: (run: (peer: Netns) => ChildProcess) => ChildProcess[];
  readonly close: () => Promise<void>;
}

/** Builds both. The device that stands for our TAP is one end of a veth pair, the other end the peer's. */
export function realTwins(purpose: string): Twins {
  const ours = realHost(purpose, { sysctl: SYSCTLS });
  const made: Netns[] = [];
  const close = async (): Promise<void> => {
    for (const ns of made.splice(0)) deleteNetns(ns);
    await ours.close();
  };
  try {
    const theirs = createNetns('theirs');
    made.push(theirs);
    const theirPeer = createNetns('peer');
    made.push(theirPeer);
    wire(ours, theirs, theirPeer);
    return { ours, theirs, theirPeer, close, atPeers: (run) => [run(ours.ns), run(theirPeer)] };
  } catch (error) {
    void close();
    throw error;
  }
}

/** Gives both the same settings and addresses. */
function wire(ours: RealHost, theirs: Netns, theirPeer: Netns): void {
  const { name } = ours.dev;
  for (const ns of [ours.ns, theirs, theirPeer]) for (const [key, value] of Object.entries(SYSCTLS)) nsWriteSysctl(ns, key, typeof value === 'string' ? value : value.join(' '));
  nsIp(ours.ns, 'link', 'set', name, 'address', PEER_MAC);
  nsIp(theirs, 'link', 'add', name, 'index', '2', 'address', OUR_MAC, 'type', 'veth', 'peer', 'name', name, 'address', PEER_MAC, 'netns', theirPeer.name);
  nsText(theirs, 'tc', 'qdisc', 'add', 'dev', name, 'root', 'pfifo_fast');
  nsIp(theirPeer, 'address', 'add', `${PEER}/24`, 'dev', name);
  nsIp(theirPeer, 'link', 'set', name, 'up');
  nsIp(theirs, 'link', 'set', name, 'up');
  nsIp(theirs, 'address', 'add', `${OURS}/24`, 'dev', name);
}

/** A row of `ss -Htuanoi`, read apart. */
export interface SsRow {
  readonly netid: string;
  readonly state: string;
  readonly recvQ: number;
  readonly sendQ: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly timer: string | null;
  /** What -i says: `mss:1448` as ['mss', '1448'], a word alone with ''. */
  readonly info: ReadonlyMap<string, string>;
}

function address(text: string): [string, number] {
  const colon = text.lastIndexOf(':');
  return [text.slice(0, colon), text.endsWith('*') ? 0 : Number(text.slice(colon + 1))];
}

/** `ss` in a namespace: TCP and UDP, every state, with timers and TCP_INFO. */
export function ss(ns: Netns): SsRow[] {
  const lines = nsText(ns, 'ss', '-HtuanoiO').split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [netid = '', state = '', recvQ = '', sendQ = '', local = '', peer = '', ...rest] = line.trim().split(/\s+/);
    const [localAddress, localPort] = address(local);
    const [peerAddress, peerPort] = address(peer);
    const info = new Map(rest.map((word) => [word.split(':')[0] ?? '', word.includes(':') ? word.slice(word.indexOf(':') + 1) : '']));
    return {
      netid, state, recvQ: Number(recvQ), sendQ: Number(sendQ), localAddress, localPort, peerAddress, peerPort,
      timer: info.get('timer')?.match(/\((\w+)/)?.[1] ?? null, info,
    };
  });
}

/**
 * `ip -j address` of the host that ours is to equal, without what a veth has more than other Ethernet devices, and with a TAP's operstate:
 * `tapEnd` is Linux's end of ours.
 */
export function ipAddress(ns: Netns, tapEnd: Netns): Record<string, unknown>[] {
  const { operstate } = nsIpJson(tapEnd, 'address')[1] ?? {};
  return nsIpJson(ns, 'address').map((row) => {
    if (!('link_index' in row)) return row;
    const ours: Record<string, unknown> = { ...row, operstate };
    delete ours['link_index'];
    delete ours['link_netnsid'];
    return ours;
  });
}
