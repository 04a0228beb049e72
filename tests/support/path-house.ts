// Two hosts on a segment whose every traced call is recorded: what the tests of the path look at.
import { createWorld, type Net, type TracedPacket, type World } from '@stack/kernel';
import { assertNothingOpen, createHost, gethostbyname, plainOn, virtioOn, type Host } from '@stack/host';
import { htons, SockAddrIn } from '@stack/inet-sock';
import { createSwitch } from '@stack/nic-virtio-sim';
import type { SkBuff } from '@stack/skbuff';
import {
  PF_INET, SOCK_STREAM, sysAccept, sysBind, sysCall, sysClose, sysConnect, sysListen, sysSocket,
} from '@stack/socket';

/** Which card the hosts have. */
export type Card = 'virtio' | 'plain';

/** One call: where the sk_buff's pointers stood, counted from `data` (-1 where they are not set), and where its last octets lie. */
export interface Call {
  readonly host: string;
  readonly fn: string;
  /** -1 without an sk_buff. */
  readonly id: number;
  readonly len: number;
  readonly mac: number;
  readonly network: number;
  readonly transport: number;
  /** The memory that holds the packet's end: the payload does not move while this stays the same. */
  readonly memory: ArrayBufferLike | null;
  readonly end: number;
}

const UNSET = -1;

/** The distance of a header from data; -1 where it is not set. A header in front of data is negative. */
function distance(header: number, data: number): number {
  return header < 0 ? UNSET : header - data;
}

function callOf(net: Net, fn: string, packet: TracedPacket | null): Call {
  if (packet === null) return { host: net.name, fn, id: -1, len: 0, mac: UNSET, network: UNSET, transport: UNSET, memory: null, end: 0 };
  const { id, len, data } = packet;
  const skb = packet as SkBuff;
  return {
    host: net.name,
    fn,
    id,
    len,
    mac: distance(skb.macHeader, data),
    network: distance(skb.networkHeader, data),
    transport: distance(skb.transportHeader, data),
    memory: skb.buf.buffer,
    end: skb.tail,
  };
}

/** The hosts, a connection between them, and what they have passed. */
export interface PathHouse {
  readonly world: World;
  readonly client: Host;
  readonly server: Host;
  /** Calls of both hosts, in order, since the last take(). */
  take(): Call[];
  close(): Promise<void>;
}

/** Builds server (10.0.0.1) and client (10.0.0.2), traced. */
export function pathHouse(card: Card): PathHouse {
  const world = createWorld({ seed: 1, debug: true });
  const lan = createSwitch(world);
  const device = card === 'virtio' ? virtioOn(lan) : plainOn(lan);
  const hosts = { server: '10.0.0.1' };
  const server = createHost({ world, name: 'server', nics: [{ device, address: '10.0.0.1/24' }] });
  const client = createHost({ world, name: 'client', hosts, nics: [{ device, address: '10.0.0.2/24' }] });
  let calls: Call[] = [];
  const hit = (net: Net, fn: string, packet: TracedPacket | null): void => void calls.push(callOf(net, fn, packet));
  for (const host of [client, server]) host.net.trace = { hit };
  return {
    world,
    client,
    server,
    take: () => {
      const taken = calls;
      calls = [];
      return taken;
    },
    close: async () => {
      await client.close();
      await server.close();
      assertNothingOpen(world);
    },
  };
}

/** An open connection: the client's descriptor, the server's, the listening one. */
export interface Open {
  readonly client: number;
  readonly server: number;
  readonly listener: number;
}

/** The chapter's client up to connect, and a server that accepts it. */
export async function openConnection({ client, server }: PathHouse): Promise<Open> {
  const listener = sysCall(sysSocket(server.task, PF_INET, SOCK_STREAM, 0), 'socket');
  sysCall(sysBind(server.task, listener, new SockAddrIn(0, 7)), 'bind');
  sysCall(sysListen(server.task, listener, 16), 'listen');
  const accepted = sysAccept(server.task, listener);

  const sockfd = sysCall(sysSocket(client.task, PF_INET, SOCK_STREAM, 0), 'socket');
  const hostent = await gethostbyname(client, 'server');
  if (hostent === null) throw new Error('no such name: server');
  const address = new SockAddrIn(hostent.hAddr, htons(7));
  sysCall(await sysConnect(client.task, sockfd, address), 'connect');
  return { client: sockfd, server: sysCall(await accepted, 'accept'), listener };
}

export async function closeConnection({ client, server }: PathHouse, open: Open): Promise<void> {
  await sysClose(client.task, open.client);
  await sysClose(server.task, open.server);
  await sysClose(server.task, open.listener);
}

/** The functions that `host` has passed, in order, as far as the first `last` (inclusive). */
export function functionsTo(calls: readonly Call[], host: string, last: string): string[] {
  const names = calls.filter((call) => call.host === host).map((call) => call.fn);
  const end = names.indexOf(last);
  return end < 0 ? names : names.slice(0, end + 1);
}
